{{/* The volume of an evaluation store, which outlives the release. Takes `root`, `component` and `its`. */}}
{{- define "convex-alerts.dataClaim" -}}
persistentVolumeClaimRetentionPolicy:
  whenDeleted: Retain
  whenScaled: Retain
volumeClaimTemplates:
  - apiVersion: v1
    kind: PersistentVolumeClaim
    metadata:
      name: data
      labels:
        {{- include "convex-alerts.selectorLabels" . | nindent 8 }}
    spec:
      accessModes: [ReadWriteOnce]
      {{- with .its.persistence.storageClass }}
      storageClassName: {{ ternary "" . (eq . "-") | quote }}
      {{- end }}
      resources:
        requests:
          storage: {{ .its.persistence.size }}
{{- end }}
