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

{{/* How much a quantity is, in cores or bytes. A number of YAML may come with an exponent. */}}
{{- define "daymark.amount" -}}
{{- $unit := regexFind "([KMGTPE]i|[numkMGTPE])$" (toString .) -}}
{{- $units := dict "" 1.0 "n" 1e-9 "u" 1e-6 "m" 0.001 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "E" 1e18 "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 "Pi" 1125899906842624.0 "Ei" 1152921504606846976.0 -}}
{{- mulf (toString . | trimSuffix $unit | float64) (get $units $unit) -}}
{{- end }}
