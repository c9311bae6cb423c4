package migrate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/yaml"

	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/goldentest"
	"github.com/daymark-lb/daymark/cli/source"
)

// run "migrate metallb" and return what it prints and its exit status.
func run(t *testing.T, from source.Source, in string, args ...string) (out, remarks string, status int) {
	t.Helper()
	return runCommand(t, from, in, append([]string{"metallb"}, args...))
}

func runCommand(t *testing.T, from source.Source, in string, words []string) (out, remarks string, status int) {
	t.Helper()
	var data, progress bytes.Buffer
	e := env.New(genericiooptions.IOStreams{In: strings.NewReader(in), Out: &data, ErrOut: &progress})
	e.Now, e.Objects, e.System = func() time.Time { return time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC) }, from, "daymark-system"
	c := New(e)
	c.SilenceErrors, c.SilenceUsage = true, true
	c.SetArgs(words)
	err := c.ExecuteContext(t.Context())
	return data.String(), progress.String(), env.ExitStatus(err)
}

func fixture(t *testing.T, name string) []unstructured.Unstructured {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	objects, left, err := parse(file)
	if err != nil || left != nil {
		t.Fatal(err, left)
	}
	return objects
}

// The status says that what is printed passes validate: 1 would be an error there.
func TestMetalLB_Prints(t *testing.T) {
	for name, status := range map[string]int{"every-field": 0, "old": 0, "services": 0, "impossible": env.ExitWrong} {
		t.Run(name, func(t *testing.T) {
			out, remarks, got := run(t, nil, "", "-f", "testdata/"+name+".yaml")
			if got != status {
				t.Errorf("status %d, want %d", got, status)
			}
			goldentest.Compare(t, name, fmt.Sprintf("%s--- stderr\n%s", out, remarks))
		})
	}
}

func TestOthers_Prints(t *testing.T) {
	out, remarks, status := runCommand(t, nil, "", []string{"others", "-f", "testdata/others.yaml"})
	if status != 0 {
		t.Errorf("status %d", status)
	}
	goldentest.Compare(t, "others", fmt.Sprintf("%s--- stderr\n%s", out, remarks))
	memory := &source.Memory{}
	for _, object := range fixture(t, "others") {
		memory.Items = append(memory.Items, runtime.Object(&object))
	}
	fromCluster, _, _ := runCommand(t, memory, "", []string{"others", "--cluster"}) // which has them in another order
	documents := func(text string) []string { return slices.Sorted(slices.Values(strings.Split(text, "---\n"))) }
	if out == "" || !slices.Equal(documents(fromCluster), documents(out)) {
		t.Errorf("from a cluster\n%s", fromCluster)
	}
}

// Each field that the documentation names is in the fixture, and the result is another one without it.
func TestOthers_HandlesEveryField(t *testing.T) {
	objects := fixture(t, "others")
	whole := text(t, objects)
	for _, f := range foreignFields {
		if strings.HasPrefix(f.kind, "ConfigMap") {
			continue
		}
		changed, found := without(objects, f.kind, []string{f.field})
		if !found || text(t, changed) == whole {
			t.Errorf("%s of a %s is in the fixture: %v; it makes no difference", f.field, f.kind, found)
		}
	}
}

func TestMetalLB_ReadsACluster(t *testing.T) {
	memory := &source.Memory{}
	for _, object := range fixture(t, "every-field") {
		memory.Items = append(memory.Items, runtime.Object(&object))
	}
	fromCluster, _, status := run(t, memory, "", "--cluster")
	fromFile, _, _ := run(t, nil, "", "-f", "testdata/every-field.yaml")
	if status != 0 || fromCluster != fromFile || fromFile == "" {
		t.Errorf("status %d, from a cluster\n%s\nfrom a file\n%s", status, fromCluster, fromFile)
	}
	if elsewhere, _, _ := run(t, memory, "", "--cluster", "--metallb-namespace=other"); elsewhere != "" {
		t.Errorf("of another namespace\n%s", elsewhere)
	}
}

// What users have configured beside MetalLB in frr-k8s is named; what MetalLB makes of its own objects is not.
func TestMetalLB_NamesConfigurationOfFRR(t *testing.T) {
	memory := &source.Memory{}
	for _, name := range []string{"metallb-n1", "more"} {
		object := &unstructured.Unstructured{}
		object.SetGroupVersionKind(frrConfigurations.GroupVersionKind)
		object.SetNamespace("frr-k8s-system")
		object.SetName(name)
		memory.Items = append(memory.Items, object)
	}
	_, remarks, status := run(t, memory, "", "--cluster")
	if status != 0 || !strings.Contains(remarks, "FRRConfiguration frr-k8s-system/more: not carried over") || strings.Contains(remarks, "metallb-n1") {
		t.Errorf("status %d, remarks\n%s", status, remarks)
	}
}

// What "migrate next" wrote to MetalLB's advertisements would have Daymark leave out the Services that it serves.
func TestMetalLB_DropsWhatLeavesOutTheHandedOver(t *testing.T) {
	const out = "{key: daymark.io/provider, operator: NotIn, values: [daymark]}"
	for selectors, want := range map[string]string{
		"{matchExpressions: [" + out + "]}":                             "",
		"{matchLabels: {a: b}}, {matchExpressions: [" + out + "]}":      "",
		"{matchLabels: {a: b}, matchExpressions: [" + out + "]}":        "  serviceSelectors:\n  - matchLabels:\n      a: b\n",
		"{matchExpressions: [{key: c, operator: Exists}, " + out + "]}": "  serviceSelectors:\n  - matchExpressions:\n    - key: c\n      operator: Exists\n",
	} {
		in := "{apiVersion: metallb.io/v1beta1, kind: L2Advertisement, metadata: {name: lan, namespace: metallb-system}, spec: {serviceSelectors: [" +
			selectors + "]}}"
		got, remarks, _ := run(t, nil, in, "-f", "-")
		if strings.Contains(got, "operator: NotIn") || !strings.Contains(got, want) || want == "" && strings.Contains(got, "  serviceSelectors:") ||
			!strings.Contains(remarks, "is not carried over") {
			t.Errorf("%s: %s%s", selectors, got, remarks)
		}
	}
}

func TestMetalLB_NeedsFilesOrACluster(t *testing.T) {
	for _, args := range [][]string{nil, {"-f", "testdata/old.yaml", "--cluster"}} {
		if _, _, status := run(t, &source.Memory{}, "", args...); status != env.ExitUsage {
			t.Errorf("%v: status %d", args, status)
		}
	}
}

func TestMetalLB_RefusesWhatIsNoYAML(t *testing.T) {
	if out, _, status := run(t, nil, "kind: {", "-f", "-"); status != env.ExitWrong || out != "" {
		t.Errorf("status %d, %s", status, out)
	}
}

// What a stranger's file has in its names ends no comment, steers no terminal and adds nothing to the commands that are proposed.
func TestMetalLB_NamesOfAStrangersFileStayNames(t *testing.T) {
	const in = `
{apiVersion: metallb.io/v1beta2, kind: BGPPeer, metadata: {name: "a\e[2J\ufeff\nspec: x", namespace: m},
  spec: {passwordSecret: {name: "a'; $(halt)"}, "b\e[2J\nspec: x": 1}}
---
{apiVersion: v1, kind: Service, metadata: {name: "a; $(halt)", namespace: "b; $(halt)", annotations: {metallb.io/allow-shared-ip: k}}}
---
{apiVersion: v1, kind: Service, metadata: {name: c, namespace: d, annotations: {metallb.io/allow-shared-ip: k}}}
`
	out, remarks, _ := run(t, nil, in, "-f", "-")
	var object map[string]any
	if err := yaml.Unmarshal([]byte(out), &object); err != nil || object["kind"] != "BGPPeer" {
		t.Errorf("%v: %q", err, out)
	}
	if strings.ContainsFunc(strings.ReplaceAll(out+remarks, "\n", ""), unicode.IsControl) {
		t.Errorf("%q", out+remarks)
	}
	commands := 0
	for _, l := range strings.Split(remarks, "\n") {
		if _, command, found := strings.Cut(l, ": kubectl "); found {
			commands++
			if strings.Contains(command, "$(") {
				t.Error(command)
			}
		}
	}
	if commands != 3 {
		t.Errorf("%d commands in %s", commands, remarks)
	}
}

// Each field that a row names is in the fixture, and the result is another one without it.
func TestConvert_HandlesEveryField(t *testing.T) {
	objects := fixture(t, "every-field")
	whole := text(t, objects)
	for kind, rows := range tables {
		for _, r := range rows {
			changed, found := without(objects, kind, strings.Split(r.field, "."))
			switch {
			case !found:
				t.Errorf("the fixture has no %s of a %s", r.field, kind)
			case r.field == "passwordSecret.namespace": // the same without it: it is MetalLB's own
			case text(t, changed) == whole:
				t.Errorf("%s of a %s makes no difference", r.field, kind)
			}
		}
	}
}

// Each key of the old ConfigMap is in the fixture, and the result is another one without it.
func TestConvert_HandlesEveryKeyOfTheConfigMap(t *testing.T) {
	objects := fixture(t, "old")[:1]
	config, _, _ := unstructured.NestedString(objects[0].Object, "data", "config")
	whole := text(t, objects)
	for _, key := range append(slices.Sorted(maps.Keys(configKeys)), topKeys...) {
		var fields any
		if err := yaml.Unmarshal([]byte(config), &fields); err != nil {
			t.Fatal(err)
		}
		found := removeAll(fields, key)
		less, err := yaml.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		changed := objects[0].DeepCopy()
		changed.Object["data"] = map[string]any{"config": string(less)}
		switch {
		case !found:
			t.Errorf("the fixture has no %s", key)
		case text(t, []unstructured.Unstructured{*changed}) == whole:
			t.Errorf("%s makes no difference", key)
		}
	}
}

// removeAll removes a key wherever it is.
func removeAll(from any, key string) (found bool) {
	switch from := from.(type) {
	case []any:
		for _, item := range from {
			found = removeAll(item, key) || found
		}
	case map[string]any:
		_, found = from[key]
		delete(from, key)
		for _, below := range from {
			found = removeAll(below, key) || found
		}
	}
	return found
}

// Nothing but what the tables name is in the fixture, so that a field added there needs a row.
func TestConvert_NamesWhatItDoesNotKnow(t *testing.T) {
	for _, remark := range Convert(fixture(t, "every-field"), "daymark-system").All() {
		if strings.Contains(remark.Text, "not known") {
			t.Error(remark)
		}
	}
	objects := fixture(t, "services")
	all := fmt.Sprint(Convert(objects, "daymark-system").All())
	for _, want := range []string{"spec.futureField: not carried over", "spec.serviceAllocation.futureField: not carried over", "FutureKind metallb-system/x: not carried over"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not in %s", want, all)
		}
	}
}

// Each row of the code is in the page, with the same words, and the page has no other.
func TestTables_AreThoseOfThePage(t *testing.T) {
	page, err := os.ReadFile("../../docs/cli/migrate.md")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, kind := range []string{"IPAddressPool", "L2Advertisement", "BGPAdvertisement", "BGPPeer", "BFDProfile", "Community"} {
		for _, r := range tables[kind] {
			want = append(want, fmt.Sprintf("| %s | `%s` | %s |", kind, r.field, r.becomes))
		}
	}
	for _, f := range foreignFields {
		want = append(want, fmt.Sprintf("| %s | `%s` | %s |", f.kind, f.field, f.becomes))
	}
	for _, r := range annotations {
		want = append(want, fmt.Sprintf("| Service | `%s` | %s |", r.field, r.becomes))
	}
	var got []string
	for _, l := range strings.Split(string(page), "\n") {
		if strings.Count(l, " | ") == 2 && strings.Contains(l, " | `") {
			got = append(got, l)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("the page has\n%s\nthe code\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func text(t *testing.T, objects []unstructured.Unstructured) string {
	t.Helper()
	raw, err := json.Marshal(Convert(objects, "daymark-system"))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// without has all objects, and those of a kind without a field of the spec; found says whether there was one.
func without(objects []unstructured.Unstructured, kind string, path []string) (all []unstructured.Unstructured, found bool) {
	for i := range objects {
		object := objects[i].DeepCopy()
		if object.GetKind() == kind {
			found = remove(object.Object["spec"], path) || found
		}
		all = append(all, *object)
	}
	return all, found
}

func remove(from any, path []string) (found bool) {
	fields, _ := from.(map[string]any)
	key, isList := strings.CutSuffix(path[0], "[]")
	if len(path) == 1 {
		_, found = fields[key]
		delete(fields, key)
		return found
	}
	if !isList {
		return remove(fields[key], path[1:])
	}
	list, _ := fields[key].([]any)
	for _, item := range list {
		found = remove(item, path[1:]) || found
	}
	return found
}

func TestMigrate_ReadsADirectory(t *testing.T) {
	out, _, status := run(t, nil, "", "-f", filepath.Join("testdata", "every-field.yaml"))
	directory := t.TempDir()
	content, err := os.ReadFile(filepath.Join("testdata", "every-field.yaml"))
	if err == nil {
		err = os.WriteFile(filepath.Join(directory, "all.yaml"), content, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if again, _, of := run(t, nil, "", "-f", directory); again != out || of != status || out == "" {
		t.Errorf("status %d and\n%s", of, again)
	}
}

// A Service of a file is where kubectl would apply it.
func TestMigrate_ServicesWithoutANamespaceAreInTheUsersOwn(t *testing.T) {
	const service = "apiVersion: v1\nkind: Service\nmetadata: {name: web, annotations: {kube-vip.io/loadbalancerIPs: 192.0.2.1}}\n" +
		"spec: {clusterIP: 10.96.0.1, ipFamilies: [IPv4], externalIPs: [203.0.113.4], ports: [{port: 80}]}\n"
	for command, want := range map[string]string{
		"others": "kubectl annotate service web -n default ", "external-ips": "kubectl patch service web -n default ",
	} {
		_, remarks, status := runCommand(t, nil, service, []string{command, "-f", "-"})
		if status != 0 || !strings.Contains(remarks, want) {
			t.Errorf("%s: status %d\n%s", command, status, remarks)
		}
	}
}

func TestMetalLB_NamesWhatAConfigMapHasInNoShape(t *testing.T) {
	text := `
apiVersion: v1
kind: ConfigMap
metadata: {name: config, namespace: metallb-system}
data:
  config: |
    address-pools:
    - {protocol: layer2, addresses: [192.0.2.0/28]}
    - {name: ___, protocol: layer2, addresses: [192.0.2.16/28]}
    - text
    peers: {my-asn: 1}
    bgp-communities: [a]
    bfd-profiles: text
`
	out, remarks, _ := run(t, nil, text, "-f", "-")
	for _, want := range []string{"address-pools[2]: it has no fields", "peers: it is not", "bgp-communities: it is not", "bfd-profiles: it is not", "came first"} {
		if !strings.Contains(remarks, want) {
			t.Errorf("without %q:\n%s", want, remarks)
		}
	}
	if !strings.Contains(out, "name: unnamed\n") || strings.Contains(out, "nil") {
		t.Error(out)
	}
}

func TestMetalLB_NamesEachOnce(t *testing.T) {
	out, remarks, status := run(t, nil, `
{apiVersion: metallb.io/v1beta1, kind: IPAddressPool, metadata: {name: a}, spec: {addresses: [192.0.2.0/28], serviceAllocation: {namespaces: [x, x]}}}
---
{apiVersion: metallb.io/v1beta1, kind: L2Advertisement, metadata: {name: a}, spec: {ipAddressPools: [a, a], interfaces: [eth0, eth0]}}
---
{apiVersion: metallb.io/v1beta1, kind: BGPAdvertisement, metadata: {name: a}, spec: {ipAddressPools: [a, a], peers: [tor, tor]}}
`, "-f", "-")
	for _, once := range []string{"- x\n", "- eth0\n", "- tor\n"} {
		if strings.Count(out, once) != 1 {
			t.Errorf("%q stands there %d times", once, strings.Count(out, once))
		}
	}
	if status != 0 {
		t.Error(remarks)
	}
}

// A list that is none is not dropped: without it the address would be announced on all interfaces.
func TestMetalLB_CarriesOverAListOfTheWrongShape(t *testing.T) {
	out, _, _ := run(t, nil, `
{apiVersion: metallb.io/v1beta1, kind: L2Advertisement, metadata: {name: a}, spec: {interfaces: eth0}}
`, "-f", "-")
	if !strings.Contains(out, "interfaces: eth0") {
		t.Error(out)
	}
}
