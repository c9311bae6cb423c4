package main

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/cli/redact"
	"github.com/daymark-lb/daymark/cli/source"
)

// questions to a cluster.
var questions = []string{
	"services -A -o wide", "status", "problems", "problems -o wide", "version", "explain address 192.0.2.203", "explain address 203.0.113.1",
	"explain node n1", "explain node n2", "explain pool lan", "explain peer tor", "explain web", "explain service api -n shop",
}

// bundleOf a cluster of testdata, written by the command.
func bundleOf(t *testing.T, cluster, flags string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "bundle.tgz")
	if out := do(t, cluster, "bundle -o "+name+" "+flags); !strings.HasPrefix(out, name+"\n") || !strings.HasSuffix(out, "--- status 0\n") {
		t.Fatalf("it says %s", out)
	}
	return name
}

func open(t *testing.T, file string) *source.Memory {
	t.Helper()
	all, err := source.Open(file, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestBundle_AnswersAsTheClusterDoes, also one of who may not see all.
func TestBundle_AnswersAsTheClusterDoes(t *testing.T) {
	for _, cluster := range []string{"healthy", "broken", "broken as tenant"} {
		file := bundleOf(t, cluster, "")
		for _, question := range append([]string{"routes"}, questions...) {
			if live, later := do(t, cluster, question), ask(t, open(t, file), question); live != later {
				t.Errorf("%s: %s says\n%s\nand from a bundle\n%s", cluster, question, live, later)
			}
		}
	}
}

// TestBundle_RedactedAnswersTheSameInOtherWords: that names and addresses are others is the only difference, and that it has no digests of
// routes, which are of the addresses as they are.
func TestBundle_RedactedAnswersTheSameInOtherWords(t *testing.T) {
	for _, cluster := range []string{"healthy", "broken"} {
		survey := redact.NewSurvey("daymark-system")
		for _, item := range open(t, bundleOf(t, cluster, "")).Items {
			if err := survey.AddObject(item); err != nil {
				t.Fatal(err)
			}
		}
		words, err := survey.Redactor()
		if err != nil {
			t.Fatal(err)
		}
		redacted := bundleOf(t, cluster, "--redact")
		for _, question := range questions {
			want, got := compared(words.Text(do(t, cluster, question))), compared(ask(t, open(t, redacted), words.Text(question)))
			if want != got {
				t.Errorf("%s: %s says\n%s\nand from a redacted bundle\n%s", cluster, question, want, got)
			}
		}
	}
}

var (
	layout = regexp.MustCompile(` +`)
	sent   = regexp.MustCompile(`, as the objects ask for|, which DIFFER from [^;\n]*| \(not compared with what [^)]*\)|` +
		`(?m:^.*SentDiffers.*\n(?: {4}.*\n)*)|\d+ problems`)
)

// compared without what digests say, the widths of columns, which depend on the length of names, and the order of lines: names that stay are not in order.
func compared(text string) string {
	lines := strings.Split(layout.ReplaceAllString(sent.ReplaceAllString(text, ""), " "), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
