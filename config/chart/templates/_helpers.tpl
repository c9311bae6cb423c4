{{/* The image of a program: (list $ "speaker"). One by an IPv6 address would be a list of YAML without its quotes. */}}
{{- define "daymark.image" -}}
{{- $root := index . 0 }}{{ $image := $root.Values.image }}{{ $program := index $image (index . 1) -}}
{{- $name := printf "%s/%s:%s" ($image.registry | toString | trimSuffix "/") $program.name ($image.tag | default $root.Chart.AppVersion) -}}
{{- with $program.digest }}{{ $name = printf "%s@%s" $name . }}{{ end -}}
{{ ternary (quote $name) $name (hasPrefix "[" $name) }}
{{- end }}

{{/* Labels by which the pods of a component are selected. */}}
{{- define "daymark.selector" -}}
app.kubernetes.io/name: daymark
app.kubernetes.io/component: {{ . }}
{{- end }}

{{/* Flags that both programs have. */}}
{{- define "daymark.flags" -}}
- --load-balancer-class={{ .Values.loadBalancerClass }}
- --serve-classless={{ .Values.serveClassless }}
- --ignore-exclude-label={{ .Values.ignoreExcludeLabel }}
- --withdraw-on-cordon={{ .Values.withdrawOnCordon }}
- --log-level={{ .Values.logLevel }}
- --log-format={{ .Values.logFormat }}
{{- if .Values.monitoring.secure }}
- --metrics-secure=true
{{- end }}
{{- end }}

{{- define "daymark.bind" -}}
{{ if . }}:{{ . }}{{ else }}0{{ end }}
{{- end }}
