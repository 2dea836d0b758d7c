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
{{- range $item, $cure := $cures -}}
  {{- $found := include "convex-alerts.credential" (dict "root" $root "item" $item) | fromJson -}}
  {{- if and $found.missing (not (and (eq $item "jwtSecret") $values.auth.jwksUrl)) -}}
    {{- fail $cure -}}
  {{- end -}}
{{- end -}}
{{- if and $values.smtp.user (get (include "convex-alerts.credential" (dict "root" $root "item" "smtpPassword") | fromJson) "missing") -}}
  {{- fail "smtp.user is given without its password: name a Secret by smtp.existingSecret with the key `smtp-password`, or give smtp.password" -}}
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
