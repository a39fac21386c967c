{{/* What every pod has, of a server, a job or a test */}}
{{- define "valkey.anyPod" -}}
serviceAccountName: {{ include "valkey.serviceAccountName" . | quote }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- include "valkey.pullSecrets" . }}
securityContext: {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- end }}

{{/* Where servers may run, as seen from each other */}}
{{- define "valkey.placement" -}}
{{- if .Values.affinity }}
affinity: {{- toYaml .Values.affinity | nindent 2 }}
{{- else if ne .Values.podAntiAffinity "none" }}
affinity:
  podAntiAffinity:
    {{- if eq .Values.podAntiAffinity "hard" }}
    requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: kubernetes.io/hostname
        labelSelector: { matchLabels: {{ include "valkey.podLabels" . | fromYaml | toJson }} }
    {{- else }}
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector: { matchLabels: {{ include "valkey.podLabels" . | fromYaml | toJson }} }
    {{- end }}
{{- end }}
topologySpreadConstraints:
{{- if .Values.topologySpreadConstraints }}
{{- range .Values.topologySpreadConstraints }}
  - {{- toYaml (hasKey . "labelSelector" | ternary . (merge (dict "labelSelector" (dict "matchLabels" (include "valkey.podLabels" $ | fromYaml))) .)) | nindent 4 }}
{{- end }}
{{- else }}
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector: { matchLabels: {{ include "valkey.podLabels" . | fromYaml | toJson }} }
{{- end }}
{{- end }}

{{/* Seconds between the order to stop and the kill: handing over and saving, the delay, and the server's own last save */}}
{{- define "valkey.gracePeriod" -}}
{{- $own := 30 -}}
{{- if .Values.lifecycle.preStop.enabled -}}{{ add $own .Values.lifecycle.preStop.timeoutSeconds .Values.lifecycle.preStop.delay }}{{- else -}}{{ $own }}{{- end -}}
{{- end }}

{{- define "valkey.script" -}}
exec: { command: [sh, /opt/valkey/scripts/{{ . }}] }
{{- end }}

{{- define "valkey.podSpec" -}}
{{ include "valkey.anyPod" . }}
terminationGracePeriodSeconds: {{ include "valkey.gracePeriod" . }}
# A sentinel stands still while it asks DNS. After two seconds of that it trusts its clock no more and replaces nobody for half a minute: one
# answer that is lost, just when a pod is, must not take so long.
dnsConfig: { options: [{ name: timeout, value: "1" }, { name: attempts, value: "3" }] }
{{- include "valkey.placement" . }}
containers:
  - name: valkey
    image: {{ include "valkey.image" (dict "image" .Values.image "context" .) | quote }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    securityContext: {{- toYaml .Values.containerSecurityContext | nindent 6 }}
    # The image's entry point would change the user, which is what it runs as already.
    command: [sh, /opt/valkey/scripts/start.sh]
    env:
      {{- include "valkey.env" . | nindent 6 }}
      - { name: PRESTOP_DELAY, value: {{ .Values.lifecycle.preStop.delay | quote }} }
      - { name: PRESTOP_TIMEOUT, value: {{ .Values.lifecycle.preStop.timeoutSeconds | quote }} }
      - { name: NODE_NAME, valueFrom: { fieldRef: { fieldPath: spec.nodeName } } }
    ports:
      - { name: valkey, containerPort: {{ include "valkey.port" . }} }
      {{- if and .Values.tls.enabled .Values.tls.allowPlaintext }}
      - { name: plain, containerPort: {{ .Values.valkey.port }} }
      {{- end }}
      {{- if eq .Values.architecture "cluster" }}
      - { name: bus, containerPort: {{ include "valkey.busPort" . }} }
      {{- end }}
    startupProbe:
      {{- include "valkey.script" "startup.sh" | nindent 6 }}
      periodSeconds: 2
      timeoutSeconds: 5
      failureThreshold: {{ max 1 (div .Values.startupProbe.timeoutSeconds 2) }}
    livenessProbe:
      {{- include "valkey.script" "liveness.sh" | nindent 6 }}
      periodSeconds: 10
      timeoutSeconds: 10
      failureThreshold: 6
    readinessProbe:
      {{- include "valkey.script" "readiness.sh" | nindent 6 }}
      periodSeconds: 2
      timeoutSeconds: 5
      failureThreshold: 2
    {{- if .Values.lifecycle.preStop.enabled }}
    lifecycle:
      preStop:
        {{- include "valkey.script" "prestop.sh" | nindent 8 }}
    {{- end }}
    resources: {{- toYaml .Values.resources | nindent 6 }}
    volumeMounts:
      {{- include "valkey.clientMounts" . | nindent 6 }}
      - { name: conf, mountPath: /etc/valkey/conf, readOnly: true }
      - { name: data, mountPath: /data }
      - { name: run, mountPath: /run/valkey }
      - { name: tmp, mountPath: /tmp }
  {{- if eq .Values.architecture "replication" }}
  {{- include "valkey.sentinelContainer" . | nindent 2 }}
  {{- if .Values.replication.roleLabels.enabled }}
  {{- include "valkey.roleLabelContainer" . | nindent 2 }}
  {{- end }}
  {{- end }}
  {{- if .Values.metrics.enabled }}
  {{- include "valkey.exporterContainer" . | nindent 2 }}
  {{- end }}
volumes:
  {{- include "valkey.clientVolumes" . | nindent 2 }}
  - name: conf
    configMap: { name: {{ include "valkey.fullname" . | quote }}, defaultMode: 0444 }
  - name: run
    emptyDir: { medium: Memory, sizeLimit: {{ .Values.emptyDirSizeLimit | quote }} }
  - name: tmp
    emptyDir: { sizeLimit: {{ .Values.emptyDirSizeLimit | quote }} }
  {{- if .Values.metrics.enabled }}
  {{- include "valkey.exporterVolume" . | nindent 2 }}
  {{- end }}
  {{- if eq .Values.architecture "replication" }}
  {{- include "valkey.roleLabelVolumes" . | nindent 2 }}
  {{- end }}
  {{- if not .Values.persistence.enabled }}
  - name: data
    emptyDir: {}
  {{- end }}
{{- end }}
