{{/*
Whether an object of the Prometheus operator is made: true, false, or `auto`, which asks the cluster whether it knows the
kind. Rendered without a cluster, `auto` is no. Takes the value, the kind, and the root.
*/}}
{{- define "convex-alerts.wanted" -}}
{{- $value := index . 0 | toString -}}
{{- if or (eq $value "true") (and (eq $value "auto") ((index . 2).Capabilities.APIVersions.Has (printf "monitoring.coreos.com/v1/%s" (index . 1)))) -}}true{{- end -}}
{{- end }}
