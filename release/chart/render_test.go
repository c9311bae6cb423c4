package chart

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/engine"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

const (
	root   = "../.."
	folder = root + "/config/chart"
)

// set is a set of values in config/chart/ci.
type set struct {
	name   string
	values map[string]any
	// refused is what Helm says; empty for a set that works.
	refused string
}

func sets(t *testing.T) (all []set) {
	t.Helper()
	files, err := filepath.Glob(folder + "/ci/*.yaml")
	must(t, err)
	for _, file := range files {
		text := read(t, file)
		s := set{name: strings.TrimSuffix(filepath.Base(file), ".yaml")}
		if _, line, found := strings.Cut(text, "# refused: "); found {
			s.refused, _, _ = strings.Cut(line, "\n")
		}
		s.values = parse(t, text)
		all = append(all, s)
	}
	return all
}

func TestChart_SetsOfValues(t *testing.T) {
	all := sets(t)
	good := slices.Collect(func(yield func(set) bool) {
		for _, s := range all {
			if s.refused == "" && !yield(s) {
				return
			}
		}
	})
	if len(good) < 12 || len(all)-len(good) < 10 {
		t.Errorf("%d sets of values that work, %d that do not: some are missing", len(good), len(all)-len(good))
	}
	for _, s := range all {
		t.Run(s.name, func(t *testing.T) {
			files, err := Render(folder, s.values)
			switch {
			case s.refused == "" && err != nil:
				t.Errorf("refused: %v", err)
			case s.refused != "" && (err == nil || !strings.Contains(err.Error(), s.refused)):
				t.Errorf("it says %v, want %q", err, s.refused)
			case err == nil && len(objects(t, files)) < 20:
				t.Errorf("%d objects", len(files))
			}
			for _, f := range files {
				for text := range strings.SplitSeq(f.Text, "\n---\n") {
					if err := yaml.UnmarshalStrict([]byte(text), &map[string]any{}); err != nil {
						t.Errorf("%s: %v", f.Name, err)
					}
				}
			}
		})
	}
}

func TestChart_GivesTheSameObjectsAsKustomize(t *testing.T) {
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), root+"/config/default")
	must(t, err)
	text, err := made.AsYaml()
	must(t, err)
	kustomize := byKey(objects(t, []File{{"config/default", string(text)}}))
	delete(kustomize, "Namespace/"+Namespace) // Helm cannot make the namespace that it keeps its release in.

	files, err := Render(folder, nil)
	must(t, err)
	definitions, err := filepath.Glob(folder + "/crds/*.yaml")
	must(t, err)
	for _, file := range definitions {
		files = append(files, File{file, read(t, file)})
	}
	helm := byKey(slices.DeleteFunc(objects(t, files), IsHook))
	delete(helm, "ValidatingAdmissionPolicyBinding/daymark-secret-in-use-by-name") // config/default labels its namespace, Helm cannot.
	for key, object := range kustomize {
		if helm[key] == nil {
			t.Errorf("only kustomize gives %s", key)
		} else if !reflect.DeepEqual(object.Object, helm[key].Object) {
			t.Errorf("%s differs: by kustomize\n%v\nand by Helm\n%v", key, object.Object, helm[key].Object)
		}
	}
	for key := range helm {
		if kustomize[key] == nil {
			t.Errorf("only Helm gives %s", key)
		}
	}
}

// A kustomization of somebody else puts letters before and after all names, and what names them follows.
func TestKustomize_NamesMayHaveAPrefixAndASuffix(t *testing.T) {
	overlay := t.TempDir()
	base, err := filepath.Abs(root + "/config/default")
	must(t, err)
	relative, err := filepath.Rel(overlay, base)
	must(t, err)
	must(t, os.WriteFile(overlay+"/kustomization.yaml", []byte("namePrefix: acme-\nnameSuffix: -b\nresources: ["+relative+"]\n"), 0o600))
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), overlay)
	must(t, err)
	text, err := made.AsYaml()
	must(t, err)
	all := byKey(objects(t, []File{{overlay, string(text)}}))
	names := func(object *unstructured.Unstructured, kind string, path ...string) {
		t.Helper()
		name, found, err := unstructured.NestedString(object.Object, path...)
		if key := kind + "/" + name; err != nil || !found || all[key] == nil {
			t.Errorf("%s %s names %s, which is not there", object.GetKind(), object.GetName(), key)
		}
	}
	for _, object := range all {
		switch object.GetKind() {
		case "RoleBinding", "ClusterRoleBinding":
			names(object, strings.TrimSuffix(object.GetKind(), "Binding"), "roleRef", "name")
			subjects, _, err := unstructured.NestedSlice(object.Object, "subjects")
			must(t, err)
			for _, subject := range subjects {
				names(&unstructured.Unstructured{Object: subject.(map[string]any)}, "ServiceAccount", "name")
			}
		case "ValidatingAdmissionPolicyBinding":
			names(object, "ValidatingAdmissionPolicy", "spec", "policyName")
		case "DaemonSet", "Deployment":
			names(object, "ServiceAccount", "spec", "template", "spec", "serviceAccountName")
		case "Role":
			rules, _, err := unstructured.NestedSlice(object.Object, "rules")
			must(t, err)
			for _, rule := range rules {
				if listed, named := rule.(map[string]any)["resourceNames"]; named && !reflect.DeepEqual(listed, []any{"acme-daymark-speaker-b"}) {
					t.Errorf("a Role names %v", listed)
				}
			}
		}
	}
	if all["DaemonSet/acme-daymark-speaker-b"] == nil || all["Namespace/"+Namespace] == nil || all["CustomResourceDefinition/bgppeers.daymark.io"] == nil {
		t.Error("other names are as they should not be")
	}
}

// Before version 5.4 kustomize does not know of itself that a binding names its policy. It does not know it of kinds that are called otherwise, either.
func TestKustomize_BindingsFollowTheirPoliciesInOldVersions(t *testing.T) {
	overlay := t.TempDir()
	must(t, os.CopyFS(overlay+"/config", os.DirFS(root+"/config")))
	files, err := filepath.Glob(overlay + "/config/rbac/*.yaml")
	must(t, err)
	for _, file := range append(files, overlay+"/config/rbac/names/references.yaml") {
		text := strings.ReplaceAll(read(t, file), "ValidatingAdmissionPolicy", "UnknownPolicy")
		must(t, os.WriteFile(file, []byte(text), 0o600))
	}
	must(t, os.WriteFile(overlay+"/kustomization.yaml", []byte("namePrefix: acme-\nresources: [config/rbac]\n"), 0o600))
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), overlay)
	must(t, err)
	text, err := made.AsYaml()
	must(t, err)
	all, seen := byKey(objects(t, []File{{overlay, string(text)}})), 0
	for key, object := range all {
		if object.GetKind() != "UnknownPolicyBinding" {
			continue
		}
		seen++
		if name, _, _ := unstructured.NestedString(object.Object, "spec", "policyName"); all["UnknownPolicy/"+name] == nil {
			t.Errorf("%s names the policy %s, which is not there", key, name)
		}
	}
	if seen < 6 {
		t.Errorf("%d bindings", seen)
	}
}

func TestGenerated_IsUpToDate(t *testing.T) {
	files, err := Generated(root)
	must(t, err)
	if len(files) < 15 {
		t.Errorf("%d files are made", len(files))
	}
	for name, text := range files {
		if read(t, filepath.Join(root, name)) != string(text) {
			t.Errorf("%s is not what its source makes: run `make generate`", name)
		}
	}
}

func TestSchema_IsStrictEverywhere(t *testing.T) {
	var schema map[string]any
	must(t, json.Unmarshal([]byte(read(t, folder+"/values.schema.json")), &schema))
	seen := 0
	var walk func(path string, value any)
	walk = func(path string, value any) {
		switch value := value.(type) {
		case map[string]any:
			_, named := value["properties"].(map[string]any)
			_, described := value["additionalProperties"].(map[string]any)
			if value["type"] == "object" && !described && path != "/properties/global" { // Helm has that in every chart
				seen++
				if !named || value["additionalProperties"] != false {
					t.Errorf("%s takes unknown fields", path)
				}
			}
			for key, below := range value {
				walk(path+"/"+key, below)
			}
		case []any:
			for _, below := range value {
				walk(path, below)
			}
		}
	}
	walk("", schema)
	if seen < 40 {
		t.Errorf("%d objects in the schema: it has lost some", seen)
	}
}

// What the schema knows and values.yaml does not would have no default, and its templates fail.
func TestSchema_HasTheValuesThatThereAre(t *testing.T) {
	var schema struct {
		Properties map[string]struct{ Properties map[string]any }
	}
	must(t, json.Unmarshal([]byte(read(t, folder+"/values.schema.json")), &schema))
	var values map[string]any
	must(t, yaml.UnmarshalStrict([]byte(read(t, folder+"/values.yaml")), &values))
	for name, value := range schema.Properties {
		if _, found := values[name]; !found && name != "global" && name != "enabled" { // of charts that have this one as a dependency
			t.Errorf("values.yaml lacks %s", name)
		}
		for below := range value.Properties {
			if of, _ := values[name].(map[string]any); of[below] == nil {
				t.Errorf("values.yaml lacks %s.%s", name, below)
			}
		}
	}
}

// A chart that is upgraded with the values of the one before, and so without its own defaults, is refused: it would give flags without values.
func TestChart_RefusesTheDefaultsOfAnEarlierChart(t *testing.T) {
	var values map[string]any
	must(t, yaml.UnmarshalStrict([]byte(read(t, folder+"/values.yaml")), &values))
	own := map[string]bool{ // may be null, for none
		"image.tag": true, "image.pullPolicy": true, "controller.priorityClassName": true, "speaker.priorityClassName": true,
	}
	refused := func(path string, without map[string]any) {
		_, err := render(engine.Engine{}, nil, folder, without)
		_, isMap := values[path].(map[string]any)
		switch {
		case err == nil:
			t.Errorf("without %s it is rendered", path)
		case isMap && !strings.Contains(err.Error(), "missing property '"+path+"'"), // the schema comes first
			!isMap && !strings.Contains(err.Error(), "there is no value "+path+": helm upgrade --reuse-values"):
			t.Errorf("without %s: %v", path, err)
		}
	}
	for name, value := range values {
		below, isMap := value.(map[string]any)
		if _, list := value.([]any); !list {
			refused(name, map[string]any{name: nil})
		}
		if !isMap {
			continue
		}
		for key, value := range below {
			switch value.(type) {
			case map[string]any, []any:
			default:
				if path := name + "." + key; !own[path] {
					refused(path, map[string]any{name: map[string]any{key: nil}})
				}
			}
		}
	}
}

func TestFlags_AreThoseOfThePrograms(t *testing.T) {
	flags := read(t, root+"/docs/reference/flags.md")
	files, err := Render(folder, nil)
	must(t, err)
	for _, f := range files {
		for _, match := range regexp.MustCompile(`- (--[a-z0-9-]+)=`).FindAllStringSubmatch(f.Text, -1) {
			if !strings.Contains(flags, " "+match[1]+" ") {
				t.Errorf("%s gives %s, which no program has", f.Name, match[1])
			}
		}
	}
}

func objects(t *testing.T, files []File) (all []*unstructured.Unstructured) {
	t.Helper()
	for _, f := range files {
		more, err := f.Objects()
		must(t, err)
		all = append(all, more...)
	}
	return all
}

func byKey(objects []*unstructured.Unstructured) map[string]*unstructured.Unstructured {
	found := map[string]*unstructured.Unstructured{}
	for _, object := range objects {
		found[object.GetKind()+"/"+object.GetName()] = object
	}
	return found
}

func parse(t *testing.T, text string) (values map[string]any) {
	t.Helper()
	must(t, yaml.UnmarshalStrict([]byte(text), &values))
	return values
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	must(t, err)
	return string(text)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestDocs_ValuesAreTaken(t *testing.T) {
	pages, err := filepath.Glob(root + "/docs/*.md")
	must(t, err)
	block := regexp.MustCompile("(?s)```values\n(.*?)```")
	seen := 0
	for _, page := range pages {
		for _, match := range block.FindAllStringSubmatch(read(t, page), -1) {
			seen++
			if _, err := Render(folder, parse(t, match[1])); err != nil {
				t.Errorf("%s: %v\n%s", page, err, match[1])
			}
		}
	}
	if seen < 6 {
		t.Errorf("%d blocks of values", seen)
	}
}

func TestDocs_NameEachPort(t *testing.T) {
	ports, _ := parse(t, read(t, folder+"/values.yaml"))["ports"].(map[string]any)
	page := read(t, root+"/docs/requirements.md")
	for name, port := range ports {
		if row := regexp.MustCompile(fmt.Sprintf("(?m)^\\| %v .*`ports.%s`", port, name)); !row.MatchString(page) {
			t.Errorf("docs/requirements.md has no row for ports.%s, %v", name, port)
		}
	}
}

// The ports of other providers are those of the page, which must not stand beside one of ours.
func TestPorts_AreNoOtherProviders(t *testing.T) {
	ours := map[string]string{}
	ports, _ := parse(t, read(t, folder+"/values.yaml"))["ports"].(map[string]any)
	for name, port := range ports {
		ours[fmt.Sprint(port)] = name
	}
	rows := regexp.MustCompile(`(?m)^\| ((?:MetalLB|PureLB)[^|]*)\| ([0-9, ]+) \|`).FindAllStringSubmatch(read(t, root+"/docs/requirements.md"), -1)
	if len(rows) != 3 {
		t.Fatalf("%d rows of other providers", len(rows))
	}
	for _, row := range rows {
		for port := range strings.SplitSeq(row[2], ", ") {
			if name := ours[port]; name != "" {
				t.Errorf("ports.%s, %s, is one of %s", name, port, row[1])
			}
		}
	}
}
