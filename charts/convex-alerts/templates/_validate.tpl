{{/* What only holds between several values, each with its cure. The schema has the rest. */}}
{{- define "convex-alerts.validate" -}}
{{- $root := . -}}
{{- $values := .Values -}}
{{- $database := or $values.database.existingSecret $values.database.url $values.database.ownerUrl -}}
{{- $redis := or $values.redis.existingSecret $values.redis.url -}}
{{- if and $values.postgresql.enabled $database -}}
  {{- fail "postgresql.enabled and database.existingSecret (or database.url) exclude each other: for a database of your own, set postgresql.enabled=false" -}}
{{- end -}}
{{- if and $values.valkey.enabled $redis -}}
  {{- fail "valkey.enabled and redis.existingSecret (or redis.url) exclude each other: for a Redis of your own, set valkey.enabled=false" -}}
{{- end -}}
{{- $cures := dict
  "databaseUrl" "database.existingSecret (or database.url) is missing: name a Secret with the key `database-url`, postgresql://SERVICE_ROLE:PASSWORD@HOST:5432/NAME; or set postgresql.enabled=true to evaluate"
  "databaseOwnerUrl" "database.existingSecret (or database.ownerUrl) is missing: the migrations need the URL of the role that owns the tables, postgresql://OWNER:PASSWORD@HOST:5432/NAME, in the Secret's key `database-owner-url`"
  "redisUrl" "redis.existingSecret (or redis.url) is missing: name a Secret with the key `redis-url`, redis://:PASSWORD@HOST:6379/0; or set valkey.enabled=true to evaluate"
  "jwtSecret" "auth.existingSecret (or auth.jwtSecret) is missing: name a Secret with the key `jwt-secret`, e.g. from `openssl rand -hex 32`; or give auth.jwksUrl"
  "encryptionKeys" "encryption.existingSecret (or encryption.keys) is missing: name a Secret with the key `encryption-keys`, a Fernet key, e.g. from `openssl rand -base64 32 | tr '+/' '-_'`; keep a copy, without it channels' secrets are lost"
-}}
{{- range $item := list "databaseUrl" "databaseOwnerUrl" "redisUrl" "jwtSecret" "encryptionKeys" -}}
  {{- $cure := get $cures $item -}}
  {{- $found := include "convex-alerts.credential" (dict "root" $root "item" $item) | fromJson -}}
  {{- if and $found.missing (not (and (eq $item "jwtSecret") $values.auth.jwksUrl)) -}}
    {{- fail $cure -}}
  {{- end -}}
{{- end -}}
{{- with $values.auth.jwtSecret -}}
  {{- if lt (len .) 32 }}{{ fail "auth.jwtSecret is too short: give 32 bytes or more, e.g. from `openssl rand -hex 32`" }}{{ end -}}
{{- end -}}
{{- range $key := splitList "," $values.encryption.keys -}}
  {{- if and $values.encryption.keys (not (regexMatch "^[A-Za-z0-9_-]{43}=$" (trim $key))) -}}
    {{- fail "encryption.keys holds something else than Fernet keys: give 32 random bytes each in URL-safe base64, e.g. from `openssl rand -base64 32 | tr '+/' '-_'`, comma-separated, the newest first" -}}
  {{- end -}}
{{- end -}}
{{- with $values.bootstrap.apiKey -}}
  {{- if not (regexMatch "^cvx_[0-9A-Za-z]{8}_[0-9A-Za-z]{43}$" .) }}{{ fail "bootstrap.apiKey is not cvx_, 8 letters or digits, _, and 43 letters or digits; e.g. `echo \"cvx_$(openssl rand -hex 4)_$(openssl rand -hex 22 | cut -c 2-)\"`" }}{{ end -}}
{{- end -}}
{{- if and $values.database.url (not (regexMatch "^postgres(ql)?([+]psycopg)?://" $values.database.url)) }}{{ fail "database.url does not start with postgresql://" }}{{ end -}}
{{- if and $values.database.ownerUrl (not (regexMatch "^postgres(ql)?([+]psycopg)?://" $values.database.ownerUrl)) }}{{ fail "database.ownerUrl does not start with postgresql://" }}{{ end -}}
{{- if and $values.redis.url (not (regexMatch "^(rediss?|unix)://" $values.redis.url)) }}{{ fail "redis.url does not start with redis:// or rediss://" }}{{ end -}}
{{- if and $values.redis.cacheUrl (not (regexMatch "^(rediss?|unix)://" $values.redis.cacheUrl)) }}{{ fail "redis.cacheUrl does not start with redis:// or rediss://" }}{{ end -}}
{{- if and (eq $values.keda.trigger "prometheus") (not $values.keda.prometheus.serverAddress) (or $values.processor.keda.enabled $values.notifier.keda.enabled $values.analytics.keda.enabled) -}}
  {{- fail "keda.prometheus.serverAddress is missing: give http://PROMETHEUS:9090, or set keda.trigger=postgresql" -}}
{{- end -}}
{{- if and $values.httpRoute.enabled (not $values.httpRoute.parentRefs) -}}
  {{- fail "httpRoute.parentRefs is missing: name the Gateway that the route belongs to" -}}
{{- end -}}
{{- if and (eq $values.migration.mode "hook") $values.postgresql.enabled -}}
  {{- fail "migration.mode=hook cannot work with postgresql.enabled: the hook runs before the database is made; leave it at auto" -}}
{{- end -}}
{{- if le (int $values.websocket.timeoutMs) (int $values.websocket.heartbeatIntervalMs) -}}
  {{- fail "websocket.timeoutMs must be longer than websocket.heartbeatIntervalMs; give twice the interval, e.g. 60000" -}}
{{- end -}}
{{- if gt (mulf $values.notifier.attemptSeconds 2.0) (float64 $values.notifier.leaseSeconds) -}}
  {{- fail "notifier.attemptSeconds is longer than half of notifier.leaseSeconds: an attempt must end well within its lease; give 15 and 30" -}}
{{- end -}}
{{- if and $values.smtp.user (get (include "convex-alerts.credential" (dict "root" $root "item" "smtpPassword") | fromJson) "missing") -}}
  {{- fail "smtp.user is given without its password: name a Secret by smtp.existingSecret with the key `smtp-password`, or give smtp.password" -}}
{{- end -}}
{{- if eq (int $values.gateway.port) (int $values.metrics.port) -}}
  {{- fail "gateway.port and metrics.port are the same: the gateway listens on both; give two" -}}
{{- end -}}
{{- if and $values.smtp.host (not $values.smtp.from) -}}
  {{- fail "smtp.from is missing: with smtp.host, give the sender's address, e.g. alerts@example.com" -}}
{{- end -}}
{{- if and $values.auth.oidc.issuer (not $values.auth.oidc.clientId) -}}
  {{- fail "auth.oidc.clientId is missing: give the id that auth.oidc.issuer knows this installation by" -}}
{{- end -}}
{{- if and $values.auth.oidc.issuer (not $values.publicUrl) -}}
  {{- fail "publicUrl is missing: auth.oidc.issuer sends people back to it; give https://HOST" -}}
{{- end -}}
{{- range $component := list "gateway" "processor" "notifier" "analytics" "scheduler" -}}
  {{- $its := index $values $component -}}
  {{- if and $its.autoscaling.enabled ($its.keda).enabled -}}
    {{- fail (printf "%s.autoscaling.enabled and %s.keda.enabled exclude each other: two autoscalers would fight over one Deployment; choose one" $component $component) -}}
  {{- end -}}
  {{- if and $its.autoscaling.enabled (eq (int $its.autoscaling.targetCPUUtilizationPercentage) 0) (not $its.autoscaling.metrics) -}}
    {{- fail (printf "%s.autoscaling.metrics is empty and targetCPUUtilizationPercentage is 0: give one of them" $component) -}}
  {{- end -}}
  {{- if and $its.autoscaling.enabled (gt (int $its.autoscaling.minReplicas) (int $its.autoscaling.maxReplicas)) -}}
    {{- fail (printf "%s.autoscaling.minReplicas is greater than %s.autoscaling.maxReplicas" $component $component) -}}
  {{- end -}}
  {{- if and ($its.keda).enabled (gt (int $its.keda.minReplicas) (int $its.keda.maxReplicas)) -}}
    {{- fail (printf "%s.keda.minReplicas is greater than %s.keda.maxReplicas" $component $component) -}}
  {{- end -}}
{{- end -}}
{{- $needed := add $values.notifier.attemptSeconds 15 -}}
{{- if lt (int $values.notifier.terminationGracePeriodSeconds) (int $needed) -}}
  {{- fail (printf "notifier.terminationGracePeriodSeconds is shorter than an attempt (notifier.attemptSeconds) and its saving: give %d or more" (int $needed)) -}}
{{- end -}}
{{- $needed = add $values.gateway.preStopSleepSeconds 15 -}}
{{- if lt (int $values.gateway.terminationGracePeriodSeconds) (int $needed) -}}
  {{- fail (printf "gateway.terminationGracePeriodSeconds is shorter than gateway.preStopSleepSeconds and the requests' 15 s: give %d or more" (int $needed)) -}}
{{- end -}}
{{- end }}
