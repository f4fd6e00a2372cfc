{{- /* The default MetricPolicy. */ -}}
{{- define "nodetide.defaultPolicy" -}}
{{- $own := .Values.defaultPolicy -}}
{{- $spec := deepCopy $own.spec -}}
{{- if and $own.alerts (not (hasKey $spec "alerts")) -}}
{{- $_ := set $spec "alerts" (.Files.Get "files/default-alerts.yaml" | replace "RUNBOOKS" (trimSuffix "/" $own.runbooks) | fromYamlArray) -}}
{{- end -}}
{{- $url := include "nodetide.alertmanagerUrl" . -}}
{{- if and $url $spec.alerts (not (hasKey $spec "notify")) -}}
{{- $_ := set $spec "notify" (list (dict "name" "alertmanager" "type" "alertmanager" "url" $url)) -}}
{{- end -}}
apiVersion: nodetide.io/v1alpha1
kind: MetricPolicy
metadata:
  name: {{ $own.name }}
  labels:
    {{- include "nodetide.labels" (list . "policy") | nindent 4 }}
spec:
  {{- toYaml $spec | nindent 2 }}
{{- end -}}
