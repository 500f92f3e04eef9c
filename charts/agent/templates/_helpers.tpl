{{- define "agent.labels" -}}
app.kubernetes.io/name: seatrial-agent
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: seatrial
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "agent.selector" -}}
app.kubernetes.io/name: seatrial-agent
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- /* Objects outside of the release's namespace bear its name too: a second agent may live in the same cluster. */ -}}
{{- define "agent.global" -}}
{{ .Release.Name }}-{{ .Release.Namespace }}
{{- end }}

{{- define "agent.registry" -}}
{{- with .Values.registry }}{{ . }}/{{ end }}
{{- end }}

{{- define "agent.image" -}}
{{ .Values.image | default (printf "%sseatrial/agent:%s" (include "agent.registry" .) .Chart.AppVersion) }}
{{- end }}

{{- define "agent.runnerImage" -}}
{{ .Values.runner.image | default (printf "%sseatrial/runner:%s" (include "agent.registry" .) .Chart.AppVersion) }}
{{- end }}

{{- /* The rules that are set, as JSON: an absent list allows everything, an empty one nothing. */ -}}
{{- define "agent.allow" -}}
{{- $out := dict }}
{{- range $k, $v := .Values.allow }}
{{- if or (kindIs "slice" $v) $v }}{{- $_ := set $out $k $v }}{{- end }}
{{- end }}
{{- if $out }}{{ toJson $out }}{{ end }}
{{- end }}

{{- /* The custom resources, each with a suffix. */ -}}
{{- define "agent.resources" -}}
{{- $suffix := . }}
{{- $all := list "environments" "readinesspolicies" "schedules" "testexecutions" "testworkflows" "testworkflowtemplates" "triggers" "webhooks" }}
{{- range $i, $name := $all }}{{ if $i }}, {{ end }}{{ $name }}{{ $suffix }}{{ end }}
{{- end }}

{{- /* The group of a resource that is named as kubectl names it. */ -}}
{{- define "agent.group" -}}
{{- $groups := dict "daemonsets" "apps" "deployments" "apps" "replicasets" "apps" "statefulsets" "apps" "cronjobs" "batch" "jobs" "batch" "ingresses" "networking.k8s.io" "networkpolicies" "networking.k8s.io" "horizontalpodautoscalers" "autoscaling" "poddisruptionbudgets" "policy" }}
{{- if contains "." . }}{{ join "." (splitList "." . | rest) }}{{ else }}{{ get $groups . }}{{ end }}
{{- end }}

{{- define "agent.validate" -}}
{{- if not .Values.controlPlane.address }}
{{- fail "controlPlane.address is not set: give host:port of the control plane's endpoint for agents; `seatrial cluster enroll` prints the whole command" }}
{{- end }}
{{- if not .Values.runNamespaces }}
{{- fail "runNamespaces is empty: name at least one namespace for tests, such as --set runNamespaces={tests}" }}
{{- end }}
{{- if and (has "*" .Values.catalog.namespaces) (gt (len .Values.catalog.namespaces) 1) }}
{{- fail "catalog.namespaces: \"*\" is all namespaces already: leave the others out" }}
{{- end }}
{{- if and (has "*" .Values.triggers.namespaces) (gt (len .Values.triggers.namespaces) 1) }}
{{- fail "triggers.namespaces: \"*\" is all namespaces already: leave the others out" }}
{{- end }}
{{- range .Values.triggers.resources }}
{{- if or (eq . "secrets") (not (or (contains "." .) (include "agent.group" .) (has . (list "configmaps" "endpoints" "events" "limitranges" "namespaces" "nodes" "persistentvolumeclaims" "persistentvolumes" "pods" "replicationcontrollers" "resourcequotas" "serviceaccounts" "services")))) }}
{{- fail (printf "triggers.resources: %s is no resource that can be looked at: write plural and group, such as rollouts.argoproj.io" .) }}
{{- end }}
{{- end }}
{{- with .Values.runSpecifications }}
{{- if and .publicKeys (not .organization) }}
{{- fail "runSpecifications.organization is not set: name the organization of this cluster, as signatures name it" }}
{{- end }}
{{- if and (or .organization .signedAfter .cluster .maxAge) (not .publicKeys) (not .disabled) }}
{{- fail "runSpecifications.publicKeys is empty, so that nothing would have to be signed: give the keys, or leave out the other settings" }}
{{- end }}
{{- if and .publicKeys .disabled }}
{{- fail "runSpecifications.disabled is true, and there are publicKeys: leave one of them out" }}
{{- end }}
{{- /* Values that are forgotten at an upgrade are gone; this one must not go unnoticed. */ -}}
{{- if and (not .publicKeys) (not .disabled) (lookup "v1" "ConfigMap" $.Release.Namespace (printf "%s-verify" $.Release.Name)) }}
{{- fail (printf "the agent %s demands signatures, and runSpecifications.publicKeys is empty: it would run unsigned work from now on. Keep the values with --reset-then-reuse-values, give the keys, or say --set runSpecifications.disabled=true" $.Release.Name) }}
{{- end }}
{{- end }}
{{- range .Values.subjects }}
{{- if and .runNamespace (not (has .runNamespace $.Values.runNamespaces)) }}
{{- fail (printf "subjects: runNamespace %s is none of runNamespaces: name one of them, or leave it out for all" .runNamespace) }}
{{- end }}
{{- end }}
{{- end }}
