package e2e_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/internal/core/status"
)

// Promise: what the documentation says to apply, a real API server takes, to the last field.

// addressPages say how addresses are given. Each has YAML.
var addressPages = []string{
	"docs/pools.md", "docs/requesting-addresses.md", "docs/sharing-addresses.md", "docs/reserving-addresses.md", "docs/when-pools-change.md",
}

// manifest is one object as a page has it.
type manifest struct {
	// at is file:line where it begins.
	at, text string
}

func TestDocs_ExamplesAreAccepted(t *testing.T) {
	pages := readPages(t)
	api, kinds := plainAPI(t)
	t.Run("every YAML block is taken", func(t *testing.T) { yamlIsTaken(t, api, pages) })
	t.Run("a YAML block with a mistake is not", func(t *testing.T) { mistakesAreFound(t, api) })
	t.Run("the tables name every field", func(t *testing.T) { everyFieldIsNamed(t, kinds, pages) })
	t.Run("the table names every reason", func(t *testing.T) { everyReasonIsNamed(t, pages) })
}

func yamlIsTaken(t *testing.T, api client.Client, pages map[string]string) {
	for _, page := range slices.Sorted(maps.Keys(pages)) {
		manifests := manifestsIn(page, pages[page])
		if len(manifests) == 0 && slices.Contains(addressPages, page) {
			t.Errorf("%s: there is no YAML in it", page)
		}
		for _, m := range manifests {
			if err := m.tryOut(t, api); err != nil {
				t.Errorf("%s: %v", m.at, err)
			}
		}
	}
}

// mistakesAreFound sees the test above fail: each of these pages has one mistake, and it is found where it is.
func mistakesAreFound(t *testing.T, api client.Client) {
	const pool = "apiVersion: daymark.io/v1beta1\nkind: IPAddressPool\nmetadata: {name: a}\n"
	for _, test := range []struct{ name, yaml, says string }{
		{"an unknown field", pool + "spec: {addresses: [192.0.2.0/28], autoAsign: false}", "autoAsign"},
		{"an unknown field further down", pool + "spec: {addresses: [192.0.2.0/28], serviceAllocation: {namespace: red}}", "namespace"},
		{"an unknown field of a kind of Kubernetes", "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 80}], sharedIP: x}", "sharedIP"},
		{"a field given twice", pool + "spec:\n  addresses: [192.0.2.0/28]\n  drain: true\n  drain: false", "drain"},
		{"a value that is not valid", pool + "spec: {addresses: [192.0.2.0-2001:db8::]}", "same family"},
		{"an unknown kind", strings.Replace(pool, "IPAddressPool", "IPPool", 1), "IPPool"},
		{"half an object", "kind: IPAddressPool", "whole object"},
		{"no YAML at all", "kind: {", "yaml"},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := "# A page\n\n```yaml\napiVersion: v1\nkind: Namespace\nmetadata: {name: red}\n---\n" + test.yaml + "\n```\n"
			manifests := manifestsIn("page.md", text)
			if len(manifests) != 2 || manifests[0].at != "page.md:4" || manifests[1].at != "page.md:8" {
				t.Fatalf("found %v", manifests)
			}
			if err := manifests[0].tryOut(t, api); err != nil {
				t.Errorf("what is right is refused: %v", err)
			}
			if err := manifests[1].tryOut(t, api); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("it says %v, want words on %q", err, test.says)
			}
		})
	}
}

// everyFieldIsNamed compares the tables of fields with the schema: no field is missing in either.
func everyFieldIsNamed(t *testing.T, kinds map[string]apiextensionsv1.JSONSchemaProps, pages map[string]string) {
	for page, kind := range map[string]string{
		"docs/pools.md": "IPAddressPool", "docs/reserving-addresses.md": "IPReservation",
		"docs/bgp.md": "BGPPeer", "docs/bfd.md": "BFDProfile",
	} {
		named := firstColumn(pages[page], "field")
		spec := kinds[kind].Properties["spec"]
		for _, path := range named {
			if !hasField(spec, strings.Split(path, ".")) {
				t.Errorf("%s: field %s is not in the schema of %s", page, path, kind)
			}
		}
		for _, path := range missingFields(spec, "", named) {
			t.Errorf("%s: field %s of %s is not in the table", page, path, kind)
		}
	}
}

// everyReasonIsNamed compares the table of reasons why a Service waits with those that the controller gives.
func everyReasonIsNamed(t *testing.T, pages map[string]string) {
	const page = "docs/requesting-addresses.md"
	var given []string
	for _, c := range status.Conditions() {
		if c.Kind == "Service" && c.Type == v1beta1.ConditionAddressAssigned {
			for _, r := range c.Reasons {
				given = append(given, r.Name)
			}
		}
	}
	named := firstColumn(pages[page], "reason")
	slices.Sort(given)
	slices.Sort(named)
	if len(given) == 0 || !slices.Equal(named, given) {
		t.Errorf("%s explains the reasons\n%v, and the controller gives\n%v", page, named, given)
	}
}

// readPages reads README.md and all of docs, by path from the root of the repository.
func readPages(t *testing.T) map[string]string {
	t.Helper()
	pages := map[string]string{}
	read := func(path string) error {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel("..", path)
		pages[name] = string(text)
		return err
	}
	err := errors.Join(read("../README.md"), filepath.WalkDir("../docs", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".md" {
			return err
		}
		return read(path)
	}))
	if err != nil {
		t.Fatalf("read the documentation: %v", err)
	}
	return pages
}

// manifestsIn finds the objects in the YAML blocks of a page.
func manifestsIn(page, text string) []manifest {
	var found []manifest
	var object strings.Builder
	begins := 0
	end := func() {
		if strings.TrimSpace(object.String()) != "" {
			found = append(found, manifest{fmt.Sprintf("%s:%d", page, begins), object.String()})
		}
		object.Reset()
	}
	inside, isYAML, indent := false, false, ""
	for i, line := range strings.Split(text, "\n") {
		fence := strings.HasPrefix(strings.TrimSpace(line), "```")
		switch {
		case fence && inside:
			end()
			inside = false
		case fence:
			indent, _, _ = strings.Cut(line, "`")
			language := strings.ToLower(strings.Trim(strings.TrimSpace(line), "` "))
			inside, isYAML, begins = true, strings.HasPrefix(language, "yaml") || strings.HasPrefix(language, "yml"), i+2
		case inside && isYAML && strings.TrimRight(line, " ") == indent+"---":
			end()
			begins = i + 2
		case inside && isYAML:
			object.WriteString(strings.TrimPrefix(line, indent) + "\n")
		}
	}
	return found
}

// tryOut has the API server say what `kubectl apply --server-side --dry-run=server --validate=strict` would. The namespace
// is made if there is none.
func (m manifest) tryOut(t *testing.T, api client.Client) error {
	t.Helper()
	o := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(m.text), &o.Object); err != nil {
		return err
	}
	if o.GetAPIVersion() == "" || o.GetKind() == "" || o.GetName() == "" {
		return errors.New("it is not a whole object")
	}
	mapping, err := api.RESTMapper().RESTMapping(o.GroupVersionKind().GroupKind(), o.GroupVersionKind().Version)
	if err != nil {
		return err
	}
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		if o.GetNamespace() == "" {
			o.SetNamespace("default")
		}
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: o.GetNamespace()}}
		if err := api.Create(t.Context(), namespace); err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	return api.Patch(t.Context(), o, client.RawPatch(types.ApplyYAMLPatchType, []byte(m.text)),
		client.FieldOwner("docs"), client.ForceOwnership, client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict))
}

// plainAPI is an API server with our kinds and nothing else, and the schemas of the kinds by name.
func plainAPI(t *testing.T) (client.Client, map[string]apiextensionsv1.JSONSchemaProps) {
	t.Helper()
	config := lab.ControlPlane(t)
	crds, err := envtest.InstallCRDs(config, envtest.CRDInstallOptions{Paths: []string{"../config/crd/bases"}})
	if err != nil {
		t.Fatal(err)
	}
	api, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]apiextensionsv1.JSONSchemaProps{}
	for _, crd := range crds {
		kinds[crd.Spec.Names.Kind] = *crd.Spec.Versions[0].Schema.OpenAPIV3Schema
	}
	return api, kinds
}

// firstColumn is what stands between backquotes in the first column of the tables of a page whose first heading is this.
func firstColumn(page, heading string) []string {
	var cells []string
	inside := false
	for line := range strings.SplitSeq(page, "\n") {
		cell, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " |")
		switch {
		case !strings.HasPrefix(line, "|"):
			inside = false
		case cell == heading:
			inside = true
		case inside && strings.Contains(cell, "`"):
			for i, part := range strings.Split(cell, "`") {
				if i%2 == 1 {
					cells = append(cells, part)
				}
			}
		}
	}
	return cells
}

func hasField(schema apiextensionsv1.JSONSchemaProps, path []string) bool {
	if len(path) == 0 {
		return true
	}
	field, ok := schema.Properties[path[0]]
	return ok && hasField(field, path[1:])
}

// missingFields are the fields that are not named, nor anything above them.
func missingFields(schema apiextensionsv1.JSONSchemaProps, prefix string, named []string) []string {
	var missing []string
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		path := prefix + name
		switch {
		case slices.Contains(named, path):
		case slices.ContainsFunc(named, func(other string) bool { return strings.HasPrefix(other, path+".") }):
			missing = append(missing, missingFields(schema.Properties[name], path+".", named)...)
		default:
			missing = append(missing, path)
		}
	}
	return missing
}
