package chart

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
)

// Who installs by manifests takes the objects of the page, with which the figures were measured: the chart makes the same.
func TestFlowControl_IsThatOfThePage(t *testing.T) {
	page := read(t, root+"/docs/large-clusters.md")
	at := strings.Index(page, "kind: PriorityLevelConfiguration")
	begin := strings.LastIndex(page[:max(at, 0)], "```yaml\n")
	if begin < 0 {
		t.Fatal("docs/large-clusters.md has no PriorityLevelConfiguration")
	}
	block, _, _ := strings.Cut(page[begin+len("```yaml\n"):], "```")
	want := byKey(objects(t, []File{{"docs/large-clusters.md", block}}))

	files, err := Render(folder, parse(t, "flowControl: {enabled: true}"))
	must(t, err)
	got := byKey(objects(t, files))
	for _, key := range []string{"PriorityLevelConfiguration/daymark-speakers", "FlowSchema/daymark-speakers"} {
		if want[key] == nil || got[key] == nil || !reflect.DeepEqual(want[key].Object, got[key].Object) {
			t.Errorf("%s: the chart makes\n%v\nand the page has\n%v", key, got[key], want[key])
		}
	}
}

// Another FlowSchema comes first there.
func TestFlowControl_IsRefusedWhereItDoesNothing(t *testing.T) {
	c, err := loader.Load(folder)
	must(t, err)
	for namespace, refused := range map[string]bool{"kube-system": true, Namespace: false} {
		values, err := util.ToRenderValues(c, parse(t, "flowControl: {enabled: true}"), common.ReleaseOptions{Name: release, Namespace: namespace, IsInstall: true}, nil)
		must(t, err)
		_, err = engine.Engine{Strict: true}.RenderWithContext(t.Context(), c, values)
		if refused != (err != nil && strings.Contains(err.Error(), "does nothing in namespace kube-system")) {
			t.Errorf("in %s: %v", namespace, err)
		}
	}
}

func TestFlowControl_IsMadeWhereItIsAskedForAndServed(t *testing.T) {
	lacking := common.DefaultCapabilities.Copy()
	lacking.APIVersions = slices.DeleteFunc(slices.Clone(lacking.APIVersions), func(of string) bool { return strings.HasPrefix(of, "flowcontrol.") })
	for _, test := range []struct {
		name, values string
		can          *common.Capabilities
		made         bool
		refused      string
	}{
		{"by default it is not", "{}", nil, false, ""},
		{"where it is asked for", "flowControl: {enabled: true}", nil, true, ""},
		{"where the API server does not serve it, and nobody asks", "{}", lacking, false, ""},
		{
			"where the API server does not serve it", "flowControl: {enabled: true}", lacking, false,
			"the API server does not serve flowcontrol.apiserver.k8s.io/v1",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			files, err := render(engine.Engine{Strict: true}, test.can, folder, parse(t, test.values))
			if test.refused != "" {
				if err == nil || !strings.Contains(err.Error(), test.refused) {
					t.Errorf("it says %v, want %q", err, test.refused)
				}
				return
			}
			must(t, err)
			if made := byKey(objects(t, files))["FlowSchema/daymark-speakers"] != nil; made != test.made {
				t.Errorf("it is made: %t", made)
			}
		})
	}
}
