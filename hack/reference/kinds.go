package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// definitions is where controller-gen writes the CustomResourceDefinitions.
const definitions = "config/crd/bases/*.yaml"

func kindsPage(context.Context) (string, error) {
	files, err := filepath.Glob(definitions)
	if err != nil {
		return "", err
	}
	var kinds []*apiextensions.CustomResourceDefinition
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		kind := &apiextensions.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict(text, kind); err != nil {
			return "", fmt.Errorf("read %s: %w", file, err)
		}
		kinds = append(kinds, kind)
	}
	slices.SortFunc(kinds, func(a, b *apiextensions.CustomResourceDefinition) int {
		return cmp.Compare(a.Spec.Names.Kind, b.Spec.Names.Kind)
	})
	var b strings.Builder
	b.WriteString("# Kinds\n\nAll kinds are of the group `daymark.io` and cluster-scoped. Where another program has kinds of the same name, " +
		"`kubectl get` needs the full name or the short name. `kubectl explain` shows the same texts.\n")
	for _, kind := range kinds {
		writeKind(&b, kind)
	}
	return b.String(), nil
}

func writeKind(b *strings.Builder, kind *apiextensions.CustomResourceDefinition) {
	for _, version := range kind.Spec.Versions {
		schema := version.Schema.OpenAPIV3Schema
		fmt.Fprintf(b, "\n## %s\n\n%s Version `%s`, full name `%s`, short name `%s`.\n", kind.Spec.Names.Kind, sentence(schema.Description),
			version.Name, kind.Name, strings.Join(kind.Spec.Names.ShortNames, "`, `"))
		for _, part := range []string{"spec", "status"} {
			fields, ok := schema.Properties[part]
			if !ok {
				continue
			}
			var rows, rules [][]string
			collect(part, &fields, &rows, &rules)
			fmt.Fprintf(b, "\n### %s %s\n\n%s", kind.Spec.Names.Kind, part, table([]string{"field", "type", "default", "meaning"}, rows))
			if len(rules) > 0 {
				fmt.Fprintf(b, "\nThe API server refuses an object with these words when it breaks a rule:\n\n%s", table([]string{"field", "words"}, rules))
			}
		}
	}
}

// collect the fields below a field, and the rules for their values.
func collect(path string, schema *apiextensions.JSONSchemaProps, rows, rules *[][]string) {
	for _, rule := range schema.XValidations {
		*rules = append(*rules, []string{code(path), rule.Message})
	}
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		field := schema.Properties[name]
		below := path + "." + name
		if field.Items != nil {
			below += "[]"
		}
		text := strings.TrimSuffix(strings.TrimSpace(field.Description), ".") + "."
		if text == "." {
			text = ""
		}
		if slices.Contains(schema.Required, name) {
			text += " Required."
		}
		*rows = append(*rows, []string{code(path + "." + name), typeOf(&field), code(defaultOf(&field)), text})
		inner := &field
		if field.Items != nil && field.Items.Schema != nil {
			for _, rule := range field.XValidations {
				*rules = append(*rules, []string{code(path + "." + name), rule.Message})
			}
			inner = field.Items.Schema
		}
		if !isWellKnown(name, inner) {
			collect(below, inner, rows, rules)
		}
	}
}

// isWellKnown reports whether the fields below are those of Kubernetes itself: conditions and label selectors.
func isWellKnown(name string, schema *apiextensions.JSONSchemaProps) bool {
	_, selector := schema.Properties["matchExpressions"]
	return selector || name == "conditions"
}

// typeOf a field, with the values it may have.
func typeOf(schema *apiextensions.JSONSchemaProps) string {
	text := schema.Type
	if schema.Items != nil && schema.Items.Schema != nil {
		text = "list of " + typeOf(schema.Items.Schema)
		if schema.MaxItems != nil {
			text += fmt.Sprintf(", %d at most", *schema.MaxItems)
		}
		return text
	}
	if schema.XIntOrString {
		text = "integer or string"
	}
	if schema.Format == "date-time" {
		text = "time"
	}
	if len(schema.Enum) > 0 {
		var values []string
		for _, value := range schema.Enum {
			values = append(values, code(strings.Trim(string(value.Raw), `"`)))
		}
		return strings.Join(values, ", ")
	}
	if schema.Minimum != nil && schema.Maximum != nil {
		text += fmt.Sprintf(", %.0f to %.0f", *schema.Minimum, *schema.Maximum)
	} else if schema.Minimum != nil {
		text += fmt.Sprintf(", at least %.0f", *schema.Minimum)
	}
	return text
}

func defaultOf(schema *apiextensions.JSONSchemaProps) string {
	if schema.Default == nil {
		return ""
	}
	return strings.Trim(string(schema.Default.Raw), `"`)
}
