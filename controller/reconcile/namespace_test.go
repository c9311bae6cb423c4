package reconcile

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/daymark-lb/daymark/e2e/lab/build"
)

// Who wants Daymark in another namespace says `namespace:` in a kustomization of one's own: nothing may go on naming the usual one.
func TestConfig_CanBeInAnotherNamespace(t *testing.T) {
	overlay := t.TempDir()
	config, err := filepath.Abs("../../config/default")
	must(t, err)
	config, err = filepath.Rel(overlay, config)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(overlay, "kustomization.yaml"), []byte("namespace: load-balancer\nresources: ["+config+"]\n"), 0o600))
	text, err := exec.CommandContext(t.Context(), build.KubernetesProgram("kubectl"), "kustomize", overlay).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if !bytes.Contains(text, []byte("namespace: load-balancer")) {
		t.Error("it is not in the other namespace")
	}
	for line := range bytes.Lines(text) {
		if bytes.Contains(line, []byte(daymarkNamespace)) {
			t.Errorf("it says %s", line)
		}
	}
}
