{{/* Settings of the scripts of jobs and tests, none of them secret */}}
{{- define "valkey.toolEnv" -}}
{{- if eq .Values.architecture "cluster" }}
- { name: PODS, value: {{ include "valkey.pods" . | quote }} }
- { name: REPLICAS_PER_PRIMARY, value: {{ .Values.cluster.replicasPerPrimary | quote }} }
{{- end }}
{{ include "valkey.env" . }}
{{- end }}

{{/* Those that they share with servers and probes, so that all agree. Of a cluster a server is not told how many there are and of which kind: more
or fewer must not restart it. */}}
{{- define "valkey.env" -}}
{{- if ne .Values.architecture "cluster" }}
- { name: PODS, value: {{ include "valkey.pods" . | quote }} }
{{- end }}
- { name: ARCHITECTURE, value: {{ .Values.architecture | quote }} }
- { name: SET, value: {{ include "valkey.fullname" . | quote }} }
- { name: DOMAIN, value: {{ include "valkey.domain" . | quote }} }
- { name: PORT, value: {{ include "valkey.linkPort" . | quote }} }
- { name: TLS, value: {{ include "valkey.linkTls" . | quote }} }
- { name: AUTH, value: {{ ternary "yes" "no" .Values.auth.enabled | quote }} }
{{- if eq .Values.architecture "cluster" }}
- { name: BUS_PORT, value: {{ include "valkey.busPort" . | quote }} }
- { name: NODE_TIMEOUT_MS, value: {{ .Values.cluster.nodeTimeoutMs | quote }} }
{{- end }}
{{- if eq .Values.architecture "replication" }}
- { name: TLS_AUTH_CLIENTS, value: {{ .Values.tls.authClients | quote }} }
- { name: SENTINEL_PORT, value: {{ .Values.replication.sentinel.port | quote }} }
- { name: QUORUM, value: {{ default (add1 (div (include "valkey.pods" . | int) 2)) .Values.replication.sentinel.quorum | quote }} }
- { name: DOWN_AFTER_MS, value: {{ .Values.replication.sentinel.downAfterMs | quote }} }
- { name: FAILOVER_TIMEOUT_MS, value: {{ .Values.replication.sentinel.failoverTimeoutMs | quote }} }
{{- end }}
{{- end }}

{{/* What every container of ours that talks to a server sees */}}
{{- define "valkey.clientMounts" -}}
- { name: scripts, mountPath: /opt/valkey/scripts, readOnly: true }
- { name: auth, mountPath: /etc/valkey/auth, readOnly: true }
{{- if .Values.tls.enabled }}
- { name: tls, mountPath: /etc/valkey/tls, readOnly: true }
{{- end }}
{{- end }}

{{- define "valkey.clientVolumes" -}}
- name: scripts
  configMap: { name: {{ include "valkey.fullname" . }}-scripts, defaultMode: 0555 }
- name: auth
  projected:
    defaultMode: 0440
    sources:
      - secret:
          name: {{ include "valkey.systemSecret" . | quote }}
          items: [{ key: valkey-system, path: valkey-system }]
      {{- if .Values.metrics.enabled }}
      - secret:
          name: {{ include "valkey.metricsSecret" . | quote }}
          items: [{ key: valkey-metrics, path: user-valkey-metrics }]
      {{- end }}
      {{- if .Values.auth.enabled }}
      - secret:
          name: {{ include "valkey.authSecret" . | quote }}
          items: [{ key: {{ empty .Values.auth.existingSecret | ternary "password" .Values.auth.existingSecretPasswordKey | quote }}, path: default }]
      {{- range .Values.auth.users }}
      - secret:
          name: {{ default (printf "%s-users" (include "valkey.fullname" $)) .existingSecret | quote }}
          items: [{ key: {{ empty .existingSecret | ternary .name (default "password" .existingSecretPasswordKey) | quote }}, path: {{ printf "user-%s" .name | quote }} }]
      {{- end }}
      {{- end }}
{{- if .Values.tls.enabled }}
- name: tls
  secret: { secretName: {{ include "valkey.tlsSecret" . | quote }}, defaultMode: 0440 }
{{- end }}
{{- end }}
