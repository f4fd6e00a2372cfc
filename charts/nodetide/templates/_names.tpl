{{- /* Names, labels and addresses. */ -}}

{{- define "nodetide.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- /* What selectors go by: (list $ COMPONENT). */ -}}
{{- define "nodetide.selector" -}}
{{- $ := index . 0 -}}
app.kubernetes.io/name: {{ default $.Chart.Name $.Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ $.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- /* (list $ COMPONENT) */ -}}
{{- define "nodetide.labels" -}}
{{- $ := index . 0 -}}
{{ include "nodetide.selector" . }}
app.kubernetes.io/version: {{ $.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $.Release.Service }}
helm.sh/chart: {{ $.Chart.Name }}-{{ $.Chart.Version | replace "+" "_" }}
{{- with $.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* The beginning of an object: (list $ COMPONENT NAME), in the release's namespace. */ -}}
{{- define "nodetide.metadata" -}}
{{- $ := index . 0 -}}
name: {{ index . 2 }}
namespace: {{ $.Release.Namespace }}
labels:
  {{- include "nodetide.labels" . | nindent 2 }}
{{- end -}}

{{- /* An image of ours: (list $ REPOSITORY). */ -}}
{{- define "nodetide.image" -}}
{{- $ := index . 0 -}}
{{- with $.Values.image.registry }}{{ trimSuffix "/" . }}/{{ end }}{{ index . 1 }}:{{ default $.Chart.AppVersion $.Values.image.tag }}
{{- end -}}

{{- define "nodetide.serviceAccount" -}}
{{- default (include "nodetide.fullname" .) .Values.serviceAccount.name -}}
{{- end -}}

{{- define "nodetide.operatorServiceAccount" -}}
{{- default (printf "%s-operator" (include "nodetide.fullname" .)) .Values.operator.serviceAccount.name -}}
{{- end -}}

{{- define "nodetide.influxUrl" -}}
{{- if .Values.influxdb.bundled -}}
http://{{ include "nodetide.fullname" . }}-influxdb:8086
{{- else -}}
{{- required "influxdb.url is needed where influxdb.bundled is false: where your InfluxDB is" .Values.influxdb.url -}}
{{- end -}}
{{- end -}}

{{- define "nodetide.influxSecret" -}}
{{- if .Values.influxdb.existingSecret -}}
{{- .Values.influxdb.existingSecret -}}
{{- else if .Values.influxdb.bundled -}}
{{- include "nodetide.fullname" . }}-influxdb
{{- else -}}
{{- fail "influxdb.existingSecret is needed where influxdb.bundled is false: the Secret with the operator's token" -}}
{{- end -}}
{{- end -}}

{{- define "nodetide.alertmanagerUrl" -}}
{{- if .Values.alertmanager.url -}}
{{- .Values.alertmanager.url -}}
{{- else if .Values.alertmanager.enabled -}}
http://{{ include "nodetide.fullname" . }}-alertmanager:9093
{{- end -}}
{{- end -}}

{{- /* A word that is made once: (list $ SECRET KEY), as the Secret in the cluster has it, or a new one; in base64. */ -}}
{{- define "nodetide.kept" -}}
{{- $ := index . 0 -}}
{{- $found := lookup "v1" "Secret" $.Release.Namespace (index . 1) -}}
{{- $data := default dict (get $found "data") -}}
{{- if hasKey $data (index . 2) -}}
{{- get $data (index . 2) -}}
{{- else -}}
{{- randAlphaNum 40 | b64enc -}}
{{- end -}}
{{- end -}}
