{{/*
A Job that runs once: the migration, the bootstrap. Takes `root`, `component`, `its`, `command`, `sets`, `serviceAccount`
and optionally `hook` (annotations), `waits` (whether it waits for the schema first), `extra` (more variables).

A Job cannot be changed, so its name carries the release's revision, and a hash of what it runs for those who render
without one. A hook is deleted before it is made again, and needs neither.
*/}}
{{- define "convex-alerts.job" -}}
{{- $root := .root -}}
{{- $its := .its -}}
{{- $spec := include "convex-alerts.jobSpec" . -}}
{{- $name := ternary .component (printf "%s-%d-%s" .component (int $root.Release.Revision) ($spec | sha256sum | trunc 6)) (not (empty .hook)) -}}
apiVersion: batch/v1
kind: Job
metadata:
  {{- include "convex-alerts.metadata" (dict "root" $root "component" .component "suffix" $name "annotations" .hook) | nindent 2 }}
spec:
  {{- $spec | nindent 2 }}
{{- end }}

{{- define "convex-alerts.jobSpec" -}}
{{- $root := .root -}}
{{- $its := .its -}}
backoffLimit: {{ int $its.backoffLimit }}
activeDeadlineSeconds: {{ int $its.activeDeadlineSeconds }}
template:
  metadata:
    labels:
      {{- include "convex-alerts.podLabels" . | nindent 6 }}
    {{- with merge (dict) ($its.podAnnotations | default dict) ($root.Values.podAnnotations | default dict) }}
    annotations:
      {{- toYaml . | nindent 6 }}
    {{- end }}
  spec:
    restartPolicy: Never
    {{- include "convex-alerts.podSpec" (merge (dict "grace" 30) .) | nindent 4 }}
    {{- if .waits }}
    initContainers:
      {{- include "convex-alerts.waitForSchema" . | nindent 6 }}
    {{- end }}
    containers:
      - name: {{ .component }}
        {{- include "convex-alerts.containerBase" $root | nindent 8 }}
        command:
          {{- toYaml .command | nindent 10 }}
        env:
          {{- include "convex-alerts.env" (dict "root" $root "component" .component "sets" .sets "extra" (concat (.extra | default list) ($its.extraEnv | default list)) "secretName" .secretName) | trim | nindent 10 }}
        {{- with concat ($root.Values.extraEnvFrom | default list) ($its.extraEnvFrom | default list) }}
        envFrom:
          {{- toYaml . | nindent 10 }}
        {{- end }}
        resources:
          {{- toYaml $its.resources | nindent 10 }}
        volumeMounts:
          {{- include "convex-alerts.volumeMounts" . | nindent 10 }}
    volumes:
      {{- include "convex-alerts.volumes" . | nindent 6 }}
{{- end }}

{{/* `hook` or `job`. */}}
{{- define "convex-alerts.migrationMode" -}}
{{- if eq .Values.migration.mode "auto" -}}{{ ternary "job" "hook" .Values.postgresql.enabled }}{{- else -}}{{ .Values.migration.mode }}{{- end -}}
{{- end }}
