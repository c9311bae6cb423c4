package archtest

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBubbles_KeepTheRaceDetectorWhole finds tests that make a bubble without internal/bubble.
func TestBubbles_KeepTheRaceDetectorWhole(t *testing.T) {
	found := 0
	err := filepath.WalkDir("../..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") || filepath.Base(path) == "bubble_test.go" {
			return err
		}
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte("synctest.Test(")) {
			t.Errorf("%s calls synctest.Test: bubble.Test does so on one processor", path)
		}
		found += bytes.Count(text, []byte("bubble.Test("))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if found == 0 {
		t.Error("no test calls bubble.Test: has it moved?")
	}
}
