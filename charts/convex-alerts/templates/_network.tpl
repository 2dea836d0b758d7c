{{/* The pods of a component, as a peer. Takes `root` and `component`. */}}
{{- define "convex-alerts.peer" -}}
- podSelector:
    matchLabels:
      {{- include "convex-alerts.selectorLabels" . | nindent 6 }}
{{- end }}

{{/* A rule for TCP. Takes `ports` and `to`. */}}
{{- define "convex-alerts.egress" -}}
- ports:
    {{- range .ports }}
    - port: {{ int . }}
      protocol: TCP
    {{- end }}
  {{- with .to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* A rule for a store: the bundled one's pod, or where the user says. Takes `root` and `store`. */}}
{{- define "convex-alerts.storeEgress" -}}
{{- $to := index .store 2 -}}
{{- if index .store 1 -}}{{- $to = include "convex-alerts.peer" (dict "root" .root "component" (index .store 0)) | fromYamlArray -}}{{- end -}}
{{- include "convex-alerts.egress" (dict "ports" (index .store 3) "to" $to) -}}
{{- end }}

{{/* The port of a URL. */}}
{{- define "convex-alerts.portOf" -}}
{{- $host := (urlParse .).host -}}
{{- if regexMatch ":[0-9]+$" $host -}}{{ regexFind "[0-9]+$" $host }}{{- else -}}{{ ternary 443 80 (hasPrefix "https:" .) }}{{- end -}}
{{- end }}
