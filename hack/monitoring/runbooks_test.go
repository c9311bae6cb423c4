package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// runbooks are the pages of alerts, by their names.
func runbooks(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob(root + "/docs/runbooks/*.md")
	if err != nil {
		t.Fatal(err)
	}
	pages := map[string]string{}
	for _, file := range files {
		pages[filepath.Base(file)] = read(t, file)
	}
	return pages
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAlerts_HaveARunbook(t *testing.T) {
	const at = "https://github.com/daymark-lb/daymark/blob/main/docs/runbooks/"
	pages, overview := runbooks(t), read(t, root+"/docs/monitoring.md")
	for _, r := range rules(t) {
		page, summary, severity := r.Alert+".md", r.Annotations["summary"], r.Labels["severity"]
		text, found := pages[page]
		if !found {
			t.Errorf("%s has no runbook", r.Alert)
			continue
		}
		delete(pages, page)
		if r.Annotations["runbook_url"] != at+page {
			t.Errorf("%s refers to %s", r.Alert, r.Annotations["runbook_url"])
		}
		head := fmt.Sprintf("# %s\n\n%s Severity: %s.\n", r.Alert, summary, severity)
		for _, part := range []string{head, "\n## Meaning\n", "\n## Impact\n", "\n## Diagnosis\n", "\n## Mitigation\n"} {
			if !strings.Contains(text, part) {
				t.Errorf("%s lacks %q", page, part)
			}
		}
		row := fmt.Sprintf("| [%s](runbooks/%s) | %s | %s |\n", r.Alert, page, severity, strings.TrimSuffix(summary, "."))
		if !strings.Contains(overview, row) {
			t.Errorf("docs/monitoring.md lacks the row %s", row)
		}
	}
	for page := range pages {
		t.Errorf("there is no alert to runbook %s", page)
	}
}

// made are the alerts that the end-to-end test names, by whose faults.
var made = regexp.MustCompile(`"(Daymark[A-Za-z ]+)"`)

// What docs say of the faults in the lab is what the end-to-end test makes, and no alert is left out.
func TestAlerts_ThePageSaysByWhichFaultEachIsProven(t *testing.T) {
	inLab := map[string]bool{}
	for _, match := range made.FindAllStringSubmatch(read(t, root+"/e2e/alerts_test.go"), -1) {
		for _, alert := range strings.Fields(match[1]) {
			inLab[alert] = true
		}
	}
	_, table, _ := strings.Cut(read(t, root+"/docs/monitoring.md"), "| fault in the lab | alert |")
	table, _, _ = strings.Cut(table, "\n\n")
	for _, r := range rules(t) {
		row := regexp.MustCompile(`(?m)^\| (.+) \| ` + r.Alert + `\b.* \|$`).FindStringSubmatch(table)
		if row == nil {
			t.Errorf("the page does not say how %s is proven", r.Alert)
		} else if none := strings.HasPrefix(row[1], "none"); none == inLab[r.Alert] {
			t.Errorf("the page says of %s: %s; the lab makes its fault: %t", r.Alert, row[1], inLab[r.Alert])
		}
	}
}

var (
	// plugin is a command of ours.
	plugin = regexp.MustCompile(`kubectl daymark ([a-z]+)`)
	// looked is what kubectl is to show of our kinds, and what of them.
	looked = regexp.MustCompile(`kubectl (?:get|describe) ([a-z0-9,]+)(.*)`)
	// path is a field in an option of kubectl.
	path = regexp.MustCompile(`\.(?:spec|status)((?:\.[A-Za-z0-9]+|\[\*\])+)`)
	// field is one that a text names.
	field = regexp.MustCompile("`(?:[A-Za-z]+\\.)*([a-z]+[A-Z][A-Za-z]*)`")
)

// What a runbook says to type and to look at is there: commands of the plugin, short names, fields.
func TestRunbooks_NameWhatThereIs(t *testing.T) {
	kinds, settings := definitions(t), read(t, root+"/config/chart/values.schema.json")
	for page, text := range runbooks(t) {
		for _, match := range plugin.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(root + "/docs/cli/" + match[1] + ".md"); err != nil {
				t.Errorf("%s: the plugin has no command %s", page, match[1])
			}
		}
		for _, match := range looked.FindAllStringSubmatch(text, -1) {
			for name := range strings.SplitSeq(match[1], ",") {
				kind, ours := kinds[name]
				if !ours && strings.HasPrefix(name, "dm") {
					t.Errorf("%s: no kind has the short name %s", page, name)
				}
				for _, at := range path.FindAllStringSubmatch(match[2], -1) {
					if ours && !kind.has(strings.TrimPrefix(at[0], ".")) {
						t.Errorf("%s: %s has no field %s", page, name, at[0])
					}
				}
			}
		}
		for _, match := range field.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(settings, `"`+match[1]+`":`) && !kinds["dmspeaker"].hasAnywhere(match[1]) {
				t.Errorf("%s: neither a kind nor the chart has a field %s", page, match[1])
			}
		}
	}
}

// definition is the schema of a kind or of one of its fields.
type definition apiextensionsv1.JSONSchemaProps

// definitions are the schemas of our kinds, by their short names.
func definitions(t *testing.T) map[string]definition {
	t.Helper()
	files, err := filepath.Glob(root + "/config/crd/bases/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v %v", files, err)
	}
	kinds := map[string]definition{}
	for _, file := range files {
		var d apiextensionsv1.CustomResourceDefinition
		if err := yaml.Unmarshal([]byte(read(t, file)), &d); err != nil {
			t.Fatal(err)
		}
		for _, name := range d.Spec.Names.ShortNames {
			kinds[name] = definition(*d.Spec.Versions[0].Schema.OpenAPIV3Schema)
		}
	}
	return kinds
}

// has tells whether there is a field at a path such as status.bgp[*].bfd.
func (d definition) has(path string) bool {
	name, rest, deeper := strings.Cut(path, ".")
	below, found := d.fields()[strings.TrimSuffix(name, "[*]")]
	return found && (!deeper || definition(below).has(rest))
}

// hasAnywhere tells whether a field of any depth has a name.
func (d definition) hasAnywhere(name string) bool {
	for field, below := range d.fields() {
		if field == name || definition(below).hasAnywhere(name) {
			return true
		}
	}
	return false
}

// fields of an object, or of each object in a list.
func (d definition) fields() map[string]apiextensionsv1.JSONSchemaProps {
	if d.Items != nil && d.Items.Schema != nil {
		return d.Items.Schema.Properties
	}
	return d.Properties
}
