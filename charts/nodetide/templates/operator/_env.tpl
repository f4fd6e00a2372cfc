{{- define "nodetide.operatorEnv" -}}
{{- $own := .Values.operator -}}
{{- $name := include "nodetide.fullname" . -}}
{{- include "nodetide.influxEnv" (list . "/run/influxdb/token") | nindent 0 }}
{{- with .Values.clusterName }}
- {name: NODETIDE_CLUSTER, value: {{ . | quote }}}
{{- end }}
{{- if $own.watchAllNamespaces }}
- {name: NODETIDE_WATCH_NAMESPACES, value: "*"}
{{- else if $own.watchNamespaces }}
- {name: NODETIDE_WATCH_NAMESPACES, value: {{ join "," $own.watchNamespaces | quote }}}
{{- end }}
- {name: NODETIDE_SETTINGS_MAP, value: {{ $name }}-node-settings}
- {name: NODETIDE_TOKEN_SECRETS, value: {{ $name }}-token}
- {name: NODETIDE_RESYNC, value: {{ $own.resync | quote }}}
- {name: NODETIDE_OPERATOR_LISTEN, value: {{ printf "%s:8080" .Values.listenAddress | quote }}}
{{- end -}}
