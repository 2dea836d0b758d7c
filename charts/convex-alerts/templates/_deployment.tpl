{{/*
The Deployment of a service. Takes `root`, `component`, `command`, `sets` (of variables) and `probed`, the port that is
asked whether it lives.
*/}}
{{- define "convex-alerts.deployment" -}}
{{- $root := .root -}}
{{- $component := .component -}}
{{- $its := index $root.Values $component -}}
{{- $context := dict "root" $root "component" $component "its" $its -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "convex-alerts.metadata" $context | nindent 2 }}
spec:
  {{- if not (or $its.autoscaling.enabled ($its.keda).enabled) }}
  replicas: {{ int $its.replicaCount }}
  {{- end }}
  revisionHistoryLimit: {{ int $root.Values.revisionHistoryLimit }}
  strategy:
    {{- toYaml $its.strategy | nindent 4 }}
  selector:
    matchLabels:
      {{- include "convex-alerts.selectorLabels" $context | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "convex-alerts.podLabels" $context | nindent 8 }}
      annotations:
        {{- include "convex-alerts.podAnnotations" (merge (dict "annotations" (dict "kubectl.kubernetes.io/default-container" $component)) $context) | nindent 8 }}
    spec:
      {{- include "convex-alerts.podSpec" (merge (dict "serviceAccount" (include "convex-alerts.serviceAccountName" $context) "grace" $its.terminationGracePeriodSeconds "token" .token) $context) | nindent 6 }}
      {{- include "convex-alerts.topologySpread" $context | trim | nindent 6 }}
      initContainers:
        {{- include "convex-alerts.waitForSchema" $context | nindent 8 }}
        {{- with $its.extraInitContainers }}
        {{- tpl (toYaml .) $root | nindent 8 }}
        {{- end }}
      containers:
        - name: {{ $component }}
          {{- include "convex-alerts.containerBase" $root | nindent 10 }}
          command:
            {{- toYaml .command | nindent 12 }}
          env:
            {{- include "convex-alerts.env" (dict "root" $root "component" $component "sets" .sets "extra" $its.extraEnv) | trim | nindent 12 }}
          {{- with concat ($root.Values.extraEnvFrom | default list) ($its.extraEnvFrom | default list) }}
          envFrom:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          ports:
            {{- if eq $component "gateway" }}
            - name: http
              containerPort: {{ int $its.port }}
              protocol: TCP
            {{- end }}
            - name: metrics
              containerPort: {{ int $root.Values.metrics.port }}
              protocol: TCP
          {{- range $probe, $defaults := dict
            "startupProbe" (dict "path" "/healthz" "periodSeconds" 2 "timeoutSeconds" 2 "failureThreshold" 60)
            "readinessProbe" (dict "path" "/readyz" "periodSeconds" 5 "timeoutSeconds" 3 "failureThreshold" 3)
            "livenessProbe" (dict "path" "/healthz" "periodSeconds" 10 "timeoutSeconds" 5 "failureThreshold" 6) }}
          {{ $probe }}:
            {{- $numbers := omit $defaults "path" }}
            {{- toYaml (mergeOverwrite (dict "httpGet" (dict "path" $defaults.path "port" $.probed)) $numbers (index $its $probe | default dict)) | nindent 12 }}
          {{- end }}
          {{- if $its.preStopSleepSeconds }}
          lifecycle:
            preStop:
              sleep:
                seconds: {{ int $its.preStopSleepSeconds }}
          {{- end }}
          resources:
            {{- toYaml $its.resources | nindent 12 }}
          volumeMounts:
            {{- include "convex-alerts.volumeMounts" $context | nindent 12 }}
        {{- with $its.extraContainers }}
        {{- tpl (toYaml .) $root | nindent 8 }}
        {{- end }}
      volumes:
        {{- include "convex-alerts.volumes" $context | nindent 8 }}
{{- end }}
