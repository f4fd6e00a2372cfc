{{- define "nodetide.grafanaSecret" -}}
{{- default (printf "%s-grafana" (include "nodetide.fullname" .)) .Values.grafana.existingSecret -}}
{{- end -}}
