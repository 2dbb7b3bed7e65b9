{{/* The name of everything in this release. */}}
{{- define "isthmus.name" -}}
{{- if contains "isthmus" .Release.Name }}{{ .Release.Name | trunc 48 | trimSuffix "-" }}{{ else }}{{ printf "%s-isthmus" .Release.Name | trunc 48 | trimSuffix "-" }}{{ end }}
{{- end }}

{{/* What selects the pods of this release; these never change. */}}
{{- define "isthmus.selector" -}}
app.kubernetes.io/name: isthmus
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "isthmus.labels" -}}
{{ include "isthmus.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "isthmus.image" -}}
{{ .Values.image.repository }}{{ if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{/* The site's files as keys of a ConfigMap, which may hold no slash. */}}
{{- define "isthmus.siteData" -}}
{{- $data := dict }}
{{- range $path, $text := .Values.site.files }}
{{- $_ := set $data ($path | replace "/" "__") $text }}
{{- end }}
{{- toYaml $data }}
{{- end }}

{{/* The site as a volume; `configMap` names where the files are. */}}
{{- define "isthmus.siteVolume" -}}
- name: site
  configMap:
    name: {{ .configMap }}
    defaultMode: 0444
    items:
      {{- $own := keys .root.Values.site.files | sortAlpha }}
      {{- $paths := ternary .root.Values.site.existingPaths $own (ne .root.Values.site.existingConfigMap "") }}
      {{- range $paths }}
      - {key: {{ . | replace "/" "__" | quote }}, path: {{ . | quote }}}
      {{- end }}
{{- end }}

{{/* Secrets as files: never in the environment, never in the release. */}}
{{- define "isthmus.secretVolumes" -}}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      {{- range $name, $from := .Values.secrets }}
      {{- if $from.secret }}
      - secret:
          name: {{ $from.secret }}
          items: [{key: {{ $from.key | quote }}, path: {{ $name | quote }}}]
      {{- end }}
      {{- end }}
{{- range $number, $folder := .Values.secretFolders }}
- name: folder-{{ $number }}
  secret: {secretName: {{ $folder.secret }}, defaultMode: 0440}
{{- end }}
- name: tmp
  emptyDir: {sizeLimit: 64Mi}
{{- end }}

{{- define "isthmus.mounts" -}}
- {name: site, mountPath: /site, readOnly: true}
- {name: secrets, mountPath: /run/secrets, readOnly: true}
{{- range $number, $folder := .Values.secretFolders }}
- {name: folder-{{ $number }}, mountPath: {{ $folder.path | quote }}, readOnly: true}
{{- end }}
- {name: tmp, mountPath: /tmp}
{{- end }}

{{/* Nobody in particular, who may do nothing in particular. */}}
{{- define "isthmus.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "isthmus.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* What all pods share, wherever they come from. */}}
{{- define "isthmus.podCommon" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- include "isthmus.podSecurity" . | nindent 2 }}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{- define "isthmus.probe" -}}
httpGet: {path: {{ .path }}, port: http, scheme: {{ .root.Values.httpTls | ternary "HTTPS" "HTTP" }}}
{{- end }}
