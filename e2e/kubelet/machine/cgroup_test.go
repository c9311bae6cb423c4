package machine

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// Two runs at once, and one that was killed. A group without processes may still be somebody's: a Pod has some.
func TestCgroups_ThoseOfARunThatGoesOnStay(t *testing.T) {
	runs, hierarchy := t.TempDir(), t.TempDir()
	for _, work := range []string{"daymark-lab-1", "daymark-lab-2"} {
		if err := os.Mkdir(filepath.Join(runs, work), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	stays := map[string]bool{
		"daymark-lab-1-kubelet-7-n1": true, "daymark-lab-2-kubelet-8-n1": true, "daymark-lab-3-kubelet-9-n1": false, "system.slice": true,
	}
	for group := range stays {
		if err := os.MkdirAll(filepath.Join(hierarchy, group, "kubepods"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c := &Cgroups{hierarchies: []string{hierarchy}}
	if err := c.sweep(filepath.Join(runs, "daymark-lab-1")); err != nil {
		t.Fatal(err)
	}
	for group, stay := range stays {
		if _, err := os.Stat(filepath.Join(hierarchy, group, "kubepods")); errors.Is(err, fs.ErrNotExist) == stay {
			t.Errorf("%s: %v, want it to stay: %t", group, err, stay)
		}
	}
}
