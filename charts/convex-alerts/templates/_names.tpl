{{/* The chart's name, as label values have it. */}}
{{- define "convex-alerts.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{/* The release's name, with the chart's unless it is in it. */}}
{{- define "convex-alerts.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/*
The name of an object: <fullname>-<suffix>, of 52 characters at most, which is what a CronJob and a StatefulSet may have.
What is cut gets five characters of its hash, so that two long names stay two. Takes `root` and `suffix`.
*/}}
{{- define "convex-alerts.objectName" -}}
{{- $fullname := include "convex-alerts.fullname" .root -}}
{{- $room := int (sub 51 (len .suffix)) -}}
{{- if gt (len $fullname) $room -}}
{{- $fullname = printf "%s-%s" ($fullname | trunc (int (sub $room 6)) | trimSuffix "-") ($fullname | sha256sum | trunc 5) -}}
{{- end -}}
{{- printf "%s-%s" $fullname .suffix -}}
{{- end }}

{{/* What a component is selected by, for ever: these may not change in an upgrade. Takes `root` and `component`. */}}
{{- define "convex-alerts.selectorLabels" -}}
app.kubernetes.io/name: {{ include "convex-alerts.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* All labels of an object. Takes `root` and `component`. */}}
{{- define "convex-alerts.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "convex-alerts.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Values.image.tag | default .root.Chart.AppVersion | trunc 63 | trimAll "-_." | quote }}
app.kubernetes.io/part-of: convex-alerts
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/*
The metadata of an object. Takes `root`, `component`, and optionally `suffix` (the component by default), `annotations`
and `labels`.
*/}}
{{- define "convex-alerts.metadata" -}}
name: {{ include "convex-alerts.objectName" (dict "root" .root "suffix" (.suffix | default .component)) }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "convex-alerts.labels" . | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (dict) (.annotations | default dict) (.root.Values.commonAnnotations | default dict) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* A number as people write it: Helm reads 2592000 as a float, and prints that as 2.592e+06. */}}
{{- define "convex-alerts.number" -}}
{{- if eq (float64 .) (float64 (int64 .)) }}{{ int64 . }}{{ else }}{{ . }}{{ end -}}
{{- end }}

{{/* An image's address. Takes `root`, `image`, and optionally `tag`. */}}
{{- define "convex-alerts.image" -}}
{{- $registry := (.root.Values.global).imageRegistry | default .image.registry -}}
{{- with $registry }}{{ . }}/{{ end -}}
{{- .image.repository -}}
{{- with .image.tag | default .tag }}:{{ . }}{{ end -}}
{{- with .image.digest }}@{{ . }}{{ end -}}
{{- end }}
