package crds

import (
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	crd "github.com/daymark-lb/daymark/config/crd"
	"github.com/daymark-lb/daymark/e2e/lab"
)

const timeout = time.Minute // The API server deletes a definition when it comes to that.

func TestMain(m *testing.M) { lab.Main(m) }

// What made the definitions of the version before.
var makers = map[string]func(t *testing.T, api client.Client, object *unstructured.Unstructured) error{
	"kubectl apply, and Helm before version 4": func(t *testing.T, api client.Client, object *unstructured.Unstructured) error {
		return api.Create(t.Context(), object, client.FieldOwner("kubectl-client-side-apply"))
	},
	"kubectl apply --server-side, and Helm": func(t *testing.T, api client.Client, object *unstructured.Unstructured) error {
		return api.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object), client.FieldOwner("kubectl"))
	},
	"the version before": func(t *testing.T, api client.Client, object *unstructured.Unstructured) error {
		return api.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object), client.FieldOwner(fieldOwner))
	},
}

// earlier makes a definition one that a version before might have had: with a conversion, names and a field that it has not any more.
func earlier(t *testing.T, definition *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	old := definition.DeepCopy()
	set := func(value any, path ...string) {
		if err := unstructured.SetNestedField(old.Object, value, path...); err != nil {
			t.Fatal(err)
		}
	}
	old.SetAnnotations(map[string]string{"example.com/synchronized": "yes"})
	set([]any{"oldname"}, "spec", "names", "shortNames")
	set(map[string]any{"strategy": "Webhook", "webhook": map[string]any{
		"conversionReviewVersions": []any{"v1"}, "clientConfig": map[string]any{"url": "https://192.0.2.1/convert"},
	}}, "spec", "conversion")
	versions, _, _ := unstructured.NestedSlice(old.Object, "spec", "versions")
	if err := unstructured.SetNestedField(versions[0].(map[string]any), map[string]any{"type": "string"},
		"schema", "openAPIV3Schema", "properties", "status", "properties", "old"); err != nil {
		t.Fatal(err)
	}
	set(versions, "spec", "versions")
	return old
}

// Whoever made the definitions, their specs are then those of the program, and what others have put beside is left alone.
func TestApply_LeavesNothingOfTheVersionBefore(t *testing.T) {
	config := lab.ControlPlane(t)
	api, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	definitions, err := crd.Definitions()
	if err != nil {
		t.Fatal(err)
	}
	apply := func() {
		t.Helper()
		if err := Apply(t.Context(), config, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
	}
	read := func(of *unstructured.Unstructured) *unstructured.Unstructured {
		t.Helper()
		got := of.DeepCopy()
		if err := api.Get(t.Context(), client.ObjectKeyFromObject(of), got); err != nil {
			t.Fatal(err)
		}
		return got
	}
	apply() // Where there is none. The API server's defaults are in what it then has.
	fresh := map[string]any{}
	for _, definition := range definitions {
		fresh[definition.GetName()] = read(definition).Object["spec"]
		if err := api.Delete(t.Context(), definition.DeepCopy()); err != nil {
			t.Fatal(err)
		}
	}
	names := slices.Sorted(maps.Keys(makers))
	for i, name := range names {
		lab.Eventually(t, timeout, "the definition is made by "+name, func() error { return makers[name](t, api, earlier(t, definitions[i])) })
	}
	apply()
	versions := map[string]string{}
	for i, name := range names {
		got := read(definitions[i])
		if !reflect.DeepEqual(got.Object["spec"], fresh[got.GetName()]) {
			t.Errorf("made by %s its spec is %v\nand not %v", name, got.Object["spec"], fresh[got.GetName()])
		}
		if kept := got.GetAnnotations()["example.com/synchronized"] == "yes"; kept != (name != "the version before") {
			t.Errorf("made by %s it has the annotations %v", name, got.GetAnnotations())
		}
		versions[got.GetName()] = got.GetResourceVersion()
	}
	apply()
	for i := range names {
		if got := read(definitions[i]); got.GetResourceVersion() != versions[got.GetName()] {
			t.Errorf("%s is written again", got.GetName())
		}
	}
}
