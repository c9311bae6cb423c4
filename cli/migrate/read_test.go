package migrate

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/cli/env"
)

// Files of a repository have more in them than objects: what is none is named, and the others are made.
func TestMetalLB_GoesOnWithoutWhatIsNoObject(t *testing.T) {
	const pool = "apiVersion: metallb.io/v1beta1\nkind: IPAddressPool\nmetadata: {name: lan}\nspec: {addresses: [192.0.2.0/24]}\n"
	const noObject = "left out: a document is no object of Kubernetes: it has neither apiVersion nor kind"
	for _, test := range []struct {
		name, file, content, want string
		status                    int
	}{
		{"a kustomization", "kustomization.yaml", "resources: [pool.yaml]\n", noObject, 0},
		{"values of Helm", "values.yaml", "controller: {tag: v0.14}\nconfigInline: {}\n", noObject, 0},
		{"a list", "list.json", "[1, 2]", noObject, 0},
		{"a text", "text.json", `"text"`, noObject, 0},
		{"front matter between objects", "all.yaml", "title: x\n---\n" + pool + "---\ntext\n", "2 documents are left out, one because: a document is no object", 0},
		{"a template", "template.yaml", "{{ if .Values.x }}\nkind: IPAddressPool\n{{ end }}\n", "left out: json: offset 2", env.ExitWrong},
		{"a document that is no YAML before an object", "half.yaml", "a: [\n---\n" + pool, "left out: error converting YAML to JSON", env.ExitWrong},
		{"JSON that ends too early", "cut.json", `{"apiVersion": "v1", "kind"`, "left out: ", env.ExitWrong},
		{"a kind without a version", "kind.yaml", "kind: IPAddressPool\n", "left out: a document has no apiVersion or no kind", env.ExitWrong},
		{"an item of a List", "items.yaml", "apiVersion: v1\nkind: List\nitems:\n- 7\n- {kind: 7}\n- " + strings.ReplaceAll(pool, "\n", "\n  ") + "\n", "2 documents are left out", env.ExitWrong},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, content := range map[string]string{test.file: test.content, "pool.yaml": pool} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			out, remarks, status := run(t, nil, "", "-f", dir)
			if status != test.status || strings.Count(out, "kind: IPAddressPool") != 1 {
				t.Errorf("status %d, made\n%s", status, out)
			}
			if !strings.Contains(remarks, filepath.Join(dir, test.file)+": ") || !strings.Contains(remarks, test.want) {
				t.Errorf("said\n%s", remarks)
			}
			if partial := strings.Contains(remarks, "this is not all"); partial != (status != 0) {
				t.Errorf("status %d, said\n%s", status, remarks)
			}
		})
	}
}

// The chart of MetalLB up to 0.12 had the configuration in its values, and these are in many places.
func TestMetalLB_ReadsConfigInline(t *testing.T) {
	const config = "{address-pools: [{name: lan, protocol: layer2, addresses: [192.0.2.0/24]}], new-key: 1}"
	const object = "\nmetadata: {name: metallb, namespace: flux-system}\n"
	for _, test := range []struct{ name, text, from string }{
		{"values of the chart", "configInline: " + config, "configInline of Helm's values"},
		{"values of a chart around it", "metallb:\n  configInline: " + config, "configInline of Helm's values"},
		{"what a kustomization makes a ConfigMap of", config, "the configuration of MetalLB"},
		{
			"a release of Flux", "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease" + object + "spec: {values: {configInline: " + config + "}}",
			"configInline of HelmRelease flux-system/metallb",
		},
		{
			"an application of Argo CD", "apiVersion: argoproj.io/v1alpha1\nkind: Application" + object + "spec: {sources: [{helm: {values: \"configInline: " + config + "\"}}]}",
			"configInline of Application flux-system/metallb",
		},
		{
			"a chart of k3s", "apiVersion: helm.cattle.io/v1\nkind: HelmChart" + object + "spec:\n  valuesContent: |\n    configInline: " + config,
			"configInline of HelmChart flux-system/metallb",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			out, remarks, status := run(t, nil, test.text+"\n", "-f", "-")
			if status != 0 || !strings.Contains(out, "# "+test.from+", AddressPool lan") || !strings.Contains(out, "- 192.0.2.0/24") || !strings.Contains(out, "kind: L2Advertisement") {
				t.Errorf("status %d, made\n%s", status, out)
			}
			if want := test.from + ": not carried over: new-key: the key is not known\n"; remarks != want {
				t.Errorf("said %q, want %q", remarks, want)
			}
		})
	}
	if out, remarks, status := run(t, nil, "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec: {source: {helm: {values: \"a: [ configInline\"}}}\n", "-f", "-"); out != "" || status != 0 {
		t.Errorf("status %d, made\n%s%s", status, out, remarks)
	}
}

// PureLB has a version 2 of its API, with other addresses in it; a cluster has one of the two.
func TestOthers_ReadsBothVersionsOfPureLB(t *testing.T) {
	for _, version := range []string{"v1", "v2"} {
		asked := false
		for _, query := range queriesOfOthers() {
			asked = asked || query.Kind.Group == "purelb.io" && query.Kind.Version == version && query.Kind.Kind == "ServiceGroup"
		}
		if !asked {
			t.Errorf("%s is not asked for", version)
		}
	}
}
