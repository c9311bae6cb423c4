package migrate

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"
)

// inlineKey is where the values of MetalLB's chart had the configuration, up to 0.12. Of an umbrella chart it is below other keys.
const inlineKey = "configInline"

// releases are objects that have values of a chart in them, of Flux, Argo CD and k3s.
var releases = map[string][]string{
	"helm.toolkit.fluxcd.io": {"HelmRelease"}, "argoproj.io": {"Application"}, "helm.cattle.io": {"HelmChart", "HelmChartConfig"},
}

// maxValuesDepth is how deep in values a configuration is looked for.
const maxValuesDepth = 16

// configurations of MetalLB in values of a chart, also where these are a text.
func configurations(values any, depth int) (all []map[string]any) {
	switch values := values.(type) {
	case map[string]any:
		if config, is := values[inlineKey].(map[string]any); is && isConfiguration(config) {
			return []map[string]any{config}
		}
		for _, key := range slices.Sorted(maps.Keys(values)) {
			if depth > 0 {
				all = append(all, configurations(values[key], depth-1)...)
			}
		}
	case []any:
		for _, item := range values {
			if depth > 0 {
				all = append(all, configurations(item, depth-1)...)
			}
		}
	case string:
		var below any
		if depth > 0 && strings.Contains(values, inlineKey) && readYAML(values, &below) == nil {
			return configurations(below, depth-1)
		}
	}
	return all
}

// isConfiguration says whether keys are those of the ConfigMap of MetalLB up to 0.12.
func isConfiguration(fields map[string]any) bool {
	return slices.ContainsFunc([]string{"address-pools", "peers"}, func(key string) bool { _, is := fields[key].([]any); return is })
}

// ofValues are ConfigMaps of MetalLB for the configuration in a document that is no object: values of a chart, or what a kustomization
// makes a ConfigMap of.
func ofValues(document any) (all []unstructured.Unstructured) {
	if fields, is := document.(map[string]any); is && fields["address-pools"] != nil && isConfiguration(fields) {
		return configMaps([]map[string]any{fields}, "the configuration of MetalLB")
	}
	return configMaps(configurations(document, maxValuesDepth), inlineKey+" of Helm's values")
}

// ofRelease are the same for an object that installs a chart; nil when it has none of MetalLB's.
func ofRelease(object *unstructured.Unstructured) []unstructured.Unstructured {
	if !slices.Contains(releases[object.GroupVersionKind().Group], object.GetKind()) {
		return nil
	}
	return configMaps(configurations(object.Object["spec"], maxValuesDepth), inlineKey+" of "+describe(object))
}

func configMaps(configs []map[string]any, origin string) (all []unstructured.Unstructured) {
	for _, config := range configs {
		text, err := yaml.Marshal(config)
		if err != nil {
			continue // It was read from YAML or JSON, and is written as such.
		}
		object := unstructured.Unstructured{Object: map[string]any{"data": map[string]any{"config": string(text)}}}
		object.SetAPIVersion("v1")
		object.SetKind("ConfigMap")
		object.SetName("config")
		object.SetAnnotations(map[string]string{originAnnotation: origin})
		all = append(all, object)
	}
	return all
}

// readYAML reads whole numbers as such.
func readYAML(text string, into *any) error {
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		return err
	}
	return utiljson.Unmarshal(raw, into)
}
