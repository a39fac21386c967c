{{/* A job that runs cluster.sh: (dict "context" $ "mode" WORD "tries" N "wait" SECONDS) */}}
{{- define "valkey.clusterJob" -}}
{{- $ := .context -}}
backoffLimit: {{ .tries }}
activeDeadlineSeconds: {{ $.Values.cluster.job.timeoutSeconds }}
ttlSecondsAfterFinished: 3600
template:
  metadata:
    labels:
      {{- include "valkey.selectorLabels" $ | nindent 6 }}
      app.kubernetes.io/component: job
  spec:
    # What a drain says when it fails is to be read afterwards: its pods stay.
    restartPolicy: {{ ternary "Never" "OnFailure" (eq .mode "drain") }}
    {{- include "valkey.toolPod" $ | nindent 4 }}
    containers:
      - name: cluster
        {{- include "valkey.toolContainer" $ | nindent 8 }}
        command: [sh, /opt/valkey/scripts/cluster.sh, {{ include "valkey.pods" $ | quote }}{{ with .mode }}, {{ . }}{{ end }}]
        env:
          {{- include "valkey.toolEnv" $ | nindent 10 }}
          - { name: WAIT_SECONDS, value: {{ .wait | quote }} }
        resources: {{- toYaml $.Values.cluster.job.resources | nindent 10 }}
{{- end }}

{{/* What every pod of ours that is no server has */}}
{{- define "valkey.toolPod" -}}
{{ include "valkey.anyPod" . }}
volumes:
  {{- include "valkey.clientVolumes" . | nindent 2 }}
  - name: tmp
    emptyDir: { sizeLimit: {{ .Values.emptyDirSizeLimit | quote }} }
{{- end }}

{{- define "valkey.toolContainer" -}}
image: {{ include "valkey.image" (dict "image" .Values.image "context" .) | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext: {{- toYaml .Values.containerSecurityContext | nindent 2 }}
volumeMounts:
  {{- include "valkey.clientMounts" . | nindent 2 }}
  - { name: tmp, mountPath: /tmp }
{{- end }}
