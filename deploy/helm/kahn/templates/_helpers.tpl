{{- define "kahn.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains .Chart.Name .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "kahn.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "kahn.labels" -}}
{{ include "kahn.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- /* The server would not start with it, so the release does not, either. */ -}}
{{- define "kahn.checkAccess" -}}
{{- $access := .Values.config.access | default dict }}
{{- $tls := .Values.config.tls | default dict }}
{{- $known := or $access.tokens $access.htpasswd $access.issuers $tls.clientAuthorities $access.rules }}
{{- if not (or $known $access.insecure (eq (toString $access.anonymous) "read")) }}
{{- fail "Whoever reaches the service could write anything: set config.access.tokens (`kahn serve-token NAME` makes one), htpasswd or issuers; or config.access.insecure on a network that you trust wholly." }}
{{- end }}
{{- end }}

{{- /* A probe of a path; of the port alone where only clients with a certificate may speak. */ -}}
{{- define "kahn.probe" -}}
{{- $tls := .root.Values.config.tls | default dict }}
{{- if eq (toString $tls.clientCertificate) "require" -}}
tcpSocket: { port: kahn }
{{- else -}}
httpGet: { path: {{ .path }}, port: kahn, scheme: {{ ternary "HTTPS" "HTTP" (not (empty $tls)) }} }
{{- end }}
{{- end }}
