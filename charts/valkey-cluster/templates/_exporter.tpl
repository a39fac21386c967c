{{- define "valkey.metricsSecret" -}}{{ default (printf "%s-metrics" (include "valkey.fullname" .)) .Values.metrics.existingSecret }}{{- end }}

{{/* The exporter looks at the server in its own pod */}}
{{- define "valkey.exporterAddress" -}}
{{ ternary "rediss" "redis" .Values.tls.enabled }}://localhost:{{ include "valkey.port" . }}
{{- end }}

{{/* What the exporter's user may do. Not CONFIG: it tells the password that replicas log in with. */}}
{{- define "valkey.exporterRules" -}}
+ping +info +hello +client|setname +client|setinfo +slowlog|get +slowlog|len +latency|latest +latency|histogram +cluster|info +cluster|nodes
{{- end }}

{{- define "valkey.exporterContainer" -}}
- name: exporter
  image: {{ include "valkey.image" (dict "image" .Values.metrics.image "context" .) | quote }}
  imagePullPolicy: {{ .Values.metrics.image.pullPolicy }}
  securityContext: {{- toYaml .Values.containerSecurityContext | nindent 4 }}
  args:
    - --redis.addr={{ include "valkey.exporterAddress" . }}
    - --redis.user=valkey-metrics
    # The password is in a file, by the address that it is for.
    - --redis.password-file=/etc/valkey/exporter/exporter.json
    - --config-command=-
    # A server that hangs is told of before Prometheus gives up, after 10 s; with TLS the handshake alone takes as long, and the pod is missing.
    - --connection-timeout=5s
    - --include-system-metrics
    {{- if .Values.tls.enabled }}
    # It never leaves the pod, and a certificate of yours need not name localhost.
    - --skip-tls-verification
    - --tls-client-cert-file=/etc/valkey/tls/tls.crt
    - --tls-client-key-file=/etc/valkey/tls/tls.key
    {{- end }}
    - --web.listen-address=:{{ .Values.metrics.port }}
  ports:
    - { name: metrics, containerPort: {{ .Values.metrics.port }} }
  resources: {{- toYaml .Values.metrics.resources | nindent 4 }}
  volumeMounts:
    - { name: exporter, mountPath: /etc/valkey/exporter, readOnly: true }
    {{- if .Values.tls.enabled }}
    - { name: tls, mountPath: /etc/valkey/tls, readOnly: true }
    {{- end }}
{{- end }}

{{- define "valkey.exporterVolume" -}}
- name: exporter
  secret:
    secretName: {{ include "valkey.metricsSecret" . | quote }}
    defaultMode: 0440
    items: [{ key: exporter.json, path: exporter.json }]
{{- end }}

{{/* yes where an object of this setting is to be made: (dict "enabled" auto|true|false "kind" "ServiceMonitor" "context" $) */}}
{{- define "valkey.monitoring" -}}
{{- $api := "monitoring.coreos.com/v1" -}}
{{- if .context.Values.metrics.enabled -}}
{{- if eq (toString .enabled) "true" -}}yes
{{- else if and (eq (toString .enabled) "auto") (.context.Capabilities.APIVersions.Has (printf "%s/%s" $api .kind)) -}}yes
{{- end -}}
{{- end -}}
{{- end }}
