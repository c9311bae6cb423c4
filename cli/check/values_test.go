package check

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/daymark-lb/daymark/cli/env"
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
	for _, test := range []struct {
		name string
		args []string
		want string
	}{
		{"a file that is not there", []string{"--pre", "--values", broken + "x"}, "read values: open "},
		{"a word for a port", []string{"--pre", "--values", broken}, "read values in " + broken},
		{"of an installation", []string{"--values", broken}, "use it with --pre"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := ran(t, o, test.args...); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("it ends with %v, want %q", err, test.want)
			}
		})
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
