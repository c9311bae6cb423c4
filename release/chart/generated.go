package chart

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// note stands at the head of what is made from a template.
const note = "# Made from config/chart/templates/%s by `make generate`. Edit it there.\n\n"

// folders are those of config that are made from the folders of the same name in the chart's templates.
var folders = []string{"rbac", "controller", "speaker"}

// Generated returns all files that are made from the chart and for it, by their paths. Root is the folder of the repository.
func Generated(root string) (map[string][]byte, error) {
	made := map[string][]byte{}
	manifests, err := Render(filepath.Join(root, "config/chart"), nil)
	if err != nil {
		return nil, err
	}
	for _, f := range manifests {
		if folder, _, _ := strings.Cut(f.Name, "/"); slices.Contains(folders, folder) {
			made["config/"+f.Name] = []byte(fmt.Sprintf(note, f.Name) + f.Text)
		}
	}
	definitions, err := filepath.Glob(filepath.Join(root, "config/crd/bases/*.yaml"))
	if err != nil {
		return nil, err
	}
	specs := map[string]any{}
	for _, file := range definitions {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		made["config/chart/crds/"+filepath.Base(file)] = text
		kind, schema, err := specSchema(text)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		if schema != nil {
			specs[kind] = schema
		}
	}
	const schema = "config/chart/values.schema.json"
	made[schema], err = valuesSchema(filepath.Join(root, schema), specs)
	return made, err
}

// valuesSchema is the schema of the values with the specs of our kinds as they are defined now.
func valuesSchema(file string, specs map[string]any) ([]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var schema map[string]any
	if err := json.Unmarshal(text, &schema); err != nil {
		return nil, fmt.Errorf("read %s: %w", path.Base(file), err)
	}
	all, _ := schema["$defs"].(map[string]any)
	for kind, spec := range specs {
		all[kind] = spec
	}
	// Who misspells one reads which there are. Below the first level the library names another place than that of the mistake.
	properties, _ := schema["properties"].(map[string]any)
	schema["propertyNames"] = map[string]any{"enum": slices.Sorted(maps.Keys(properties))}
	text, err = json.MarshalIndent(schema, "", "  ")
	return append(text, '\n'), err
}

// specSchema returns the kind that a definition defines and the schema of its spec, nil for a kind without one.
func specSchema(definition []byte) (kind string, schema map[string]any, err error) {
	var d apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(definition, &d); err != nil {
		return "", nil, err
	}
	spec, found := d.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
	if !found {
		return d.Spec.Names.Kind, nil, nil
	}
	text, err := json.Marshal(spec)
	if err != nil {
		return "", nil, err
	}
	err = json.Unmarshal(text, &schema)
	tighten(schema)
	return d.Spec.Names.Kind, schema, err
}

// tighten makes a schema of a definition one of JSON that refuses unknown fields, as kubectl does. What only the API server understands
// goes, and so do the descriptions, which docs/reference/kinds.md has.
func tighten(schema map[string]any) {
	for key := range schema {
		if strings.HasPrefix(key, "x-kubernetes-") || key == "description" || key == "format" || key == "default" {
			delete(schema, key)
		}
	}
	if items, ok := schema["items"].(map[string]any); ok {
		tighten(items)
	}
	if values, ok := schema["additionalProperties"].(map[string]any); ok {
		tighten(values)
	}
	properties, ok := schema["properties"].(map[string]any)
	if !ok {
		return
	}
	schema["additionalProperties"] = false
	for _, property := range properties {
		if property, ok := property.(map[string]any); ok {
			tighten(property)
		}
	}
}
