{{- /* A Service for people: (list $ COMPONENT VALUES-OF-COMPONENT). */ -}}
{{- define "nodetide.service" -}}
{{- $ := index . 0 -}}
{{- $component := index . 1 -}}
{{- $own := (index . 2).service -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "nodetide.metadata" (list $ $component (printf "%s-%s" (include "nodetide.fullname" $) $component)) | nindent 2 }}
  {{- with $own.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  type: {{ $own.type }}
  selector:
    {{- include "nodetide.selector" (list $ $component) | nindent 4 }}
  ports:
  - name: http
    port: {{ $own.port }}
    targetPort: http
    {{- if and (eq $own.type "NodePort") $own.nodePort }}
    nodePort: {{ $own.nodePort }}
    {{- end }}
{{- end -}}

{{- /* An Ingress: (list $ COMPONENT VALUES-OF-COMPONENT). */ -}}
{{- define "nodetide.ingress" -}}
{{- $ := index . 0 -}}
{{- $own := index . 2 -}}
{{- $name := printf "%s-%s" (include "nodetide.fullname" $) (index . 1) -}}
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  {{- include "nodetide.metadata" (list $ (index . 1) $name) | nindent 2 }}
  {{- with $own.ingress.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- with $own.ingress.className }}
  ingressClassName: {{ . }}
  {{- end }}
  {{- with $own.ingress.tls }}
  tls:
  {{- toYaml . | nindent 2 }}
  {{- end }}
  rules:
  {{- range $own.ingress.hosts }}
  - host: {{ . | quote }}
    http:
      paths:
      - path: /
        pathType: Prefix
        backend: {service: {name: {{ $name }}, port: {name: http}}}
  {{- end }}
{{- end -}}
