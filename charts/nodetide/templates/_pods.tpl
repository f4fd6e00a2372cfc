{{- /* What pods have in common. */ -}}

{{- /* Where a pod runs and by whom: (list $ VALUES-OF-COMPONENT). */ -}}
{{- define "nodetide.scheduling" -}}
{{- $ := index . 0 -}}
{{- $own := index . 1 -}}
enableServiceLinks: false
{{- with $.Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
- name: {{ . }}
{{- end }}
{{- end }}
{{- with $own.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $own.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.tolerations }}
tolerations:
{{- toYaml . | nindent 0 }}
{{- end }}
{{- with $own.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* The account that may do nothing, and whose token no pod gets. */ -}}
{{- define "nodetide.nobody" -}}
serviceAccountName: {{ include "nodetide.serviceAccount" . }}
automountServiceAccountToken: false
{{- end -}}

{{- /* Labels and annotations of a pod: (list $ COMPONENT VALUES-OF-COMPONENT ANNOTATIONS). */ -}}
{{- define "nodetide.podMetadata" -}}
{{- $own := index . 2 -}}
labels:
  {{- /* No versions: they would replace pods that are the same. */}}
  {{- include "nodetide.selector" . | nindent 2 }}
  {{- with merge dict $own.podLabels (index . 0).Values.commonLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge dict (index . 3) $own.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* As the Pod Security Standard `restricted` asks for, as the user given. */ -}}
{{- define "nodetide.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "nodetide.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- /* The environment of a container: (list OURS-AS-YAML EXTRA). What is in both is said once, as in EXTRA. */ -}}
{{- define "nodetide.env" -}}
{{- $extra := index . 1 -}}
{{- $names := list -}}
{{- range $extra }}{{ $names = append $names .name }}{{ end -}}
{{- range index . 0 | fromYamlArray }}
{{- if not (has .name $names) }}
- {{ toJson . }}
{{- end }}
{{- end }}
{{- with $extra }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* Where InfluxDB is, for commands of ours: (list $ FILE-OF-THE-TOKEN). */ -}}
{{- define "nodetide.influxEnv" -}}
{{- $ := index . 0 -}}
- {name: INFLUXDB_URL, value: {{ include "nodetide.influxUrl" $ | quote }}}
- {name: INFLUXDB_ORG, value: {{ $.Values.influxdb.org | quote }}}
- {name: INFLUXDB_TOKEN_FILE, value: {{ index . 1 }}}
{{- if $.Values.influxdb.caSecret }}
- {name: INFLUXDB_CA_FILE, value: /run/influxdb-ca/ca.crt}
{{- end }}
- {name: NODETIDE_LOG_LEVEL, value: {{ $.Values.logLevel }}}
{{- end -}}

{{- define "nodetide.caMount" -}}
{{- if .Values.influxdb.caSecret }}
- {name: influxdb-ca, mountPath: /run/influxdb-ca, readOnly: true}
{{- end }}
{{- end -}}

{{- define "nodetide.caVolume" -}}
{{- with .Values.influxdb.caSecret }}
- name: influxdb-ca
  secret:
    secretName: {{ . }}
    items: [{key: {{ $.Values.influxdb.caKey | quote }}, path: ca.crt}]
{{- end }}
{{- end -}}

{{- /*
A token that the operator makes: (list $ WHOSE). Optional, so that a pod starts before it is there; the file is read
again when it comes.
*/ -}}
{{- define "nodetide.tokenVolume" -}}
- name: token
  secret:
    secretName: {{ include "nodetide.fullname" (index . 0) }}-token-{{ index . 1 }}
    optional: true
    defaultMode: 0440
{{- end -}}

{{- /*
Waits, at most so long, until the operator has made the files named: (list $ NAME IMAGE SECONDS MOUNTS FILES). What is made
after a pod has started reaches it with the kubelet's next look, in up to 90 s; the end of a container makes it look at
once. So the first pods of a release begin in seconds, and without a right to ask the apiserver.
*/ -}}
{{- define "nodetide.waitContainer" -}}
{{- $ := index . 0 -}}
- name: {{ index . 1 }}
  image: {{ include "nodetide.image" (list $ (index . 2)) }}
  imagePullPolicy: {{ $.Values.image.pullPolicy }}
  command:
  - python
  - /scripts/wait.py
  - http://{{ include "nodetide.fullname" $ }}-operator:8080/metrics
  - {{ index . 3 | quote }}
  {{- range (index . 5) }}
  - {{ . }}
  {{- end }}
  securityContext:
    {{- include "nodetide.containerSecurity" $ | nindent 4 }}
  resources:
    requests: {cpu: 10m, memory: 24Mi}
    limits: {memory: 64Mi}
  volumeMounts:
  - {name: scripts, mountPath: /scripts, readOnly: true}
  {{- index . 4 | nindent 2 }}
{{- end -}}

{{- define "nodetide.scriptsVolume" -}}
- name: scripts
  configMap: {name: {{ include "nodetide.fullname" . }}-scripts}
{{- end -}}

{{- /* The pod of a Job of ours, which talks to the apiserver: (list $ COMPONENT ARGUMENTS MOUNTS VOLUMES). */ -}}
{{- define "nodetide.jobTemplate" -}}
{{- $ := index . 0 -}}
metadata:
  labels:
    {{- include "nodetide.selector" . | nindent 4 }}
spec:
  serviceAccountName: {{ include "nodetide.fullname" $ }}-policy
  automountServiceAccountToken: true
  restartPolicy: Never
  securityContext:
    {{- include "nodetide.podSecurity" 65532 | nindent 4 }}
  {{- include "nodetide.scheduling" (list $ $.Values.operator) | nindent 2 }}
  containers:
  - name: {{ index . 1 }}
    image: {{ include "nodetide.image" (list $ $.Values.operator.image.repository) }}
    imagePullPolicy: {{ $.Values.image.pullPolicy }}
    command:
    - python
    {{- range (index . 2) }}
    - {{ . | quote }}
    {{- end }}
    securityContext:
      {{- include "nodetide.containerSecurity" $ | nindent 6 }}
    resources:
      requests: {cpu: 10m, memory: 32Mi}
      limits: {memory: 64Mi}
    volumeMounts:
    - {name: scripts, mountPath: /scripts, readOnly: true}
    {{- with index . 3 }}
    {{- . | nindent 4 }}
    {{- end }}
  volumes:
  {{- include "nodetide.scriptsVolume" $ | nindent 2 }}
  {{- with index . 4 }}
  {{- . | nindent 2 }}
  {{- end }}
{{- end -}}
