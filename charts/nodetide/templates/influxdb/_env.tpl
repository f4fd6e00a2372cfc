{{- define "nodetide.influxdbEnv" -}}
{{- $own := .Values.influxdb -}}
# All but the last three are for the first start on an empty volume.
- {name: DOCKER_INFLUXDB_INIT_MODE, value: setup}
- {name: DOCKER_INFLUXDB_INIT_USERNAME, value: {{ $own.username | quote }}}
- {name: DOCKER_INFLUXDB_INIT_PASSWORD_FILE, value: /run/influxdb/password}
- {name: DOCKER_INFLUXDB_INIT_ADMIN_TOKEN_FILE, value: /run/influxdb/token}
- {name: DOCKER_INFLUXDB_INIT_ORG, value: {{ $own.org | quote }}}
- {name: DOCKER_INFLUXDB_INIT_BUCKET, value: {{ $own.bucket | quote }}}
- {name: DOCKER_INFLUXDB_INIT_RETENTION, value: 24h}
- {name: INFLUXD_REPORTING_DISABLED, value: "true"}
- {name: INFLUXD_PPROF_DISABLED, value: "true"} # else it takes a sample of every 4 KB that it allocates
- {name: INFLUXD_HTTP_BIND_ADDRESS, value: ":8086"}
{{- end -}}
