{{- define "nodetide.apiEnv" -}}
{{- $own := .Values.api -}}
{{- include "nodetide.influxEnv" (list . "/run/token/token") | nindent 0 }}
- {name: NODETIDE_LISTEN, value: {{ printf "%s:8000" .Values.listenAddress | quote }}}
{{- if $own.auth.enabled }}
- {name: NODETIDE_API_TOKEN_FILE, value: /run/api-token/token}
{{- end }}
{{- end -}}
