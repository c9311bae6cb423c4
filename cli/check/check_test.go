package check

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/goldentest"
	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/cli/view"
	"github.com/daymark-lb/daymark/internal/core/status"
)

// now is the time of the clusters in testdata.
var now = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// cluster of testdata and an environment in which it is read.
func cluster(t *testing.T, name string) (*source.Memory, *options) {
	t.Helper()
	all, err := source.Open(filepath.Join("testdata", name+".yaml"), now)
	if err != nil {
		t.Fatal(err)
	}
	e := env.New(genericiooptions.NewTestIOStreamsDiscard())
	e.Now, e.Version, e.System, e.Objects = func() time.Time { return now }, "v0.2.0", "daymark-system", all
	return all, &options{Env: e, pre: strings.HasSuffix(name, "-pre")}
}

// input of the checks of a cluster, to whose user all is allowed that is not in the list.
func (o *options) input(t *testing.T, denied ...string) *Input {
	t.Helper()
	objects, err := o.Objects.Read(t.Context(), o.queries()...)
	if err != nil {
		t.Fatal(err)
	}
	in := &Input{Objects: objects, Cluster: o.View(objects), System: o.System, Pre: o.pre, Server: "v1.36.2", Plugin: o.Version, Rights: wantedRights(nil)}
	if in.DaemonRights, err = daemonRights(); err != nil {
		t.Fatal(err)
	}
	for _, rights := range [][]Right{in.Rights, in.DaemonRights} {
		for i := range rights {
			rights[i].Allowed = !slices.Contains(denied, rights[i].Resource)
		}
	}
	return in
}

// TestChecks_FindWhatIsInTheWay: each check finds something in a broken cluster, and nothing in a healthy one.
func TestChecks_FindWhatIsInTheWay(t *testing.T) {
	found := map[string]bool{}
	for _, name := range []string{"broken", "broken-pre"} {
		_, o := cluster(t, name)
		for _, f := range Run(o.input(t, "clusterroles", "daemonsets", "services/status", "leases")).Findings {
			found[f.Check] = true
			if f.Mend == "" || f.Message == "" || f.Severity.rank() < 0 {
				t.Errorf("%s: %+v says too little", name, f)
			}
		}
	}
	all, o := cluster(t, "healthy-pre")
	addNodes(all, manyNodes)
	for _, f := range Run(o.input(t)).Findings {
		found[f.Check] = true
	}
	for _, c := range slices.Concat(always, before, after) {
		if !found[c.name] {
			t.Errorf("%s finds nothing in the broken clusters", c.name)
		}
	}
	for _, name := range []string{"healthy", "healthy-pre"} {
		_, o := cluster(t, name)
		if r := Run(o.input(t)); len(r.Findings)+len(r.Skipped) > 0 || len(r.Passed) != len(checksOf(o.pre)) {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// addNodes adds nodes that can have a speaker.
func addNodes(to *source.Memory, count int) {
	for i := range count {
		to.Items = append(to.Items, &corev1.Node{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Node"},
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("more-%d", i), Labels: map[string]string{corev1.LabelOSStable: "linux"}},
		})
	}
}

// TestFlowControl_IsSuggestedInLargeClusters, and the right to make it is asked for where it is in the values.
func TestFlowControl_IsSuggestedInLargeClusters(t *testing.T) {
	for _, test := range []struct {
		name   string
		more   int // than the one that is there
		values func(*values)
		want   bool
	}{
		{"as many as may be without it", manyNodes - 1, nil, false},
		{"a large one, with the values of the chart", manyNodes, nil, true},
		{"it is in the values", manyNodes, func(v *values) { v.FlowControl.Enabled = true }, false},
		{"it is not in the values", manyNodes, func(*values) {}, true},
		{"the speakers are on few nodes", manyNodes, func(v *values) { a := "a"; v.Speaker.NodeSelector["rack"] = &a }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			all, o := cluster(t, "healthy-pre")
			addNodes(all, test.more)
			in := o.input(t)
			if test.values != nil {
				in.values = defaultValues()
				test.values(in.values)
			}
			r := Run(in)
			got := slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Check == "flow-control" && f.Severity == Note })
			if got != test.want || !r.Well() {
				t.Errorf("it finds %+v", r.Findings)
			}
			wants := slices.ContainsFunc(wantedRights(in.values), func(r Right) bool { return r.Resource == "flowschemas" })
			if enabled := in.values != nil && in.values.FlowControl.Enabled; wants != enabled {
				t.Errorf("the right to make it is asked for: %t", wants)
			}
		})
	}
}

// TestChecks_OfWhatIsUnseen: a kind that may not be read makes no finding, and is said; one that is not installed has no objects.
func TestChecks_OfWhatIsUnseen(t *testing.T) {
	all, o := cluster(t, "healthy")
	all.Gaps = append(
		all.Gaps,
		source.Gap{Resource: source.Pods.Name(), Why: source.Forbidden, Instead: "shop"},
		source.Gap{Resource: source.Deployments.Name(), Why: source.Forbidden},
		source.Gap{Resource: calicoPeers.Name(), Why: source.NotInstalled},
	)
	r := Run(o.input(t))
	var skipped []string
	for _, s := range r.Skipped {
		skipped = append(skipped, s.Check+": "+s.Why)
	}
	want := []string{
		"ports-taken: you may not list pods of other namespaces than shop", "other-provider: you may not list deployments.apps",
		"programs: you may not list deployments.apps", "version-skew: you may not list deployments.apps",
	}
	if len(r.Findings) > 0 || !slices.Equal(skipped, want) || !slices.Contains(r.Passed, "bgp-beside") {
		t.Errorf("findings %+v, skipped %q, passed %q", r.Findings, skipped, r.Passed)
	}
}

// TestChecks_PassNothingThatIsForbidden: a check passes that needs no object, and no other.
func TestChecks_PassNothingThatIsForbidden(t *testing.T) {
	for _, name := range []string{"healthy", "healthy-pre"} {
		all, o := cluster(t, name)
		for _, q := range o.queries() {
			all.Gaps = append(all.Gaps, source.Gap{Resource: q.Kind.Name(), Why: source.Forbidden})
		}
		for _, passed := range Run(o.input(t)).Passed {
			if passed != "rights" && passed != "daemon-rights" { // of which the API server is asked
				t.Errorf("%s: %s passed", name, passed)
			}
		}
	}
}

// TestChecks_OfRoutersThatAreUnseen: which routers Daymark dials is half of what stands beside it.
func TestChecks_OfRoutersThatAreUnseen(t *testing.T) {
	all, o := cluster(t, "healthy")
	all.Gaps = append(all.Gaps, source.Gap{Resource: source.Peers.Name(), Why: source.Forbidden})
	if r := Run(o.input(t)); slices.Contains(r.Passed, "bgp-beside") {
		t.Errorf("passed %q", r.Passed)
	}
}

func TestChecks_KindsThatAreNotInstalled(t *testing.T) {
	all, o := cluster(t, "healthy")
	all.Gaps = []source.Gap{{Resource: source.Peers.Name(), Why: source.NotInstalled}}
	r := Run(o.input(t))
	if len(r.Findings) != 1 || r.Findings[0].Check != "kinds" || r.Findings[0].Object != "bgppeers.daymark.io" {
		t.Errorf("%+v", r.Findings)
	}
}

func TestChecks_ServerThatIsTooOld(t *testing.T) {
	_, o := cluster(t, "healthy-pre")
	in := o.input(t)
	in.Server = "v1.31.4"
	if r := Run(in); len(r.Findings) != 1 || r.Findings[0].Check != "kubernetes-version" {
		t.Errorf("%+v", r.Findings)
	}
	chart, err := os.ReadFile(filepath.Join("..", "..", "config", "chart", "Chart.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(chart), `kubeVersion: ">=`+oldest.String()+`.0-0"`) {
		t.Errorf("the chart has another oldest version than %s", oldest)
	}
}

// TestChecks_GossipThatIsOff: no speaker knows the others then, and need not.
func TestChecks_GossipThatIsOff(t *testing.T) {
	_, o := cluster(t, "broken")
	in := o.input(t)
	set := in.Cluster.SpeakerSet()
	set.Spec.Template.Spec.Containers[0].Args = []string{"--gossip-bind-address=0"}
	r := Run(in)
	if !slices.Contains(r.Skipped, Skipped{"gossip", "gossip is turned off"}) {
		t.Errorf("skipped %+v", r.Skipped)
	}
}

func TestChecks_ProgramsThatAreNotThere(t *testing.T) {
	_, o := cluster(t, "healthy")
	o.System = "elsewhere"
	var objects []string
	for _, f := range Run(o.input(t)).Findings {
		if f.Check == "programs" {
			objects = append(objects, f.Message)
		}
	}
	want := []string{"no Deployment in it has a container named controller", "no DaemonSet of Daymark is in it"}
	if !slices.Equal(objects, want) {
		t.Errorf("%q", objects)
	}
}

// TestChecks_OtherProviderBesideAClass: who serves a class alone does not mind others.
func TestChecks_OtherProviderBesideAClass(t *testing.T) {
	_, o := cluster(t, "broken-pre")
	in := o.input(t)
	in.Cluster.Settings.Classes.Classless = false
	for _, f := range Run(in).Findings {
		if f.Check == "other-provider" {
			t.Errorf("%+v", f)
		}
	}
}

// TestDaemonRights_AreSaidOnceForEachResource, with all verbs.
func TestDaemonRights_AreSaidOnceForEachResource(t *testing.T) {
	_, o := cluster(t, "healthy")
	var texts []string
	for _, f := range Run(o.input(t, "services/status", "leases", "speakers")).Findings {
		texts = append(texts, f.Object+": "+f.Message)
	}
	want := []string{
		"ServiceAccount daymark-system/daymark-controller: it may not patch services/status",
		"ServiceAccount daymark-system/daymark-controller: it may not get, list, watch speakers.daymark.io",
		"ServiceAccount daymark-system/daymark-controller: it may not get, list, create, update leases.coordination.k8s.io in namespace daymark-system",
		"ServiceAccount daymark-system/daymark-speaker: it may not get, list, watch, create speakers.daymark.io",
		"ServiceAccount daymark-system/daymark-speaker: it may not get, create, update leases.coordination.k8s.io in namespace daymark-system",
	}
	if !slices.Equal(texts, want) {
		t.Errorf("%q", texts)
	}
}

func TestDaemonRights_AreOfThoseThatAreInstalled(t *testing.T) {
	meta := metav1.ObjectMeta{Namespace: "daymark-system", Name: "acme-daymark-speaker"}
	set := &appsv1.DaemonSet{ObjectMeta: meta}
	set.Spec.Template.Spec = corev1.PodSpec{ServiceAccountName: "acme-daymark-speaker", Containers: []corev1.Container{{Name: "speaker"}}}
	rights, err := daemonRights()
	if err != nil {
		t.Fatal(err)
	}
	installedAs(rights, view.New(view.Input{System: "daymark-system", Objects: []runtime.Object{set}}))
	own := 0
	for _, r := range rights {
		if r.Account == "daymark-speaker" {
			t.Fatalf("of an account that is not there: %+v", r)
		}
		if r.Resource == "daemonsets" && r.Name == set.Name {
			own++
		}
	}
	if own == 0 || !slices.ContainsFunc(rights, func(r Right) bool { return r.Account == "daymark-controller" }) {
		t.Errorf("they are %+v", rights)
	}
}

func TestReport_IsWellWithANote(t *testing.T) {
	for severity, want := range map[Severity]bool{Note: true, Warning: false, Error: false} {
		if r := (Report{Findings: []Finding{{Severity: severity}}}); r.Well() != want {
			t.Errorf("with a finding that is a %s it is well: %v", severity, r.Well())
		}
	}
}

// TestDocs_HaveASectionForEachCheck, and none for another.
func TestDocs_HaveASectionForEachCheck(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", page))
	if err != nil {
		t.Fatal(err)
	}
	var sections, names []string
	for _, heading := range regexp.MustCompile(`(?m)^## (.*)$`).FindAllStringSubmatch(string(text), -1) {
		sections = append(sections, heading[1])
	}
	for _, c := range slices.Concat(always, before, after) {
		names = append(names, c.name)
	}
	slices.Sort(sections)
	slices.Sort(names)
	if !slices.Equal(sections, names) {
		t.Errorf("%s has the sections %q, and the checks are %q", page, sections, names)
	}
}

func TestCommand_Prints(t *testing.T) {
	for _, test := range []struct{ cluster, format string }{
		{"healthy", ""}, {"healthy-pre", ""}, {"broken", ""}, {"broken-pre", ""}, {"healthy-pre", "json"}, {"broken", "name"},
	} {
		t.Run(test.cluster+test.format, func(t *testing.T) {
			_, o := cluster(t, test.cluster)
			var out bytes.Buffer
			o.Out, o.ErrOut = &out, &out
			c := New(o.Env)
			c.SetArgs([]string{"--output=" + test.format, "--pre=" + map[bool]string{true: "true", false: "false"}[o.pre]})
			err := c.ExecuteContext(t.Context())
			if wrong := strings.HasPrefix(test.cluster, "broken"); errors.Is(err, env.ErrWrong) != wrong {
				t.Errorf("it ends with %v", err)
			}
			goldentest.Compare(t, test.cluster+test.format, out.String())
		})
	}
}

// In a large cluster most speakers do not count the others, which is no finding.
func TestChecks_SpeakerThatDoesNotCountTheOthers(t *testing.T) {
	all, o := cluster(t, "healthy")
	uncounted := 0
	for _, item := range all.Items {
		if s, ok := item.(*v1beta1.Speaker); ok {
			s.Status.Members = 0
			uncounted++
		}
	}
	if found := gossip(o.input(t)); uncounted == 0 || len(found) > 0 {
		t.Errorf("of %d speakers that do not count the others it is said: %v", uncounted, found)
	}
}

// A service proxy that is just being restarted fails for some seconds, in which the node announces all the same.
func TestChecks_ServiceProxyThatHasJustBegunToFail(t *testing.T) {
	for why, want := range map[string]Severity{status.ProxyFails.Name: Warning, status.ProxyOthersUnknown.Name: Error, v1beta1.ReasonAttractsNothing: Error} {
		all, o := cluster(t, "healthy")
		changed := 0
		for _, item := range all.Items {
			s, ok := item.(*v1beta1.Speaker)
			if !ok {
				continue
			}
			changed++
			meta.SetStatusCondition(&s.Status.Conditions, metav1.Condition{Type: v1beta1.ConditionServiceProxyUnhealthy, Status: metav1.ConditionTrue, Reason: why, Message: "it fails"})
		}
		found := serviceProxy(o.input(t))
		if changed == 0 || len(found) != changed || found[0].Severity != want {
			t.Errorf("%s, of %d nodes: %v, want severity %v", why, changed, found, want)
		}
	}
}
