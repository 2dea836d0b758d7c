{{/*
Every secret of the installation: where it is, or what it is. A Secret that exists comes before a value; a value before
the Secret for everything; and only with the evaluation's stores is the rest generated.

Gives JSON {name, key, value, generate, missing}: `name` and `key` say which key of which Secret, `value` what to write
there where that is the chart's own. Takes `root` and `item`.
*/}}
{{- define "convex-alerts.credential" -}}
{{- $values := .root.Values -}}
{{- $own := include "convex-alerts.fullname" .root -}}
{{- $bundledDatabase := $values.postgresql.enabled -}}
{{- $bundledRedis := $values.valkey.enabled -}}
{{- $items := dict
  "databaseUrl" (dict "in" $values.database "key" $values.database.secretKeys.url "value" $values.database.url)
  "databaseOwnerUrl" (dict "in" $values.database "key" $values.database.secretKeys.ownerUrl "value" $values.database.ownerUrl)
  "redisUrl" (dict "in" $values.redis "key" $values.redis.secretKeys.url "value" $values.redis.url)
  "cacheRedisUrl" (dict "in" $values.redis "key" $values.redis.secretKeys.cacheUrl "value" $values.redis.cacheUrl "optional" true)
  "jwtSecret" (dict "in" $values.auth "key" $values.auth.secretKeys.jwtSecret "value" $values.auth.jwtSecret "generate" "text64" "optional" (not (empty $values.auth.jwksUrl)))
  "encryptionKeys" (dict "in" $values.encryption "key" $values.encryption.secretKeys.keys "value" $values.encryption.keys "generate" "fernet")
  "oidcClientSecret" (dict "in" $values.auth.oidc "key" $values.auth.oidc.secretKeys.clientSecret "value" $values.auth.oidc.clientSecret "optional" true)
  "smtpPassword" (dict "in" $values.smtp "key" $values.smtp.secretKeys.password "value" $values.smtp.password)
  "otlpHeaders" (dict "in" $values.tracing "key" $values.tracing.secretKeys.headers "value" $values.tracing.headers "optional" true)
  "deadmanUrl" (dict "in" $values.deadman "key" $values.deadman.secretKeys.url "value" $values.deadman.url "optional" true)
  "bootstrapKey" (dict "in" $values.bootstrap "key" $values.bootstrap.secretKeys.apiKey "value" $values.bootstrap.apiKey "generate" "apikey" "optional" true)
  "postgresOwner" (dict "in" dict "key" "postgresql-owner-password" "value" $values.postgresql.auth.ownerPassword "generate" "text32")
  "postgresService" (dict "in" dict "key" "postgresql-service-password" "value" $values.postgresql.auth.servicePassword "generate" "text32")
  "valkeyPassword" (dict "in" dict "key" "valkey-password" "value" $values.valkey.auth.password "generate" "text32")
-}}
{{- $item := get $items .item -}}
{{- $found := dict "name" $own "key" $item.key "value" "" "optional" false -}}
{{- if $item.in.existingSecret -}}
  {{- $_ := set $found "name" (tpl $item.in.existingSecret .root) -}}
  {{- $_ := set $found "optional" (or (eq .item "cacheRedisUrl") (and (eq .item "jwtSecret") $item.optional)) -}}
{{- else if $item.value -}}
  {{- $_ := set $found "value" $item.value -}}
{{- else if and $bundledDatabase (has .item (list "databaseUrl" "databaseOwnerUrl")) -}}
  {{- $user := ternary $values.postgresql.auth.owner $values.postgresql.auth.service (eq .item "databaseOwnerUrl") -}}
  {{- $password := get (include "convex-alerts.credential" (dict "root" .root "item" (ternary "postgresOwner" "postgresService" (eq .item "databaseOwnerUrl"))) | fromJson) "value" -}}
  {{- $host := printf "%s.%s.svc" (include "convex-alerts.objectName" (dict "root" .root "suffix" "postgresql")) .root.Release.Namespace -}}
  {{- $_ := set $found "value" (printf "postgresql://%s:%s@%s:5432/%s" $user ($password | urlquery | replace "+" "%20") $host $values.postgresql.auth.database) -}}
{{- else if and $bundledRedis (has .item (list "redisUrl" "cacheRedisUrl")) -}}
  {{- $store := ternary "valkey" "cache" (eq .item "redisUrl") -}}
  {{- $password := get (include "convex-alerts.credential" (dict "root" .root "item" "valkeyPassword") | fromJson) "value" -}}
  {{- $host := printf "%s.%s.svc" (include "convex-alerts.objectName" (dict "root" .root "suffix" $store)) .root.Release.Namespace -}}
  {{- $_ := set $found "value" (printf "redis://:%s@%s:6379/0" ($password | urlquery | replace "+" "%20") $host) -}}
{{- else if and $values.existingSecret (hasKey $item.in "secretKeys") -}}
  {{- $_ := set $found "name" (tpl $values.existingSecret .root) -}}
  {{- $_ := set $found "optional" ($item.optional | default false) -}}
{{- else if and $item.generate $bundledDatabase (not $item.optional) -}}
  {{- $_ := set $found "value" (include "convex-alerts.generated" (dict "root" .root "key" $item.key "kind" $item.generate)) -}}
{{- else if and (eq .item "bootstrapKey") $bundledDatabase -}}
  {{- $_ := set $found "value" (include "convex-alerts.generated" (dict "root" .root "key" $item.key "kind" $item.generate)) -}}
{{- else if and (eq .item "valkeyPassword") $bundledRedis -}}
  {{- $_ := set $found "value" (include "convex-alerts.generated" (dict "root" .root "key" $item.key "kind" $item.generate)) -}}
{{- else -}}
  {{- $_ := set $found "missing" true -}}
{{- end -}}
{{- toJson $found -}}
{{- end }}

{{/*
A secret that nobody gave: what the chart's Secret has already, or a new one, the same wherever this rendering needs it.
Takes `root`, `key` and `kind`.
*/}}
{{- define "convex-alerts.generated" -}}
{{- if not (hasKey .root.Values "generated__") -}}
  {{- $kept := lookup "v1" "Secret" .root.Release.Namespace (include "convex-alerts.fullname" .root) -}}
  {{- $_ := set .root.Values "generated__" (dict "kept" (($kept).data | default dict) "made" dict) -}}
{{- end -}}
{{- $memory := index .root.Values "generated__" -}}
{{- if hasKey $memory.kept .key -}}
  {{- get $memory.kept .key | b64dec -}}
{{- else -}}
  {{- if not (hasKey $memory.made .key) -}}
    {{- $made := "" -}}
    {{- if eq .kind "fernet" -}}{{- $made = randBytes 32 | replace "+" "-" | replace "/" "_" -}}
    {{- else if eq .kind "apikey" -}}{{- $made = printf "cvx_%s_%s" (randAlphaNum 8) (randAlphaNum 43) -}}
    {{- else if eq .kind "text64" -}}{{- $made = randAlphaNum 64 -}}
    {{- else -}}{{- $made = randAlphaNum 32 -}}{{- end -}}
    {{- $_ := set $memory.made .key $made -}}
  {{- end -}}
  {{- get $memory.made .key -}}
{{- end -}}
{{- end }}

{{/*
`valueFrom` of a variable; nothing where nobody gave the secret. Takes `root`, `item`, and optionally `secretName`, which
stands in for the chart's own Secret.
*/}}
{{- define "convex-alerts.fromSecret" -}}
{{- $found := include "convex-alerts.credential" . | fromJson -}}
{{- if not $found.missing -}}
valueFrom:
  secretKeyRef:
    name: {{ ternary .secretName $found.name (and (not (empty .secretName)) (not (empty $found.value))) }}
    key: {{ $found.key }}
    {{- if $found.optional }}
    optional: true
    {{- end }}
{{- end -}}
{{- end }}

{{/* What the chart's own Secret holds, as a map. */}}
{{- define "convex-alerts.ownSecretData" -}}
{{- $data := dict -}}
{{- $root := . -}}
{{- $items := list "databaseUrl" "databaseOwnerUrl" "redisUrl" "cacheRedisUrl" "jwtSecret" "encryptionKeys" "oidcClientSecret" "smtpPassword" "otlpHeaders" "deadmanUrl" "bootstrapKey" -}}
{{- if .Values.postgresql.enabled }}{{ $items = concat $items (list "postgresOwner" "postgresService") }}{{ end -}}
{{- if .Values.valkey.enabled }}{{ $items = append $items "valkeyPassword" }}{{ end -}}
{{- range $item := $items -}}
  {{- $found := include "convex-alerts.credential" (dict "root" $root "item" $item) | fromJson -}}
  {{- if and (not $found.missing) $found.value -}}
    {{- $_ := set $data $found.key $found.value -}}
  {{- end -}}
{{- end -}}
{{- if .Values.valkey.enabled -}}
  {{- $_ := set $data "valkey-auth.conf" (printf "requirepass %s\n" (get $data "valkey-password")) -}}
{{- end -}}
{{- toYaml $data -}}
{{- end }}
