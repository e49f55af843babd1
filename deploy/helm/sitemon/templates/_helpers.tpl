{{- define "sitemon.name" -}}
{{- if contains "sitemon" .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-sitemon{{ end }}
{{- end }}

{{- define "sitemon.labels" -}}
{{ include "sitemon.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "sitemon.selector" -}}
app.kubernetes.io/name: sitemon
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "sitemon.sites" -}}
{{ .Values.sites.existingConfigMap | default (printf "%s-sites" (include "sitemon.name" .)) }}
{{- end }}

{{/* Who may listen beyond loopback: somebody signs in, or somebody has said that nobody has to. */}}
{{- define "sitemon.access" -}}
{{- if not (or .Values.settings.auth .Values.insecureNoAuth) }}
{{- fail "set settings.auth, so that people sign in, or insecureNoAuth: true, where everybody who reaches the page may read and change everything" }}
{{- end }}
{{- end }}

{{/* The pod of one role: dict "root" $ "role" "monitor" "resources" … "port" … "sites" bool */}}
{{- define "sitemon.pod" -}}
{{- $root := .root }}
metadata:
  annotations:
    checksum/settings: {{ toYaml $root.Values.settings | sha256sum }}
    {{- with $root.Values.podAnnotations }}{{ toYaml . | nindent 4 }}{{ end }}
  labels:
    {{- include "sitemon.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .role }}
    {{- with $root.Values.podLabels }}{{ toYaml . | nindent 4 }}{{ end }}
spec:
  automountServiceAccountToken: false
  enableServiceLinks: false
  # The time that a stop may take, and a little more.
  terminationGracePeriodSeconds: 20
  securityContext:
    {{- toYaml $root.Values.podSecurityContext | nindent 4 }}
  {{- with $root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $root.Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with $root.Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $root.Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $root.Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: sitemon
      image: "{{ $root.Values.image.repository }}:{{ $root.Values.image.tag | default $root.Chart.AppVersion }}"
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      args: [--role={{ .role }}, --config=/etc/sitemon/settings/sitemon.yaml]
      env:
        - name: SITEMON_INSTANCE
          valueFrom: { fieldRef: { fieldPath: metadata.name } }
        - { name: SITEMON_LISTEN, value: "0.0.0.0:8080" }
        - { name: SITEMON_DATA_DIR, value: /data }
        - { name: SITEMON_LOCATION, value: {{ $root.Values.location | quote }} }
        - { name: SITEMON_LOG_LEVEL, value: {{ $root.Values.logLevel | quote }} }
        {{- if .sites }}
        - { name: SITEMON_SITES, value: /etc/sitemon/sites }
        {{- end }}
        {{- if $root.Values.insecureNoAuth }}
        - { name: SITEMON_INSECURE_NO_AUTH, value: "true" }
        {{- end }}
        {{- with $root.Values.env }}{{ toYaml . | nindent 8 }}{{ end }}
      {{- with $root.Values.envFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - { name: http, containerPort: 8080 }
      # A first start may migrate the database, or wait for it.
      startupProbe:
        httpGet: { path: /healthz, port: http }
        periodSeconds: 2
        failureThreshold: 60
      livenessProbe:
        httpGet: { path: /healthz, port: http }
        periodSeconds: 10
        timeoutSeconds: 5
      readinessProbe:
        httpGet: { path: /readyz, port: http }
        periodSeconds: 5
        timeoutSeconds: 5
      resources:
        {{- toYaml .resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: { drop: [ALL] }
      volumeMounts:
        - { name: data, mountPath: /data }
        - { name: settings, mountPath: /etc/sitemon/settings, readOnly: true }
        {{- if .sites }}
        # The folder, not one file of it: a file mounted alone would never change.
        - { name: sites, mountPath: /etc/sitemon/sites, readOnly: true }
        {{- end }}
  volumes:
    - name: settings
      configMap: { name: {{ include "sitemon.name" $root }}-settings }
    {{- if .sites }}
    - name: sites
      configMap: { name: {{ include "sitemon.sites" $root }} }
    {{- end }}
    {{- if not .claim }}
    - name: data
      emptyDir: {}
    {{- end }}
{{- end }}

{{/* The claim of a pod that keeps something. */}}
{{- define "sitemon.claim" -}}
volumeClaimTemplates:
  - metadata:
      name: data
    spec:
      accessModes: [ReadWriteOnce]
      {{- with .Values.persistence.storageClass }}
      storageClassName: {{ . }}
      {{- end }}
      resources:
        requests:
          storage: {{ .Values.persistence.size }}
{{- end }}
