{{- define "nodetide.grafanaEnv" -}}
{{- $own := .Values.grafana -}}
- {name: INFLUXDB_URL, value: {{ include "nodetide.influxUrl" . | quote }}}
- {name: INFLUXDB_ORG, value: {{ .Values.influxdb.org | quote }}}
- {name: INFLUXDB_BUCKET, value: {{ .Values.influxdb.bucket | quote }}}
- {name: GF_SECURITY_ADMIN_USER, value: {{ $own.username | quote }}}
- {name: GF_SECURITY_ADMIN_PASSWORD__FILE, value: /run/keys/password}
{{- if .Values.dashboards.enabled }}
- {name: GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH, value: /etc/nodetide/dashboards/system-metrics-dashboard.json}
{{- end }}
- {name: GF_ANALYTICS_REPORTING_ENABLED, value: "false"}
- {name: GF_ANALYTICS_CHECK_FOR_UPDATES, value: "false"}
- {name: GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES, value: "false"}
- {name: GF_PLUGINS_PREINSTALL_DISABLED, value: "true"}
{{- if .Values.influxdb.caSecret }}
- {name: SSL_CERT_DIR, value: "/etc/ssl/certs:/run/influxdb-ca"}
{{- end }}
{{- end -}}
