{{- define "valkey.sentinelContainer" -}}
- name: sentinel
  image: {{ include "valkey.image" (dict "image" .Values.image "context" .) | quote }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  securityContext: {{- toYaml .Values.containerSecurityContext | nindent 4 }}
  command: [sh, /opt/valkey/scripts/sentinel.sh]
  env: {{- include "valkey.env" . | nindent 4 }}
  ports:
    - { name: sentinel, containerPort: {{ int .Values.replication.sentinel.port }} }
  livenessProbe:
    {{- include "valkey.script" "sentinel-liveness.sh" | nindent 4 }}
    periodSeconds: 10
    timeoutSeconds: 5
    failureThreshold: 6
  resources: {{- toYaml .Values.replication.sentinel.resources | nindent 4 }}
  volumeMounts:
    {{- include "valkey.clientMounts" . | nindent 4 }}
    - { name: conf, mountPath: /etc/valkey/conf, readOnly: true }
    - { name: data, mountPath: /data }
    - { name: run, mountPath: /run/valkey }
    - { name: role, mountPath: /run/role }
    - { name: tmp, mountPath: /tmp }
{{- end }}

{{/* The one container with a token of the API server; it has no password and no data. */}}
{{- define "valkey.roleLabelContainer" -}}
- name: role-label
  image: {{ include "valkey.image" (dict "image" .Values.replication.roleLabels.image "context" .) | quote }}
  imagePullPolicy: {{ .Values.replication.roleLabels.image.pullPolicy }}
  securityContext: {{- toYaml .Values.containerSecurityContext | nindent 4 }}
  command: [sh, /opt/valkey/scripts/role-label.sh]
  env: {{- include "valkey.env" . | nindent 4 }}
  resources: {{- toYaml .Values.replication.roleLabels.resources | nindent 4 }}
  volumeMounts:
    - { name: scripts, mountPath: /opt/valkey/scripts, readOnly: true }
    - { name: role, mountPath: /run/role }
    - { name: token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true }
{{- end }}

{{- define "valkey.roleLabelVolumes" -}}
- name: role
  emptyDir: { medium: Memory, sizeLimit: 1Mi }
{{- if .Values.replication.roleLabels.enabled }}
- name: token
  projected:
    defaultMode: 0440
    sources:
      - serviceAccountToken: { path: token, expirationSeconds: 3600 }
      - configMap: { name: kube-root-ca.crt, items: [{ key: ca.crt, path: ca.crt }] }
      - downwardAPI: { items: [{ path: namespace, fieldRef: { fieldPath: metadata.namespace } }] }
{{- end }}
{{- end }}
