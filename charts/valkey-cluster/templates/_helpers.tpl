{{/* Names */}}
{{- define "valkey.name" -}}{{ default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}{{- end }}

{{- define "valkey.fullname" -}}
{{- if .Values.fullnameOverride -}}{{ .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "valkey.name" .) .Release.Name -}}{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else -}}{{ printf "%s-%s" .Release.Name (include "valkey.name" .) | trunc 40 | trimSuffix "-" }}
{{- end -}}
{{- end }}

{{- define "valkey.headless" -}}{{ include "valkey.fullname" . }}-headless{{- end }}
{{- define "valkey.domain" -}}{{ include "valkey.headless" . }}.{{ .Release.Namespace }}.svc.{{ .Values.clusterDomain }}{{- end }}

{{- define "valkey.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}{{ default (include "valkey.fullname" .) .Values.serviceAccount.name }}
{{- else -}}{{ default "default" .Values.serviceAccount.name }}
{{- end -}}
{{- end }}

{{- define "valkey.selectorLabels" -}}
app.kubernetes.io/name: {{ include "valkey.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "valkey.labels" -}}
{{ include "valkey.selectorLabels" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* The pods that hold data, and no job's or test's */}}
{{- define "valkey.podLabels" -}}
{{ include "valkey.selectorLabels" . }}
app.kubernetes.io/component: valkey
{{- end }}

{{/* An image: (dict "image" .Values.image "context" $) */}}
{{- define "valkey.image" -}}
{{- $registry := default .image.registry .context.Values.global.imageRegistry -}}
{{- $name := .image.repository -}}
{{- if $registry }}{{ $name = printf "%s/%s" $registry $name }}{{ end -}}
{{- if .image.digest -}}{{ printf "%s@%s" $name .image.digest }}{{- else -}}{{ printf "%s:%s" $name (toString .image.tag) }}{{- end -}}
{{- end }}

{{- define "valkey.pullSecrets" -}}
{{- with concat .Values.global.imagePullSecrets .Values.image.pullSecrets | uniq }}
imagePullSecrets:
{{- range . }}
  - name: {{ . | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* How many pods */}}
{{- define "valkey.pods" -}}
{{- if eq .Values.architecture "cluster" -}}{{ .Values.cluster.nodes }}
{{- else if eq .Values.architecture "replication" -}}{{ add1 .Values.replication.replicas }}
{{- else -}}1
{{- end -}}
{{- end }}

{{- define "valkey.hasPlain" -}}{{ if or (not .Values.tls.enabled) .Values.tls.allowPlaintext }}yes{{ end }}{{- end }}

{{/* The port that clients use */}}
{{- define "valkey.port" -}}{{ if .Values.tls.enabled }}{{ .Values.tls.port }}{{ else }}{{ .Values.valkey.port }}{{ end }}{{- end }}

{{/* How servers, sentinels and scripts speak with each other. One way for all of them, since in a roll old pods and new ones do. */}}
{{- define "valkey.linkTls" -}}{{ if and .Values.tls.enabled (or .Values.tls.clusterEnabled (eq .Values.architecture "standalone")) }}yes{{ else }}no{{ end }}{{- end }}
{{- define "valkey.linkPort" -}}{{ if eq (include "valkey.linkTls" .) "yes" }}{{ int .Values.tls.port }}{{ else }}{{ int .Values.valkey.port }}{{ end }}{{- end }}
{{- define "valkey.busPort" -}}{{ add (include "valkey.linkPort" . | int) 10000 }}{{- end }}

{{/* What of it cannot change while pods run: a new one would not find the old ones. */}}
{{- define "valkey.links" -}}
{{- if ne .Values.architecture "standalone" -}}
{{ ternary "TLS" "no TLS" (eq (include "valkey.linkTls" .) "yes") }} at port {{ include "valkey.linkPort" . }}{{ if eq .Values.architecture "replication" }}, sentinels at {{ int .Values.replication.sentinel.port }}{{ end }}
{{- end -}}
{{- end }}

{{- define "valkey.authSecret" -}}{{ default (include "valkey.fullname" .) .Values.auth.existingSecret }}{{- end }}
{{- define "valkey.systemSecret" -}}{{ default (printf "%s-system" (include "valkey.fullname" .)) .Values.auth.existingSystemSecret }}{{- end }}

{{- define "valkey.tlsSecret" -}}
{{- if .Values.tls.existingSecret -}}{{ .Values.tls.existingSecret }}{{- else -}}{{ include "valkey.fullname" . }}-tls{{- end -}}
{{- end }}

{{/* Whether every host name of a pod can be asked for by the certificate */}}
{{- define "valkey.dnsNames" -}}
{{- $names := list (printf "*.%s" (include "valkey.domain" .)) (include "valkey.domain" .) -}}
{{- range list "" "-primary" "-replica" -}}
{{- $service := printf "%s%s" (include "valkey.fullname" $) . -}}
{{- $names = concat $names (list $service (printf "%s.%s" $service $.Release.Namespace) (printf "%s.%s.svc" $service $.Release.Namespace) (printf "%s.%s.svc.%s" $service $.Release.Namespace $.Values.clusterDomain)) -}}
{{- end -}}
{{- concat $names (list "localhost") .Values.tls.extraDnsNames | uniq | toJson -}}
{{- end }}
