{{/* A value as valkey's own reader takes it: bare where it is plain, else quoted. YAML's yes is true. */}}
{{- define "valkey.quote" -}}
{{- $text := include "valkey.text" . -}}
{{- if kindIs "bool" . }}{{ $text = ternary "yes" "no" . }}{{ end -}}
{{- if regexMatch "^[A-Za-z0-9_./:@+,=*-]+$" $text -}}{{ $text }}
{{- else -}}"{{ $text | replace "\\" "\\\\" | replace "\"" "\\\"" | replace "\n" "\\n" | replace "\r" "\\r" | replace "\t" "\\t" }}"
{{- end -}}
{{- end }}

{{/* A number or a text as it was written: a large number of YAML has an exponent. */}}
{{- define "valkey.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) }}{{ int64 . }}{{ else }}{{ toString . }}{{ end -}}
{{- end }}

{{- define "valkey.memoryLimit" -}}{{ dig "limits" "memory" "" .Values.resources | include "valkey.text" }}{{- end }}

{{/* maxmemory: as given, else three quarters of the memory limit in bytes, else 0 */}}
{{- define "valkey.maxMemory" -}}
{{- $limit := include "valkey.memoryLimit" . -}}
{{- if ne (toString .Values.valkey.maxMemory) "" -}}{{ regexReplaceAll "([KMG])i$" (include "valkey.quote" .Values.valkey.maxMemory) "${1}b" }}
{{- else if $limit -}}{{- div (mul (include "valkey.bytes" $limit | int64) 3) 4 -}}
{{- else -}}0
{{- end -}}
{{- end }}

{{/* A Kubernetes quantity of memory in bytes */}}
{{- define "valkey.bytes" -}}
{{- $number := regexFind "^[0-9]+" . | int64 -}}
{{- $unit := regexReplaceAll "^[0-9]+" . "" -}}
{{- $factors := dict "" 1 "k" 1000 "M" 1000000 "G" 1000000000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- if or (not (hasKey $factors $unit)) (eq $number 0) }}{{ fail (printf "resources.limits.memory %q: write it as a whole number with Ki, Mi, Gi, k, M or G." .) }}{{ end -}}
{{- mul $number (get $factors $unit | int64) -}}
{{- end }}

{{/* A size as valkey.conf has it, in bytes */}}
{{- define "valkey.confBytes" -}}
{{- $text := lower . -}}
{{- $unit := regexReplaceAll "^[0-9]+" $text "" -}}
{{- $factors := dict "" 1 "b" 1 "k" 1000 "kb" 1024 "m" 1000000 "mb" 1048576 "g" 1000000000 "gb" 1073741824 -}}
{{- mul (regexFind "^[0-9]+" $text | int64) (get $factors $unit | int64) -}}
{{- end }}

{{/* valkey.conf as far as all pods share it; start.sh adds what differs. src/domain/chart/conf.ts renders the same. */}}
{{- define "valkey.conf" -}}
bind * -::*
protected-mode no
port {{ if include "valkey.hasPlain" . }}{{ int .Values.valkey.port }}{{ else }}0{{ end }}
{{- if .Values.tls.enabled }}
tls-port {{ int .Values.tls.port }}
tls-cert-file /etc/valkey/tls/tls.crt
tls-key-file /etc/valkey/tls/tls.key
tls-ca-cert-file /etc/valkey/tls/ca.crt
tls-auth-clients {{ .Values.tls.authClients }}
tls-protocols "TLSv1.2 TLSv1.3"
tls-replication {{ ternary "yes" "no" .Values.tls.clusterEnabled }}
{{- if eq .Values.architecture "cluster" }}
tls-cluster {{ ternary "yes" "no" .Values.tls.clusterEnabled }}
{{- end }}
{{- end }}
unixsocket /run/valkey/valkey.sock
unixsocketperm 700
daemonize no
logfile ""
loglevel {{ .Values.valkey.logLevel }}
aclfile /run/valkey/users.acl
acl-pubsub-default resetchannels
enable-debug-command no
enable-module-command no
enable-protected-configs no
dir /data
dbfilename dump.rdb
{{- if .Values.persistence.save }}
save {{ .Values.persistence.save }}
{{- else }}
save ""
{{- end }}
{{- if and .Values.persistence.enabled (not .Values.persistence.save) (not .Values.persistence.appendOnly) }}
shutdown-on-sigterm save
{{- end }}
appendonly {{ ternary "yes" "no" .Values.persistence.appendOnly }}
appendfsync {{ .Values.persistence.appendFsync }}
maxmemory {{ include "valkey.maxMemory" . }}
maxmemory-policy {{ .Values.valkey.maxMemoryPolicy }}
repl-diskless-sync yes
repl-diskless-sync-delay 0
repl-diskless-load on-empty-db
replica-read-only yes
min-replicas-to-write {{ int .Values.minReplicasToWrite }}
min-replicas-max-lag {{ int .Values.minReplicasMaxLag }}
shutdown-timeout 10
{{- if eq .Values.architecture "cluster" }}
cluster-enabled yes
cluster-config-file nodes.conf
cluster-node-timeout {{ int .Values.cluster.nodeTimeoutMs }}
cluster-require-full-coverage {{ ternary "no" "yes" .Values.cluster.allowPartialCoverage }}
cluster-preferred-endpoint-type hostname
cluster-allow-replica-migration no
{{- end }}
{{- range $name, $value := .Values.valkey.config }}
{{- range (kindIs "slice" $value | ternary $value (list $value)) }}
{{ $name }} {{ include "valkey.quote" . }}
{{- end }}
{{- end }}
{{- end }}

{{/* Users beside default and valkey-system: name and rules, a line each; their passwords are in a secret. */}}
{{- define "valkey.users" -}}
{{- range .Values.auth.users -}}
{{ .name }} {{ .rules }}
{{ end -}}
{{- if .Values.metrics.enabled -}}
valkey-metrics {{ include "valkey.exporterRules" . }}
{{ end -}}
{{- end }}
