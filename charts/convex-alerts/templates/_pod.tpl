{{/*
What every pod has beside its containers. Takes `root`, `component`, `its` (the component's values), `serviceAccount`
and optionally `grace`, `token` (whether it talks to the Kubernetes API), `volumes`, `podSecurityContext`.
*/}}
{{- define "convex-alerts.podSpec" -}}
{{- $values := .root.Values -}}
{{- $its := .its -}}
serviceAccountName: {{ .serviceAccount }}
automountServiceAccountToken: {{ .token | default false }}
enableServiceLinks: false
{{- with concat (($values.global).imagePullSecrets | default list) ($values.imagePullSecrets | default list) }}
imagePullSecrets:
  {{- range . }}
  - name: {{ ternary . (.name | default "") (kindIs "string" .) }}
  {{- end }}
{{- end }}
{{- with $its.priorityClassName | default $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $its.runtimeClassName | default $values.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
securityContext:
  {{- toYaml (.podSecurityContext | default $values.podSecurityContext) | nindent 2 }}
{{- with .grace }}
terminationGracePeriodSeconds: {{ int . }}
{{- end }}
{{- with $values.hostAliases }}
hostAliases:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $its.nodeSelector | default $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $its.affinity | default $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $its.tolerations | default $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* A pod's labels: nothing in them changes without a reason to roll the pod. Takes `root`, `component`, `its`, and optionally `labels`. */}}
{{- define "convex-alerts.podLabels" -}}
{{- $own := omit (include "convex-alerts.labels" . | fromYaml) "helm.sh/chart" -}}
{{- if has .component (list "postgresql" "valkey" "cache") }}{{ $own = omit $own "app.kubernetes.io/version" }}{{ end -}}
{{- $users := merge (dict) (.its.podLabels | default dict) (.root.Values.podLabels | default dict) -}}
{{- toYaml (merge (dict) (include "convex-alerts.selectorLabels" . | fromYaml) (.labels | default dict) $users $own) -}}
{{- end }}

{{/* A pod's annotations; a change of the chart's own Secret rolls the pods. Takes `root`, `its` and optionally `annotations`. */}}
{{- define "convex-alerts.podAnnotations" -}}
{{- $secret := include "convex-alerts.ownSecretData" .root -}}
{{- $own := merge (dict) (.annotations | default dict) -}}
{{- if fromYaml $secret -}}{{- $_ := set $own "checksum/secret" ($secret | sha256sum) -}}{{- end -}}
{{- toYaml (merge (dict) (.its.podAnnotations | default dict) (.root.Values.podAnnotations | default dict) $own (.root.Values.commonAnnotations | default dict)) -}}
{{- end }}

{{/* Spread over nodes and zones as far as it goes; a component's own list, or the installation's, comes instead. */}}
{{- define "convex-alerts.topologySpread" -}}
{{- $given := .its.topologySpreadConstraints | default .root.Values.topologySpreadConstraints -}}
{{- if $given }}
topologySpreadConstraints:
  {{- tpl (toYaml $given) .root | nindent 2 }}
{{- else }}
topologySpreadConstraints:
  {{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "convex-alerts.selectorLabels" $ | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end }}
{{- end }}

{{/* The image, and what a container of it may: nothing. */}}
{{- define "convex-alerts.containerBase" -}}
image: {{ include "convex-alerts.image" (dict "root" . "image" .Values.image "tag" .Chart.AppVersion) }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
{{- end }}

{{/* Waits until the schema is as this version needs it; migrations are somebody else's work. Takes `root`, `component`. */}}
{{- define "convex-alerts.waitForSchema" -}}
- name: wait-for-schema
  {{- include "convex-alerts.containerBase" .root | nindent 2 }}
  command: [python, -m, convex_common.postgres.migrate, check, --wait, {{ .root.Values.migration.waitSeconds | quote }}]
  env:
    {{- include "convex-alerts.env" (dict "root" .root "component" .component "sets" (list "database")) | trim | nindent 4 }}
  {{- with .root.Values.extraEnvFrom }}
  envFrom:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  resources:
    {{- toYaml .root.Values.migration.waitResources | nindent 4 }}
  volumeMounts:
    {{- include "convex-alerts.volumeMounts" (dict "root" .root "its" dict) | nindent 4 }}
{{- end }}

{{- define "convex-alerts.volumeMounts" -}}
- name: tmp
  mountPath: /tmp
{{- with concat (.root.Values.extraVolumeMounts | default list) (.its.extraVolumeMounts | default list) }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "convex-alerts.volumes" -}}
- name: tmp
  emptyDir:
    sizeLimit: {{ .its.tmpSize | default "64Mi" }}
{{- with concat (.root.Values.extraVolumes | default list) (.its.extraVolumes | default list) }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The name of a component's ServiceAccount. Takes `root` and `component`. */}}
{{- define "convex-alerts.serviceAccountName" -}}
{{- $its := (index .root.Values (ternary "cronJobs" .component (eq .component "job"))).serviceAccount -}}
{{- if $its.name -}}{{- $its.name -}}
{{- else if $its.create -}}{{- include "convex-alerts.objectName" (dict "root" .root "suffix" .component) -}}
{{- else -}}default{{- end -}}
{{- end }}
