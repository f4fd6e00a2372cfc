{{- /* What the operator may do; the same as in manifests/operator, where a test compares them. */ -}}

{{- define "nodetide.rulesOfOwn" -}}
{{- $name := include "nodetide.fullname" . -}}
- apiGroups: [""]
  resources: [configmaps]
  resourceNames: [{{ $name }}-node-settings]
  verbs: [get, patch]
- apiGroups: [""]
  resources: [secrets]
  resourceNames: [{{ $name }}-token-collector, {{ $name }}-token-api]
  {{- /* Where it may read every Secret, these are among them. */}}
  {{- $watched := or .Values.operator.watchAllNamespaces (not .Values.operator.watchNamespaces) (has .Release.Namespace .Values.operator.watchNamespaces) }}
  {{- if and $watched (not .Values.operator.receiverSecrets) }}
  verbs: [patch]
  {{- else }}
  verbs: [get, patch]
  {{- end }}
# A name cannot restrict what is created.
- apiGroups: [""]
  resources: [configmaps, secrets]
  verbs: [create]
{{- end -}}

{{- define "nodetide.rulesOfPolicies" -}}
- apiGroups: [nodetide.io]
  resources: [metricpolicies]
  verbs: [list, watch]
- apiGroups: [nodetide.io]
  resources: [metricpolicies/status]
  verbs: [patch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
- apiGroups: [""]
  resources: [secrets]
  {{- with .Values.operator.receiverSecrets }}
  resourceNames:
  {{- toYaml . | nindent 2 }}
  {{- end }}
  verbs: [get]
{{- end -}}

{{- define "nodetide.rulesOfNodes" -}}
- apiGroups: [""]
  resources: [nodes]
  verbs: [list, watch]
{{- end -}}
