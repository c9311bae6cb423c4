// Package goldentest compares what commands print with files in testdata/golden. It is for tests alone, and gives them the flag -update.
package goldentest

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write what the commands print into testdata, to be read before it is committed")

// Compare what a command has printed with testdata/golden/NAME.txt.
func Compare(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name+".txt")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s has\n%s\nprinted is\n%s", file, want, got)
	}
}
