package check

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/source"
)

func TestReport_IsCompletedWithWhatABundleHas(t *testing.T) {
	const notInFile = "pods of other namespaces are not in the file"
	error1, warning := Finding{Check: "ports-taken", Severity: Error, Message: "taken"}, Finding{Check: "gossip", Severity: Warning}
	now := func() Report {
		return Report{Findings: []Finding{warning}, Passed: []string{"kinds"}, Skipped: []Skipped{{"ports-taken", notInFile}}}
	}
	for _, test := range []struct {
		name, recorded string
		want           Report
		wrong          bool
	}{
		{
			name:     "it found something",
			recorded: `{"findings": [{"check": "ports-taken", "severity": "error", "message": "taken"}, {"check": "kinds", "severity": "error"}]}`,
			want:     Report{Findings: []Finding{error1, warning}, Passed: []string{"kinds"}},
		},
		{name: "it found nothing", recorded: `{"passed": ["ports-taken", "strict-arp"]}`, want: Report{Findings: []Finding{warning}, Passed: []string{"kinds", "ports-taken"}}},
		{name: "it could not", recorded: `{"skipped": [{"check": "ports-taken", "why": "you may not list pods"}]}`, want: Report{
			Findings: []Finding{warning}, Passed: []string{"kinds"}, Skipped: []Skipped{{"ports-taken", "you may not list pods"}},
		}},
		{name: "it knew no such check", recorded: `{}`, want: now()},
		{name: "a severity that is none", recorded: `{"findings": [{"check": "ports-taken", "severity": "loud"}]}`, want: now()},
		{name: "no report", recorded: `[`, want: now(), wrong: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := now()
			if err := got.complete([]byte(test.recorded)); (err != nil) != test.wrong {
				t.Error(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestLook_ReadsWhatABundleSays of Pods and ConfigMaps that it does not have; --pre asks for a cluster as it is to be, of which it says nothing.
func TestLook_ReadsWhatABundleSays(t *testing.T) {
	for _, test := range []struct {
		name, recorded string
		pre            bool
		passed         bool
		says           string
	}{
		{name: "after an install", recorded: `{"passed": ["strict-arp", "ports-taken"]}`, passed: true},
		{name: "before one", recorded: `{"passed": ["strict-arp", "ports-taken"]}`, pre: true},
		{name: "it is damaged", recorded: `[`, says: "not seen: what was checked when the bundle was written: read the report"},
		{name: "it has none"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var content, said bytes.Buffer
			w := source.NewBundleWriter(&content, source.Manifest{Time: time.Unix(1_795_000_000, 0)})
			if test.recorded != "" {
				if err := w.AddFile(source.ChecksName, []byte(test.recorded)); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			name := filepath.Join(t.TempDir(), "bundle.tgz")
			if err := os.WriteFile(name, content.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			e := env.New(genericiooptions.IOStreams{Out: &said, ErrOut: &said})
			e.From = name
			report, err := (&options{Env: e, pre: test.pre}).look(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			skipped := slices.ContainsFunc(report.Skipped, func(s Skipped) bool { return s.Check == "strict-arp" })
			if slices.Contains(report.Passed, "strict-arp") != test.passed || skipped == test.passed || !strings.Contains(said.String(), test.says) {
				t.Errorf("it said %q, and reports %+v", said.String(), report)
			}
		})
	}
}
