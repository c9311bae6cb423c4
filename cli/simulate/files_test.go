package simulate

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/source"
)

// "Nothing changes" must not be said of a file that was not read: what names no kind of Daymark's counts as well.
func TestDiff_NamesWhatItDoesNotRead(t *testing.T) {
	healthy, err := source.Open("../testdata/healthy.yaml", time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, file, content, want string
		status                    int
	}{
		{"a Node that is no YAML", "node.yaml", "apiVersion: v1\nkind: Node\nmetadata: {name: n1\n", "left out: %s:3: error: this is not YAML", env.ExitWrong},
		{"a list", "list.json", "[1]", "left out: %s:1: error: this is no object of Kubernetes, but a list", env.ExitWrong},
		{"values of Helm", "values.yaml", "# of a chart\nreplicas: 3\n", "ignored: %s:2, which is no object of Kubernetes", 0},
		{"another kind", "deployment.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n", "ignored: Deployment web", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), test.file)
			if err := os.WriteFile(file, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			var out, remarks bytes.Buffer
			e := env.New(genericiooptions.IOStreams{Out: &out, ErrOut: &remarks})
			e.Now, e.Objects, e.System = func() time.Time { return healthy.Time }, healthy, "daymark-system"
			c := NewDiff(e)
			c.SilenceErrors, c.SilenceUsage = true, true
			c.SetArgs([]string{"-f", file})
			status := env.ExitStatus(c.ExecuteContext(t.Context()))
			if want := strings.ReplaceAll(test.want, "%s", file); status != test.status || !strings.Contains(remarks.String(), want) || out.Len() > 0 {
				t.Errorf("status %d, it says\n%s%s, and not %q", status, out.String(), remarks.String(), want)
			}
		})
	}
}
