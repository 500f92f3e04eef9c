{{- /* The pod, the same in a Deployment and a StatefulSet. */ -}}
{{- define "cp.pod" -}}
{{- $v := .Values }}
{{- $agentTLS := include "cp.agentTLS" . -}}
metadata:
  labels:
    {{- include "cp.labels" . | nindent 4 }}
    {{- with $v.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $v.podAnnotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ .Release.Name }}
  # It talks to agents, never to a cluster.
  automountServiceAccountToken: false
  enableServiceLinks: false
  # The wait before it, draining, then half a minute for what is under way.
  terminationGracePeriodSeconds: {{ add (include "cp.seconds" $v.drain) 45 }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: {type: RuntimeDefault}
  {{- with $v.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  containers:
    - name: controlplane
      image: {{ include "cp.image" . }}
      imagePullPolicy: {{ $v.imagePullPolicy }}
      env: {{- include "cp.env" . | nindent 8 }}
      ports:
        - {name: http, containerPort: 8080}
        - {name: agents, containerPort: 9443}
        {{- if $v.metrics.enabled }}
        - {name: metrics, containerPort: 9090}
        {{- end }}
      # The first start brings the database up to date, which may take its time.
      startupProbe:
        httpGet: {path: /healthz, port: http, scheme: {{ include "cp.scheme" . | upper }}}
        periodSeconds: 2
        failureThreshold: 300
      # Alive does not mean that the database answers: a restart would not bring it back.
      livenessProbe:
        httpGet: {path: /healthz, port: http, scheme: {{ include "cp.scheme" . | upper }}}
        periodSeconds: 20
        timeoutSeconds: 5
      readinessProbe:
        httpGet: {path: /readyz, port: http, scheme: {{ include "cp.scheme" . | upper }}}
        periodSeconds: 5
        timeoutSeconds: 6
      {{- if and (include "cp.stateless" .) (semverCompare ">=1.30-0" .Capabilities.KubeVersion.Version) }}
      # It goes on serving until nobody is sent here any more.
      lifecycle: {preStop: {sleep: {seconds: 5}}}
      {{- end }}
      resources: {{- toYaml $v.resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      volumeMounts:
        - {name: data, mountPath: /data}
        - {name: tmp, mountPath: /tmp}
        {{- if $v.encryption.existingSecret }}
        - {name: encryption, mountPath: /etc/seatrial/encryption, readOnly: true}
        {{- end }}
        {{- if $v.http.tls.existingSecret }}
        - {name: tls, mountPath: /etc/seatrial/tls, readOnly: true}
        {{- end }}
        {{- if $agentTLS }}
        - {name: agents-tls, mountPath: /etc/seatrial/agents-tls, readOnly: true}
        {{- end }}
        {{- if $v.extraCA.existingConfigMap }}
        - {name: extra-ca, mountPath: /etc/seatrial/extra-ca, readOnly: true}
        {{- end }}
  volumes:
    - {name: tmp, emptyDir: {}}
    {{- if or (include "cp.stateless" .) (not $v.persistence.enabled) }}
    - {name: data, emptyDir: {}}
    {{- else if $v.persistence.existingClaim }}
    - {name: data, persistentVolumeClaim: {claimName: {{ $v.persistence.existingClaim }}}}
    {{- end }}
    {{- with $v.encryption.existingSecret }}
    - {name: encryption, secret: {secretName: {{ . }}, defaultMode: 0440}}
    {{- end }}
    {{- with $v.http.tls.existingSecret }}
    - {name: tls, secret: {secretName: {{ . }}, defaultMode: 0440}}
    {{- end }}
    {{- with $agentTLS }}
    - {name: agents-tls, secret: {secretName: {{ . }}, defaultMode: 0440}}
    {{- end }}
    {{- with $v.extraCA.existingConfigMap }}
    - {name: extra-ca, configMap: {name: {{ . }}}}
    {{- end }}
  topologySpreadConstraints:
    {{- if kindIs "slice" $v.topologySpreadConstraints }}
    {{- toYaml $v.topologySpreadConstraints | nindent 4 }}
    {{- else }}
    {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels: {{- include "cp.selector" $ | nindent 10 }}
    {{- end }}
    {{- end }}
  {{- with $v.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.affinity }}
  affinity: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{- /* Whole seconds of a duration such as 1m30s. */ -}}
{{- define "cp.seconds" -}}
{{- $sum := 0 }}
{{- range regexFindAll "[0-9]+(h|m|s)" . -1 }}
{{- $n := regexFind "[0-9]+" . | int }}
{{- if hasSuffix "h" . }}{{ $sum = add $sum (mul $n 3600) }}{{ else if hasSuffix "m" . }}{{ $sum = add $sum (mul $n 60) }}{{ else }}{{ $sum = add $sum $n }}{{ end }}
{{- end }}
{{- $sum }}
{{- end }}

{{- define "cp.env" -}}
{{- $v := .Values -}}
- {name: SEATRIAL_DATA_DIR, value: /data}
- {name: SEATRIAL_LISTEN, value: "0.0.0.0:8080"}
- {name: SEATRIAL_AGENT_LISTEN, value: "0.0.0.0:9443"}
- {name: SEATRIAL_PUBLIC_URL, value: {{ include "cp.publicURL" . | quote }}}
- {name: SEATRIAL_AGENT_ADDRESS, value: {{ include "cp.agentAddress" . | quote }}}
- {name: SEATRIAL_AGENT_CHART, value: {{ $v.agents.chart | quote }}}
{{- if $v.http.tls.existingSecret }}
- {name: SEATRIAL_TLS_CERT, value: /etc/seatrial/tls/tls.crt}
- {name: SEATRIAL_TLS_KEY, value: /etc/seatrial/tls/tls.key}
{{- else }}
- {name: SEATRIAL_INSECURE_HTTP, value: "true"}
{{- end }}
{{- with $v.http.trustedProxies }}
- {name: SEATRIAL_TRUSTED_PROXIES, value: {{ join "," . | quote }}}
{{- end }}
{{- if include "cp.agentTLS" . }}
- {name: SEATRIAL_AGENT_TLS_CERT, value: /etc/seatrial/agents-tls/tls.crt}
- {name: SEATRIAL_AGENT_TLS_KEY, value: /etc/seatrial/agents-tls/tls.key}
{{- if not $v.agents.tls.publiclyTrusted }}
- {name: SEATRIAL_AGENT_TLS_CA, value: /etc/seatrial/agents-tls/ca.crt}
{{- end }}
{{- end }}
{{- with $v.database.existingSecret }}
- {name: SEATRIAL_DATABASE, valueFrom: {secretKeyRef: {name: {{ . }}, key: url}}}
{{- if $v.database.systemURL }}
- {name: SEATRIAL_DATABASE_SYSTEM, valueFrom: {secretKeyRef: {name: {{ . }}, key: system-url}}}
{{- end }}
{{- end }}
{{- with $v.redis.existingSecret }}
- {name: SEATRIAL_REDIS, valueFrom: {secretKeyRef: {name: {{ . }}, key: url}}}
{{- end }}
{{- if $v.s3.endpoint }}
- {name: SEATRIAL_S3_ENDPOINT, value: {{ $v.s3.endpoint | quote }}}
- {name: SEATRIAL_S3_BUCKET, value: {{ $v.s3.bucket | quote }}}
{{- with $v.s3.region }}
- {name: SEATRIAL_S3_REGION, value: {{ . | quote }}}
{{- end }}
{{- if $v.s3.insecure }}
- {name: SEATRIAL_S3_INSECURE, value: "true"}
{{- end }}
{{- with $v.s3.existingSecret }}
- {name: SEATRIAL_S3_ACCESS_KEY, valueFrom: {secretKeyRef: {name: {{ . }}, key: access-key}}}
- {name: SEATRIAL_S3_SECRET_KEY, valueFrom: {secretKeyRef: {name: {{ . }}, key: secret-key}}}
{{- end }}
{{- end }}
{{- if $v.encryption.existingSecret }}
- {name: SEATRIAL_ENCRYPTION_KEY_FILE, value: /etc/seatrial/encryption/encryption.keys}
{{- end }}
- {name: SEATRIAL_ADMIN_EMAIL, value: {{ $v.admin.email | quote }}}
{{- with $v.admin.existingSecret }}
- {name: SEATRIAL_ADMIN_PASSWORD, valueFrom: {secretKeyRef: {name: {{ . }}, key: password}}}
{{- end }}
{{- with $v.smtp }}
{{- if .address }}
- {name: SEATRIAL_SMTP_ADDRESS, value: {{ .address | quote }}}
- {name: SEATRIAL_SMTP_FROM, value: {{ required "smtp.from is not set: give the sender of e-mail, such as Seatrial <seatrial@example.com>" .from | quote }}}
- {name: SEATRIAL_SMTP_TLS, value: {{ .tls }}}
{{- with .existingSecret }}
- {name: SEATRIAL_SMTP_USER, valueFrom: {secretKeyRef: {name: {{ . }}, key: user}}}
- {name: SEATRIAL_SMTP_PASSWORD, valueFrom: {secretKeyRef: {name: {{ . }}, key: password}}}
{{- end }}
{{- with .domains }}
- {name: SEATRIAL_SMTP_DOMAINS, value: {{ join "," . | quote }}}
{{- end }}
{{- end }}
{{- end }}
{{- range $flag, $value := dict "RUNS" $v.quotas.runs "QUEUED" $v.quotas.queued "LOG_BYTES" $v.quotas.logBytes "CLUSTERS" $v.quotas.clusters "API_CALLS" $v.quotas.apiCalls }}
{{- if $value }}
- {name: SEATRIAL_QUOTA_{{ $flag }}, value: {{ int64 $value | quote }}}
{{- end }}
{{- end }}
- {name: SEATRIAL_KEEP_RESULTS, value: {{ int $v.keepResults | quote }}}
{{- with $v.outbound.allow }}
- {name: SEATRIAL_OUTBOUND_ALLOW, value: {{ join "," . | quote }}}
{{- end }}
{{- with $v.outbound.proxy }}
- {name: SEATRIAL_OUTBOUND_PROXY, value: {{ . | quote }}}
{{- end }}
{{- range $name, $value := dict "HTTP_PROXY" $v.proxy.http "HTTPS_PROXY" $v.proxy.https "NO_PROXY" $v.proxy.noProxy }}
{{- if $value }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- end }}
{{- if $v.extraCA.existingConfigMap }}
# Beside the bundle of the image, which is a file.
- {name: SSL_CERT_DIR, value: /etc/seatrial/extra-ca}
{{- end }}
{{- if $v.metrics.enabled }}
- {name: SEATRIAL_METRICS_LISTEN, value: "0.0.0.0:9090"}
{{- end }}
{{- with $v.otlpEndpoint }}
- {name: SEATRIAL_OTLP_ENDPOINT, value: {{ . | quote }}}
{{- end }}
- {name: SEATRIAL_LOG_LEVEL, value: {{ $v.logLevel }}}
- {name: SEATRIAL_LOG_FORMAT, value: {{ $v.logFormat }}}
- {name: SEATRIAL_DRAIN, value: {{ $v.drain | quote }}}
{{- with $v.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}
