{{/*
The variables of a container, as a list: what the chart sets for the component, then `config`, then what the user adds.
A name comes once, since server-side apply refuses it twice: the user's wins. Takes `root`, `component`, `sets` (names of
the templates below) and optionally `extra`, a list.
*/}}
{{- define "convex-alerts.env" -}}
{{- $context := . -}}
{{- $variables := dict -}}
{{- range $set := .sets -}}
  {{- $variables = merge (include (printf "convex-alerts.env.%s" $set) $context | fromYaml) $variables -}}
{{- end -}}
{{- range $name, $value := .root.Values.config -}}
  {{- $_ := set $variables $name (dict "value" (ternary (include "convex-alerts.number" $value) ($value | toString) (has (kindOf $value) (list "float64" "int" "int64")))) -}}
{{- end -}}
{{- $extra := concat (.root.Values.extraEnv | default list) (.extra | default list) -}}
{{- $added := list -}}
{{- range $one := $extra -}}
  {{- $variables = omit $variables $one.name -}}
  {{- $kept := list -}}
  {{- range $added -}}{{- if ne .name $one.name -}}{{- $kept = append $kept . -}}{{- end -}}{{- end -}}
  {{- $added = append $kept $one -}}
{{- end -}}
{{- range $name, $value := $variables -}}
{{- if $value }}
- name: {{ $name }}
  {{- if hasKey $value "valueFrom" }}
  {{- toYaml $value | nindent 2 }}
  {{- else }}
  value: {{ $value.value | toString | quote }}
  {{- end }}
{{- end }}
{{- end }}
{{- with $added }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* What every process reads. */}}
{{- define "convex-alerts.env.common" -}}
{{- $values := .root.Values -}}
LOG_LEVEL: {value: {{ $values.logLevel | quote }}}
METRICS_HOST: {value: {{ $values.listenAddress | quote }}}
PROMETHEUS_ENABLED: {value: {{ $values.metrics.enabled | quote }}}
PROMETHEUS_PORT: {value: {{ $values.metrics.port | quote }}}
QUEUE_PREFIX: {value: {{ $values.queue.prefix | quote }}}
{{- include "convex-alerts.variable" (list "DATABASE_URL" (include "convex-alerts.fromSecret" (dict "root" .root "item" "databaseUrl" "secretName" .secretName))) }}
{{- include "convex-alerts.variable" (list "REDIS_URL" (include "convex-alerts.fromSecret" (dict "root" .root "item" "redisUrl"))) }}
{{- include "convex-alerts.variable" (list "CACHE_REDIS_URL" (include "convex-alerts.fromSecret" (dict "root" .root "item" "cacheRedisUrl"))) }}
{{- if $values.tracing.endpoint }}
K8S_POD_NAME: {valueFrom: {fieldRef: {fieldPath: metadata.name}}}
OTEL_EXPORTER_OTLP_ENDPOINT: {value: {{ $values.tracing.endpoint | quote }}}
OTEL_RESOURCE_ATTRIBUTES: {value: {{ include "convex-alerts.resourceAttributes" . | quote }}}
OTEL_TRACES_SAMPLER: {value: {{ $values.tracing.sampler | quote }}}
{{- if ne ($values.tracing.samplerArg | toString) "" }}
OTEL_TRACES_SAMPLER_ARG: {value: {{ $values.tracing.samplerArg | toString | quote }}}
{{- end }}
{{- include "convex-alerts.variable" (list "OTEL_EXPORTER_OTLP_HEADERS" (include "convex-alerts.fromSecret" (dict "root" .root "item" "otlpHeaders"))) }}
{{- end }}
{{- end }}

{{/* A variable with a `valueFrom`, where there is one. Takes its name and the YAML. */}}
{{- define "convex-alerts.variable" -}}
{{- with index . 1 }}
{{ index $ 0 }}:
  {{- . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "convex-alerts.resourceAttributes" -}}
{{- $attributes := dict "k8s.namespace.name" .root.Release.Namespace "k8s.pod.name" "$(K8S_POD_NAME)" "service.instance.id" "$(K8S_POD_NAME)" "service.version" (.root.Values.image.tag | default .root.Chart.AppVersion) -}}
{{- $attributes = merge (dict) (.root.Values.tracing.resourceAttributes | default dict) $attributes -}}
{{- $pairs := list -}}
{{- range $name, $value := $attributes -}}{{- $pairs = append $pairs (printf "%s=%s" $name ($value | toString)) -}}{{- end -}}
{{- join "," $pairs -}}
{{- end }}

{{/* The URL of the role that owns the tables: for migrations, bootstrap, the scheduler and the jobs that need it. */}}
{{- define "convex-alerts.env.owner" -}}
{{- include "convex-alerts.variable" (list "DATABASE_OWNER_URL" (include "convex-alerts.fromSecret" (dict "root" .root "item" "databaseOwnerUrl" "secretName" .secretName))) }}
{{- end }}

{{/* The services' URL alone: for what waits for the schema. */}}
{{- define "convex-alerts.env.database" -}}
{{- include "convex-alerts.variable" (list "DATABASE_URL" (include "convex-alerts.fromSecret" (dict "root" .root "item" "databaseUrl" "secretName" .secretName))) }}
{{- end }}

{{- define "convex-alerts.env.gateway" -}}
{{- $values := .root.Values -}}
{{- $auth := $values.auth -}}
{{- $limits := $values.limits -}}
GATEWAY_HOST: {value: {{ $values.listenAddress | quote }}}
GATEWAY_PORT: {value: {{ $values.gateway.port | quote }}}
FORWARDED_ALLOW_IPS: {value: {{ include "convex-alerts.forwardedAllowIps" .root | quote }}}
JWT_ISSUER: {value: {{ $auth.issuer | quote }}}
JWT_AUDIENCE: {value: {{ $auth.audience | quote }}}
{{- with $auth.jwksUrl }}
JWT_JWKS_URL: {value: {{ . | quote }}}
{{- end }}
{{- with $auth.secretIssuer }}
JWT_SECRET_ISSUER: {value: {{ . | quote }}}
{{- end }}
{{- with $auth.algorithms }}
JWT_ALGORITHMS: {value: {{ join "," . | quote }}}
{{- end }}
SESSION_TTL: {value: {{ include "convex-alerts.number" $auth.sessionTtlSeconds | quote }}}
{{- include "convex-alerts.variable" (list "JWT_SECRET" (include "convex-alerts.fromSecret" (dict "root" .root "item" "jwtSecret"))) }}
{{- include "convex-alerts.variable" (list "ENCRYPTION_KEYS" (include "convex-alerts.fromSecret" (dict "root" .root "item" "encryptionKeys"))) }}
{{- with $auth.oidc }}
{{- if .issuer }}
OIDC_ISSUER: {value: {{ .issuer | quote }}}
OIDC_CLIENT_ID: {value: {{ .clientId | quote }}}
OIDC_SCOPES: {value: {{ join " " .scopes | quote }}}
{{- include "convex-alerts.variable" (list "OIDC_CLIENT_SECRET" (include "convex-alerts.fromSecret" (dict "root" $.root "item" "oidcClientSecret"))) }}
{{- end }}
{{- end }}
{{- with $values.publicUrl }}
PUBLIC_URL: {value: {{ . | quote }}}
{{- end }}
{{- with $values.cors.allowedOrigins }}
CORS_ALLOWED_ORIGINS: {value: {{ join "," . | quote }}}
{{- end }}
{{- with $values.smtp.host }}
SMTP_HOST: {value: {{ . | quote }}}
{{- end }}
{{- with $values.websocket }}
{{- if .allowedOrigins }}
WS_ALLOWED_ORIGINS: {value: {{ join "," .allowedOrigins | quote }}}
{{- end }}
WS_SERVER: {value: {{ .server }}}
WS_HEARTBEAT_INTERVAL: {value: {{ include "convex-alerts.number" .heartbeatIntervalMs | quote }}}
WS_TIMEOUT: {value: {{ include "convex-alerts.number" .timeoutMs | quote }}}
WS_MAX_PER_USER: {value: {{ include "convex-alerts.number" .maxPerUser | quote }}}
WS_MAX_PER_ADDRESS: {value: {{ include "convex-alerts.number" .maxPerAddress | quote }}}
WS_MAX_PER_WORKSPACE: {value: {{ include "convex-alerts.number" .maxPerWorkspace | quote }}}
WS_CONNECT_RATE: {value: {{ include "convex-alerts.number" .connectRate | quote }}}
{{- end }}
{{- with $limits.quotas }}
QUOTA_FRAMEWORKS: {value: {{ include "convex-alerts.number" .frameworks | quote }}}
QUOTA_RULES: {value: {{ include "convex-alerts.number" .rules | quote }}}
QUOTA_CHANNELS: {value: {{ include "convex-alerts.number" .channels | quote }}}
QUOTA_MEMBERS: {value: {{ include "convex-alerts.number" .members | quote }}}
QUOTA_API_KEYS: {value: {{ include "convex-alerts.number" .apiKeys | quote }}}
{{- end }}
{{- with $limits.rates }}
RATE_LIMIT_INGEST_PER_WORKSPACE: {value: {{ include "convex-alerts.number" .ingestPerWorkspace | quote }}}
RATE_LIMIT_INGEST_PER_USER: {value: {{ include "convex-alerts.number" .ingestPerUser | quote }}}
RATE_LIMIT_READS_PER_WORKSPACE: {value: {{ include "convex-alerts.number" .readsPerWorkspace | quote }}}
RATE_LIMIT_READS_PER_USER: {value: {{ include "convex-alerts.number" .readsPerUser | quote }}}
RATE_LIMIT_WRITES_PER_WORKSPACE: {value: {{ include "convex-alerts.number" .writesPerWorkspace | quote }}}
RATE_LIMIT_WRITES_PER_USER: {value: {{ include "convex-alerts.number" .writesPerUser | quote }}}
RATE_LIMIT_BURST_SECONDS: {value: {{ include "convex-alerts.number" .burstSeconds | quote }}}
RATE_LIMIT_SIGN_IN_PER_ADDRESS: {value: {{ include "convex-alerts.number" .signInPerAddress | quote }}}
{{- end }}
{{- end }}

{{/*
Whose X-Forwarded-For the gateway believes. Behind an ingress it is the controller's pod or node, whose address is a
private one; without, nobody's.
*/}}
{{- define "convex-alerts.forwardedAllowIps" -}}
{{- if .Values.gateway.forwardedAllowIps -}}
{{- join "," .Values.gateway.forwardedAllowIps -}}
{{- else if or .Values.ingress.enabled .Values.httpRoute.enabled -}}
127.0.0.1,10.0.0.0/8,100.64.0.0/10,172.16.0.0/12,192.168.0.0/16,fc00::/7
{{- else -}}
127.0.0.1
{{- end -}}
{{- end }}

{{- define "convex-alerts.env.processor" -}}
{{- with .root.Values.processor -}}
PROCESSOR_THREADS: {value: {{ include "convex-alerts.number" .threads | quote }}}
PROCESSOR_DRAINERS: {value: {{ include "convex-alerts.number" .drainers | quote }}}
PROCESSOR_BATCH: {value: {{ include "convex-alerts.number" .batch | quote }}}
PROCESSOR_LEASE_SECONDS: {value: {{ include "convex-alerts.number" .leaseSeconds | quote }}}
{{- end }}
{{- end }}

{{- define "convex-alerts.env.notifier" -}}
{{- $values := .root.Values -}}
{{- with $values.notifier -}}
NOTIFIER_THREADS: {value: {{ include "convex-alerts.number" .threads | quote }}}
NOTIFIER_PER_TARGET: {value: {{ include "convex-alerts.number" .perTarget | quote }}}
NOTIFIER_LEASE_SECONDS: {value: {{ include "convex-alerts.number" .leaseSeconds | quote }}}
NOTIFIER_ATTEMPT_SECONDS: {value: {{ include "convex-alerts.number" .attemptSeconds | quote }}}
NOTIFIER_BACKOFF_SECONDS: {value: {{ include "convex-alerts.number" .backoffSeconds | quote }}}
NOTIFIER_BREAKER_SECONDS: {value: {{ include "convex-alerts.number" .breakerSeconds | quote }}}
{{- with .egressAllow }}
EGRESS_ALLOW: {value: {{ join "," . | quote }}}
{{- end }}
{{- end }}
{{- include "convex-alerts.variable" (list "ENCRYPTION_KEYS" (include "convex-alerts.fromSecret" (dict "root" .root "item" "encryptionKeys"))) }}
{{- with $values.publicUrl }}
PUBLIC_URL: {value: {{ . | quote }}}
{{- end }}
{{- with $values.smtp }}
{{- if .host }}
SMTP_HOST: {value: {{ .host | quote }}}
SMTP_TLS: {value: {{ .tls | quote }}}
SMTP_FROM: {value: {{ .from | quote }}}
{{- with .port }}
SMTP_PORT: {value: {{ include "convex-alerts.number" . | quote }}}
{{- end }}
{{- if .user }}
SMTP_USER: {value: {{ .user | quote }}}
{{- include "convex-alerts.variable" (list "SMTP_PASSWORD" (include "convex-alerts.fromSecret" (dict "root" $.root "item" "smtpPassword"))) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "convex-alerts.env.analytics" -}}
{{- with .root.Values.analytics -}}
ANALYTICS_THREADS: {value: {{ include "convex-alerts.number" .threads | quote }}}
ANALYTICS_LEASE_SECONDS: {value: {{ include "convex-alerts.number" .leaseSeconds | quote }}}
{{- end }}
{{- end }}

{{/* What the scheduler's jobs read, in a CronJob as in `serve`. */}}
{{- define "convex-alerts.env.timetable" -}}
{{- with .root.Values -}}
QUEUE_CLEANUP: {value: {{ .queue.cleanup | quote }}}
RETENTION_OBSERVATIONS_DAYS: {value: {{ include "convex-alerts.number" .retention.observationsDays | quote }}}
RETENTION_LOG_DAYS: {value: {{ include "convex-alerts.number" .retention.logDays | quote }}}
RETENTION_ALERTS_DAYS: {value: {{ include "convex-alerts.number" .retention.alertsDays | quote }}}
RETENTION_STATISTICS_DAYS: {value: {{ include "convex-alerts.number" .retention.statisticsDays | quote }}}
{{- end }}
{{- end }}

{{- define "convex-alerts.env.scheduler" -}}
{{- with .root.Values -}}
SCHEDULER_LOOP: {value: {{ not .cronJobs.enabled | quote }}}
SCHEDULER_LEASE_SECONDS: {value: {{ include "convex-alerts.number" .scheduler.leaseSeconds | quote }}}
{{- if include "convex-alerts.schedulerReachesKubernetes" $.root }}
KUBERNETES_JOBS: {value: "true"}
KUBERNETES_NAMESPACE: {valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
KUBERNETES_SELECTOR: {value: "app.kubernetes.io/instance={{ $.root.Release.Name }},app.kubernetes.io/component=job"}
{{- end }}
{{- if .scheduler.selfAudit.enabled }}
SELF_AUDIT_URL: {value: {{ printf "http://%s:%d" (include "convex-alerts.objectName" (dict "root" $.root "suffix" "gateway")) (int .gateway.port) | quote }}}
SELF_AUDIT_SECONDS: {value: {{ include "convex-alerts.number" .scheduler.selfAudit.intervalSeconds | quote }}}
SELF_AUDIT_DEADLINE_SECONDS: {value: {{ include "convex-alerts.number" .scheduler.selfAudit.deadlineSeconds | quote }}}
{{- include "convex-alerts.variable" (list "DEADMAN_URL" (include "convex-alerts.fromSecret" (dict "root" $.root "item" "deadmanUrl"))) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Whether the scheduler lists, starts and suspends CronJobs: there are some, and it may. */}}
{{- define "convex-alerts.schedulerReachesKubernetes" -}}
{{- if and .Values.cronJobs.enabled .Values.scheduler.kubernetes.enabled -}}true{{- end -}}
{{- end }}

{{/* The first API key, where one was chosen: the command makes that one, and prints none. */}}
{{- define "convex-alerts.env.bootstrap" -}}
{{- include "convex-alerts.variable" (list "BOOTSTRAP_API_KEY" (include "convex-alerts.fromSecret" (dict "root" .root "item" "bootstrapKey"))) }}
{{- end }}
