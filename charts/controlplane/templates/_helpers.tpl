{{- define "cp.labels" -}}
{{ include "cp.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: seatrial
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "cp.selector" -}}
app.kubernetes.io/name: seatrial-controlplane
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "cp.meta" -}}
namespace: {{ .Release.Namespace }}
labels: {{- include "cp.labels" . | nindent 2 }}
{{- end }}

{{- define "cp.image" -}}
{{ .Values.image | default (printf "seatrial/controlplane:%s" .Chart.AppVersion) }}
{{- end }}

{{- /* Not empty when nothing is kept in the pod: then there may be any number of it. */ -}}
{{- define "cp.stateless" -}}
{{- if and .Values.database.existingSecret .Values.s3.endpoint }}true{{ end }}
{{- end }}

{{- define "cp.many" -}}
{{- if or .Values.autoscaling.enabled (gt (int .Values.replicas) 1) }}true{{ end }}
{{- end }}

{{- /* Secret of the agents' port; empty for the authority on the volume. */ -}}
{{- define "cp.agentTLS" -}}
{{- if .Values.agents.tls.existingSecret }}{{ .Values.agents.tls.existingSecret }}
{{- else if .Values.agents.tls.certManager.issuerRef }}{{ .Release.Name }}-agents-tls
{{- end }}
{{- end }}

{{- define "cp.agentHost" -}}
{{- if .Values.agents.address }}{{ regexReplaceAll ":[0-9]+$" .Values.agents.address "" }}
{{- else if .Values.ingress.agents.enabled }}{{ .Values.ingress.agents.host }}
{{- else if .Values.gateway.agents.enabled }}{{ .Values.gateway.agents.host }}
{{- else }}{{ .Release.Name }}-agents.{{ .Release.Namespace }}.svc
{{- end }}
{{- end }}

{{- define "cp.agentAddress" -}}
{{- if .Values.agents.address }}{{ .Values.agents.address }}
{{- else if .Values.ingress.agents.enabled }}{{ .Values.ingress.agents.host }}:443
{{- else if .Values.gateway.agents.enabled }}{{ .Values.gateway.agents.host }}:{{ .Values.gateway.agents.port }}
{{- else }}{{ .Release.Name }}-agents.{{ .Release.Namespace }}.svc:{{ .Values.agents.service.port }}
{{- end }}
{{- end }}

{{- define "cp.scheme" -}}
{{ if .Values.http.tls.existingSecret }}https{{ else }}http{{ end }}
{{- end }}

{{- /* How the Service is reached in this cluster. */ -}}
{{- define "cp.ownURL" -}}
{{ include "cp.scheme" . }}://{{ .Release.Name }}.{{ .Release.Namespace }}.svc:{{ .Values.http.service.port }}
{{- end }}

{{- define "cp.publicURL" -}}
{{- if .Values.publicURL }}{{ .Values.publicURL }}
{{- else if .Values.ingress.enabled }}{{ ternary "https" "http" (ne .Values.ingress.tlsSecret "") }}://{{ .Values.ingress.host }}
{{- else if .Values.gateway.enabled }}https://{{ .Values.gateway.host }}
{{- else }}{{ include "cp.ownURL" . }}
{{- end }}
{{- end }}

{{- define "cp.validate" -}}
{{- $stateless := include "cp.stateless" . }}
{{- $v := .Values }}
{{- if and (include "cp.many" .) (not $stateless) }}
{{- fail "replicas: more than one needs database.existingSecret (PostgreSQL) and s3.endpoint: what is on a volume is one pod's alone" }}
{{- end }}
{{- if and (include "cp.many" .) (not $v.redis.existingSecret) }}
{{- fail "replicas: more than one needs redis.existingSecret: without it they do not hear of each other's work" }}
{{- end }}
{{- if and $stateless (not $v.encryption.existingSecret) }}
{{- fail "encryption.existingSecret is not set, and without a volume the keys would be lost with the pod. Make them once, and keep a copy apart from the database: kubectl create secret generic seatrial-encryption --from-literal=encryption.keys=\"$(date +%F):$(openssl rand -base64 32)\"" }}
{{- end }}
{{- if and $stateless (not (include "cp.agentTLS" .)) }}
{{- fail "agents.tls is not set, and without a volume the certificate would be another one with every pod: name a Secret in agents.tls.existingSecret, or an issuer of cert-manager in agents.tls.certManager.issuerRef" }}
{{- end }}
{{- if and $v.s3.endpoint (not $v.s3.bucket) }}
{{- fail "s3.bucket is not set: name the bucket in the object store" }}
{{- end }}
{{- if and $v.database.systemURL (not $v.database.existingSecret) }}
{{- fail "database.systemURL is of use with database.existingSecret only" }}
{{- end }}
{{- if and $v.ingress.enabled (not $v.ingress.host) }}
{{- fail "ingress.host is not set: name the host that people use" }}
{{- end }}
{{- if and $v.ingress.agents.enabled (not $v.ingress.agents.host) }}
{{- fail "ingress.agents.host is not set: name the host that agents dial" }}
{{- end }}
{{- if and $v.gateway.enabled (not (and $v.gateway.host $v.gateway.parentRefs)) }}
{{- fail "gateway: host and parentRefs are needed: the host that people use, and the gateway that has a listener for it" }}
{{- end }}
{{- if and $v.gateway.agents.enabled (not (and $v.gateway.agents.host $v.gateway.agents.parentRefs)) }}
{{- fail "gateway.agents: host and parentRefs are needed: the host that agents dial, and the gateway that has a listener which passes TLS through" }}
{{- end }}
{{- end }}

{{- define "cp.serviceSpec" -}}
type: {{ .type }}
{{- with .loadBalancerClass }}
loadBalancerClass: {{ . }}
{{- end }}
{{- end }}
