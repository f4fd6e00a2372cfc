{{- define "nodetide.apiSecret" -}}
{{- default (printf "%s-api-auth" (include "nodetide.fullname" .)) .Values.api.auth.existingSecret -}}
{{- end -}}
