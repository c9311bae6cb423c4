package validate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/goldentest"
)

// run the command and return what it prints and its exit status.
func run(t *testing.T, in string, args ...string) (out, remarks string, status int) {
	t.Helper()
	var data, progress bytes.Buffer
	e := env.New(genericiooptions.IOStreams{In: strings.NewReader(in), Out: &data, ErrOut: &progress})
	e.Now = func() time.Time { return time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC) }
	e.System = "daymark-system"
	c := New(e)
	c.Flags().StringVar(&e.From, "from", "", "")
	c.SilenceErrors, c.SilenceUsage = true, true
	c.SetArgs(args)
	err := c.ExecuteContext(t.Context())
	return data.String(), progress.String(), env.ExitStatus(err)
}

func TestValidate_Prints(t *testing.T) {
	for _, test := range []struct{ name, args string }{
		{"faults", "testdata/faults.yaml"},
		{"faults-sarif", "-o sarif testdata/faults.yaml"},
		{"right", "testdata/right.yaml"},
		{"warnings", "testdata/warnings.yaml"},
		{"warnings-strict", "--strict -f testdata/warnings.yaml"},
		{"directory-json", "-o json testdata"},
		{"in-a-cluster", "--from ../testdata/healthy.yaml testdata/overlap.yaml"},
		{"in-a-cluster-sarif", "-o sarif --from ../testdata/healthy.yaml testdata/overlap.yaml"},
		{"missing-file", "testdata/no-such-file.yaml"},
		{"no-file", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			out, remarks, status := run(t, "", strings.Fields(test.args)...)
			goldentest.Compare(t, test.name, fmt.Sprintf("%s--- stderr\n%s--- status %d\n", out, remarks, status))
		})
	}
}

func TestValidate_ReadsTheStandardInput(t *testing.T) {
	out, _, status := run(t, "apiVersion: daymark.io/v1beta1\nkind: IPAddressPool\nmetadata: {name: x}\nspec: {addresses: []}\n", "-")
	if status != env.ExitWrong || !strings.HasPrefix(out, "stdin:4:") {
		t.Errorf("%s, status %d", out, status)
	}
}

func TestSARIF_NamesFilesAsURIs(t *testing.T) {
	for file, want := range map[string]string{"deploy/pools.yaml": "deploy/pools.yaml", "my pools/a%b.yaml": "my%20pools/a%25b.yaml"} {
		if got := uri(file); got != want {
			t.Errorf("%s is %s", file, got)
		}
	}
}

// What a user may not list is not said to be missing; what is wrong by itself is said.
func TestValidate_SaysNothingOfWhatIsNotSeen(t *testing.T) {
	say := func(partly bool) (missing, errors int) {
		documents, _, _, err := ReadFiles([]string{"testdata/warnings.yaml", "testdata/faults.yaml"}, true, nil)
		if err != nil {
			t.Fatal(err)
		}
		found, err := Check(t.Context(), documents, &Others{Live: true, Partly: partly, System: "daymark-system"})
		if err != nil {
			t.Fatal(err)
		}
		for i := range found {
			if strings.Contains(found[i].Message, "does not exist") {
				missing++
			} else if found[i].Severity == Error {
				errors++
			}
		}
		return missing, errors
	}
	missing, errors := say(false)
	some, same := say(true)
	if missing == 0 || some != 0 || same != errors {
		t.Errorf("%d are said to be missing, %d where not all is seen; %d and %d errors", missing, some, errors, same)
	}
}

// GitHub refuses a log in which a result has no place, or a rule no text; it tells results apart by their fingerprints.
func TestSARIF_HasWhatGitHubRequires(t *testing.T) {
	for _, args := range []string{"testdata/faults.yaml", "--from ../testdata/healthy.yaml testdata/overlap.yaml", "testdata/right.yaml"} {
		out, _, _ := run(t, "", append([]string{"-o", "sarif"}, strings.Fields(args)...)...)
		var log sarifLog
		if err := json.Unmarshal([]byte(out), &log); err != nil || log.Version != "2.1.0" || len(log.Runs) != 1 {
			t.Fatalf("%s: %v", args, err)
		}
		rules, fingerprints := map[string]bool{}, map[string]bool{}
		for _, r := range log.Runs[0].Tool.Driver.Rules {
			rules[r.ID] = true
			if r.Short.Text == "" || r.Full.Text == "" || r.Help.Text == "" {
				t.Errorf("%s: rule %+v", args, r)
			}
		}
		for _, r := range log.Runs[0].Results {
			if len(r.Locations) != 1 || r.Locations[0].Physical.Artifact.URI == "" || r.Locations[0].Physical.Region.StartLine < 1 || r.Message.Text == "" || !rules[r.RuleID] {
				t.Errorf("%s: result %+v", args, r)
			}
			if fingerprints[r.Fingerprints.Primary] || r.Fingerprints.Primary == "" {
				t.Errorf("%s: fingerprint %q of %s", args, r.Fingerprints.Primary, r.Message.Text)
			}
			fingerprints[r.Fingerprints.Primary] = true
		}
	}
}

// A result stays the same one when lines come before it.
func TestSARIF_FingerprintsDoNotFollowLines(t *testing.T) {
	const wrong = "apiVersion: daymark.io/v1beta1\nkind: IPAddressPool\nmetadata: {name: x}\nspec: {addresses: [none]}\n"
	fingerprint := func(text string) string {
		out, _, _ := run(t, text, "-o", "sarif", "-")
		var log sarifLog
		if err := json.Unmarshal([]byte(out), &log); err != nil || len(log.Runs[0].Results) != 1 {
			t.Fatalf("%v: %s", err, out)
		}
		return log.Runs[0].Results[0].Fingerprints.Primary
	}
	if before, after := fingerprint(wrong), fingerprint("# a remark\n\n"+wrong); before != after {
		t.Errorf("%s became %s", before, after)
	}
}

func TestRead_IsBounded(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for i := range 9 {
		letter, before := string(rune('b'+i)), string(rune('a'+i))
		bomb += letter + ": &" + letter + " [" + strings.TrimSuffix(strings.Repeat("*"+before+",", 9), ",") + "]\n"
	}
	for name, text := range map[string]string{
		"aliases in aliases": "# daymark.io\n" + bomb,
		"a file too large":   strings.Repeat("#", maxFileBytes+1),
		"too many documents": strings.Repeat("a: 1\n---\n", maxDocuments+1),
		"deep lists":         "# daymark.io\n" + strings.Repeat("[", 20_000),
	} {
		t.Run(name, func(t *testing.T) {
			if _, problems := Read("x", strings.NewReader(text)); len(problems) == 0 {
				t.Error("nothing is said")
			}
		})
	}
}

// FuzzCheck: whatever stands in a file, it is said in words, at a line of it.
func FuzzCheck(f *testing.F) {
	for _, name := range []string{"faults", "right", "warnings", "overlap"} {
		text, err := os.ReadFile(filepath.Join("testdata", name+".yaml"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	known, err := newKinds() // once: it takes longer than all else
	if err != nil {
		f.Fatal(err)
	}
	const pool = "apiVersion: daymark.io/v1beta1\nkind: IPAddressPool\nmetadata: {name: x}\n"
	f.Add(pool + "spec: {addresses: [192.0.2.0/28], \"addresses[-1]\": 1}\n")
	f.Add(pool + "\"\": 1\n")
	f.Add(pool + "\".\": 1\n")
	f.Add(pool + "spec: {\"\\e[2J\\nx\": 1}\n")
	f.Fuzz(func(t *testing.T, text string) {
		documents, found := Read("x", strings.NewReader(text))
		checked, err := known.checkAll(t.Context(), documents, &Others{})
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Count(text, "\n") + 1
		for _, one := range append(found, checked...) {
			if one.Message == "" || one.Line < 1 || one.Line > lines+1 {
				t.Errorf("%d lines: %+v", lines, one)
			}
			if strings.ContainsFunc(one.String(), unicode.IsControl) {
				t.Errorf("it steers the terminal: %q", one.String())
			}
			if _, err := json.Marshal(one); err != nil {
				t.Error(err)
			}
		}
	})
}
