package check

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/cli/view"
)

// chartFolder has the values that the checks read.
var chartFolder = filepath.Join("..", "..", "config", "chart")

func TestValues_AreByDefaultThoseOfTheChart(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(chartFolder, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	chart := new(values)
	if err := yaml.Unmarshal(text, chart); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(chart, defaultValues()); diff != "" {
		t.Errorf("the chart has other values: %s", diff)
	}
}

// TestCommand_LooksForWhatTheValuesSay: of a cluster with MetalLB in it, nothing is in the way of who goes beside it.
func TestCommand_LooksForWhatTheValuesSay(t *testing.T) {
	own := func(t *testing.T, text string) string {
		file := filepath.Join(t.TempDir(), "values.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	const taken, theirs = "ports-taken: Pod other/forwarded: it has ", "ports-taken: Pod metallb-system/speaker-a: it has "
	beside := filepath.Join(chartFolder, "ci", "beside-metallb.yaml")
	for _, test := range []struct {
		name   string
		values []string // files, or what is in them
		has    []string
		lacks  []string
	}{
		{"none: the defaults, which are nobody else's", nil, []string{taken + "7476 TCP, 7477 TCP, 7477 UDP of node n1", "other-provider: ", "exclude-label: "}, []string{theirs}},
		{"beside MetalLB", []string{beside}, nil, []string{theirs, "other-provider: "}},
		{"one port is moved", []string{"ports: {speakerHealth: 7482}"}, []string{taken + "7477 TCP, 7477 UDP of node n1"}, nil},
		{"the ports of before, beside MetalLB", []string{"ports: {speakerMetrics: 7472, gossip: 7946}"}, []string{theirs + "7472 TCP, 7946 TCP, 7946 UDP of node n1"}, nil},
		{"without gossip, and health elsewhere", []string{"ports: {speakerHealth: 7482}\nspeaker: {gossip: false}"}, nil, []string{"ports-taken"}},
		{"without metrics", []string{"ports: {speakerMetrics: 0, gossip: 7946}"}, []string{theirs + "7946 TCP"}, []string{"7472"}},
		{"with traces, at a port that another Pod has", []string{beside, "speaker: {trace: true}\nports: {speakerTrace: 7472}"}, []string{"it has 7472 TCP of node n1"}, nil},
		{"of two files the later one counts", []string{beside, "ports: {gossip: 7946}"}, []string{theirs + "7946 TCP, 7946 UDP"}, []string{"7472", "other-provider"}},
		{"the speakers are on other nodes", []string{"speaker: {nodeSelector: {rack: a}}"}, nil, []string{"ports-taken", "exclude-label: ", "kubernetes-version"}},
		{"a later file has them everywhere", []string{"speaker: {nodeSelector: {rack: a}}", "speaker: {nodeSelector: {rack: null}}"}, []string{taken}, nil},
		{"tolerations that the node does not need", []string{"speaker: {tolerations: [{key: a, operator: Exists}]}"}, []string{taken}, nil},
		{"layer 2 is in the values", []string{"l2Advertisements: [{name: lan}]"}, []string{"error   strict-arp: "}, nil},
		{"layer 2 is not in the values", []string{"bgpAdvertisements: [{name: wan}]"}, []string{"warning strict-arp: "}, nil},
		{"nodes with the label announce", []string{"ignoreExcludeLabel: true"}, nil, []string{"exclude-label: "}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, o := cluster(t, "broken-pre")
			args := []string{"--pre"}
			for _, v := range test.values {
				if v != beside {
					v = own(t, v)
				}
				args = append(args, "--values", v)
			}
			out, err := ran(t, o, args...)
			if !errors.Is(err, env.ErrWrong) { // the cluster has more that is in the way
				t.Fatalf("it ends with %v", err)
			}
			findings, _, _ := strings.Cut(out, "passed ")
			for _, text := range test.has {
				if !strings.Contains(findings, text) {
					t.Errorf("%q is not in\n%s", text, findings)
				}
			}
			for _, text := range test.lacks {
				if strings.Contains(findings, text) {
					t.Errorf("%q is in\n%s", text, findings)
				}
			}
		})
	}
}

func TestCommand_RefusesValuesThatItCannotUse(t *testing.T) {
	_, o := cluster(t, "healthy-pre")
	broken := filepath.Join(t.TempDir(), "broken.yaml")
	if err := os.WriteFile(broken, []byte("ports: {gossip: many}"), 0o600); err != nil {
		t.Fatal(err)
	}
	tolerant := filepath.Join(t.TempDir(), "tolerant.yaml")
	if err := os.WriteFile(tolerant, []byte("speaker: {tolerations: [all]}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		args []string
		want string
	}{
		{"a file that is not there", []string{"--pre", "--values", broken + "x"}, "read values: open "},
		{"a word for a port", []string{"--pre", "--values", broken}, "read values in " + broken},
		{"a word for a toleration", []string{"--pre", "--values", tolerant}, "read values in " + tolerant + ": read speaker.tolerations: "},
		{"of an installation", []string{"--values", broken}, "use it with --pre"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := ran(t, o, test.args...); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("it ends with %v, want %q", err, test.want)
			}
		})
	}
}

// TestInput_NodesAreThoseOfTheValues: where Daymark is installed already, what is to be installed counts, and not what is.
func TestInput_NodesAreThoseOfTheValues(t *testing.T) {
	node := func(name, taint string) *corev1.Node {
		n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelOSStable: "linux", "rack": name}}}
		if taint != "" {
			n.Spec.Taints = []corev1.Taint{{Key: taint, Effect: corev1.TaintEffectNoSchedule}}
		}
		return n
	}
	set := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: "daymark-system", Name: "daymark-speaker"}}
	set.Spec.Template.Spec = corev1.PodSpec{NodeSelector: map[string]string{"rack": "a"}, Containers: []corev1.Container{{Name: "speaker"}}}
	all := []runtime.Object{node("a", ""), node("b", ""), node("c", "edge"), set}
	for _, test := range []struct {
		name, values string
		want         []string
	}{
		{"no values", "", []string{"a"}},
		{"defaults", "{}", []string{"a", "b", "c"}},
		{"a selector", "speaker: {nodeSelector: {rack: b}}", []string{"b"}},
		{"no tolerations", "speaker: {tolerations: null}", []string{"a", "b"}},
		{"others in place of all", "speaker: {tolerations: [{key: other, effect: NoSchedule}]}", []string{"a", "b"}},
	} {
		in := &Input{Objects: &source.Objects{Items: all}, Cluster: view.New(view.Input{System: "daymark-system", Objects: all})}
		if test.values != "" {
			file := filepath.Join(t.TempDir(), "values.yaml")
			err := os.WriteFile(file, []byte(test.values), 0o600)
			var readErr error
			in.values, readErr = readValues([]string{file})
			if err := errors.Join(err, readErr); err != nil {
				t.Fatal(err)
			}
		}
		if got := slices.Sorted(maps.Keys(in.nodes())); !slices.Equal(got, test.want) {
			t.Errorf("%s: they are %v, not %v", test.name, got, test.want)
		}
	}
}

// TestChecks_MendNamesTheGossipPortThatIsSet, and not the default.
func TestChecks_MendNamesTheGossipPortThatIsSet(t *testing.T) {
	_, o := cluster(t, "broken")
	in := o.input(t)
	in.Cluster.SpeakerSet().Spec.Template.Spec.Containers[0].Args = []string{"--gossip-bind-address=:7956"}
	seen := false
	for _, f := range Run(in).Findings {
		if f.Check == "gossip" {
			seen = true
			if f.Mend != "Let TCP and UDP port 7956 through between all nodes, in both directions." {
				t.Errorf("it says %q", f.Mend)
			}
		}
	}
	if !seen {
		t.Error("the gossip is well")
	}
}

// ran runs the command on a cluster of testdata, and returns what it prints.
func ran(t *testing.T, o *options, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	o.Out, o.ErrOut = &out, &out
	c := New(o.Env)
	c.SilenceUsage, c.SilenceErrors = true, true
	c.SetArgs(args)
	err := c.ExecuteContext(t.Context())
	return out.String(), err
}
