{{- define "nodetide.collectorEnv" -}}
{{- $own := .Values.collector -}}
{{- include "nodetide.influxEnv" (list . "/run/token/token") | nindent 0 }}
- {name: NODETIDE_HOST_NAME, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
{{- with .Values.clusterName }}
- {name: NODETIDE_CLUSTER, value: {{ . | quote }}}
{{- end }}
- {name: NODETIDE_NODE_SETTINGS, value: /etc/nodetide/settings}
- {name: NODETIDE_PROC_ROOT, value: /host/proc}
- {name: NODETIDE_SYS_ROOT, value: /host/sys}
- {name: NODETIDE_ROOT, value: /host/root}
- {name: NODETIDE_SPOOL_DIR, value: /var/lib/nodetide/spool}
- {name: NODETIDE_SPOOL_MAX_BYTES, value: {{ $own.spool.maxBytes | quote }}}
- {name: NODETIDE_FLUSH_INTERVAL, value: {{ $own.flushInterval | quote }}}
- {name: NODETIDE_METRICS_LISTEN, value: {{ printf "%s:%v" .Values.listenAddress $own.metricsPort | quote }}}
{{- end -}}
