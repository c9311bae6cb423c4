package crd

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// narrowed are fields of which the definitions refuse now what never was of use: names that no Secret, node annotation, VRF, interface or
// object can have. An object that has such a name keeps it and can be changed elsewhere, since the API server judges a field, or a list, only
// when it changes.
var narrowed = []string{
	"bgppeers v1beta1.spec.bfdProfile", "bgppeers v1beta1.spec.passwordSecret.key", "bgppeers v1beta1.spec.passwordSecret.name",
	"bgppeers v1beta1.spec.peerFrom.nodeAnnotation", "bgppeers v1beta1.spec.routerIDFrom.nodeAnnotation",
	"bgppeers v1beta1.spec.sourceFrom.nodeAnnotation", "bgppeers v1beta1.spec.vrf",
	"bgpadvertisements v1beta1.spec.ipAddressPools[]", "bgpadvertisements v1beta1.spec.peers[]",
	"ipaddresspools v1beta1.spec.serviceAllocation.namespaces[]",
	"l2advertisements v1beta1.spec.interfaces[]", "l2advertisements v1beta1.spec.ipAddressPools[]",
}

// TestDefinitions_TakeWhatThoseBeforeTook compares the definitions with those of the version before: every object that there may be stays
// readable and can be written. `make previous-definitions` fetches those.
func TestDefinitions_TakeWhatThoseBeforeTook(t *testing.T) {
	files, err := filepath.Glob("testdata/previous/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d definitions, %v", len(files), err)
	}
	found := map[string]bool{}
	for _, file := range files {
		before, now := readDefinition(t, file), readDefinition(t, filepath.Join("bases", filepath.Base(file)))
		for _, problem := range incompatible(before, now) {
			problem = before.Spec.Names.Plural + " " + problem
			path, what, _ := strings.Cut(problem, ": ")
			if slices.Contains(narrowed, path) && (strings.HasPrefix(what, "the pattern ") || strings.Contains(what, " length has become ")) {
				found[path] = true
				continue
			}
			t.Error(problem)
		}
	}
	for _, path := range narrowed {
		if !found[path] {
			t.Errorf("not narrowed: %s", path)
		}
	}
}

func readDefinition(t *testing.T, file string) *apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	definition := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.UnmarshalStrict(text, definition); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return definition
}

// incompatible says what of the definition before the one of now does not take any more.
func incompatible(before, now *apiextensionsv1.CustomResourceDefinition) (problems []string) {
	if before.Spec.Scope != now.Spec.Scope || before.Spec.Names.Plural != now.Spec.Names.Plural || before.Spec.Names.Kind != now.Spec.Names.Kind {
		problems = append(problems, "it has another scope or name")
	}
	for i := range before.Spec.Versions {
		was := &before.Spec.Versions[i]
		at := slices.IndexFunc(now.Spec.Versions, func(v apiextensionsv1.CustomResourceDefinitionVersion) bool { return v.Name == was.Name && v.Served })
		if at < 0 {
			problems = append(problems, "version "+was.Name+" is not served any more")
			continue
		}
		problems = append(problems, narrower(was.Name, was.Schema.OpenAPIV3Schema, now.Spec.Versions[at].Schema.OpenAPIV3Schema)...)
	}
	return problems
}

// narrower says where a schema takes less than the one before, or keeps less of it. Rules in CEL are not compared: objects are not judged
// anew by a rule whose fields do not change.
func narrower(path string, before, now *apiextensionsv1.JSONSchemaProps) (problems []string) {
	say := func(format string, a ...any) { problems = append(problems, path+": "+fmt.Sprintf(format, a...)) }
	if before.Type != now.Type || before.Format != now.Format || before.XIntOrString != now.XIntOrString {
		say("it was %s %s, and is %s %s", before.Type, before.Format, now.Type, now.Format)
	}
	if now.Pattern != before.Pattern && now.Pattern != "" {
		say("the pattern was %q, and is %q", before.Pattern, now.Pattern)
	}
	for name, limit := range map[string][2]*int64{
		"length": {before.MaxLength, now.MaxLength}, "number of items": {before.MaxItems, now.MaxItems}, "number of fields": {before.MaxProperties, now.MaxProperties},
	} {
		if was, is := limit[0], limit[1]; is != nil && (was == nil || *is < *was) {
			say("the largest %s has become smaller", name)
		}
	}
	for name, limit := range map[string][2]*int64{"length": {before.MinLength, now.MinLength}, "number of items": {before.MinItems, now.MinItems}} {
		if was, is := limit[0], limit[1]; is != nil && *is > 0 && (was == nil || *is > *was) {
			say("the least %s has become larger", name)
		}
	}
	if now.Maximum != nil && (before.Maximum == nil || *now.Maximum < *before.Maximum) || now.Minimum != nil && (before.Minimum == nil || *now.Minimum > *before.Minimum) {
		say("fewer numbers are taken")
	}
	for _, value := range before.Enum {
		same := func(v apiextensionsv1.JSON) bool { return string(v.Raw) == string(value.Raw) }
		if len(now.Enum) > 0 && !slices.ContainsFunc(now.Enum, same) {
			say("%s is not taken any more", value.Raw)
		}
	}
	if len(before.Enum) == 0 && len(now.Enum) > 0 {
		say("only some values are taken")
	}
	for _, field := range now.Required {
		if added, is := now.Properties[field]; !slices.Contains(before.Required, field) && is && added.Default == nil {
			say("%s is required now", field)
		}
	}
	for field, was := range before.Properties {
		is, there := now.Properties[field]
		if !there {
			say("%s is dropped", field)
			continue
		}
		problems = append(problems, narrower(path+"."+field, &was, &is)...)
	}
	if before.Items != nil && before.Items.Schema != nil && now.Items != nil && now.Items.Schema != nil {
		problems = append(problems, narrower(path+"[]", before.Items.Schema, now.Items.Schema)...)
	}
	if before.AdditionalProperties != nil && now.AdditionalProperties == nil {
		say("fields of any name are dropped")
	}
	return problems
}

// The comparison sees each way in which a definition can take less.
func TestNarrower_SeesWhatIsNotTakenAnyMore(t *testing.T) {
	schema := func(text string) *apiextensionsv1.JSONSchemaProps {
		s := &apiextensionsv1.JSONSchemaProps{}
		if err := yaml.UnmarshalStrict([]byte(text), s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, test := range []struct {
		name, before, now string
		narrower          bool
	}{
		{"nothing", "{type: string}", "{type: string}", false},
		{"another type", "{type: string}", "{type: integer}", true},
		{"a pattern", "{type: string}", "{type: string, pattern: a}", true},
		{"no pattern any more", "{type: string, pattern: a}", "{type: string}", false},
		{"shorter texts", "{type: string, maxLength: 9}", "{type: string, maxLength: 8}", true},
		{"longer texts", "{type: string, maxLength: 9}", "{type: string, maxLength: 10}", false},
		{"no empty list", "{type: array}", "{type: array, minItems: 1}", true},
		{"smaller numbers", "{type: integer, maximum: 9}", "{type: integer, maximum: 8}", true},
		{"a word less", "{enum: [a, b]}", "{enum: [a]}", true},
		{"a word more", "{enum: [a]}", "{enum: [a, b]}", false},
		{"words only", "{type: string}", "{type: string, enum: [a]}", true},
		{"a new field", "{properties: {a: {}}}", "{properties: {a: {}, b: {}}}", false},
		{"a new field that is required", "{properties: {a: {}}}", "{properties: {a: {}, b: {}}, required: [b]}", true},
		{"a new field that is required and has a default", "{properties: {a: {}}}", "{properties: {b: {default: 1}, a: {}}, required: [b]}", false},
		{"a field less", "{properties: {a: {}}}", "{properties: {}}", true},
		{"a field within", "{properties: {a: {items: {maxLength: 2}}}}", "{properties: {a: {items: {maxLength: 1}}}}", true},
		{"free fields", "{additionalProperties: {type: string}}", "{}", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			if problems := narrower("v1", schema(test.before), schema(test.now)); (len(problems) > 0) != test.narrower {
				t.Errorf("it says %q", problems)
			}
		})
	}
}
