{{- define "kuma.labels" -}}
app.kubernetes.io/name: kuma
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}
{{- define "kuma.cpSelector" -}}
app: kuma-control-plane
app.kubernetes.io/name: kuma
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- define "kuma.image" -}}
{{ .Values.global.image.registry }}/{{ .name }}:{{ default .Chart.AppVersion .Values.global.image.tag }}
{{- end }}
{{- define "kuma.client" -}}
caBundle: {{ .root.Values.controlPlane.tls.general.caBundle }}
service:
  namespace: {{ .root.Release.Namespace }}
  name: kuma-control-plane
  path: {{ .path }}
{{- end }}
