package keep

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// A program of `go run` has the name of the one that stays, in another folder. Two labs ran, and one of them could not be ended.
func TestFile_ASecondLabIsRefusedWhicheverProgramAsks(t *testing.T) {
	t.Chdir(t.TempDir())
	work := filepath.Join(t.TempDir(), "lab")
	lab := exec.Command("cat")
	lab.Env = []string{"LAB=" + work}
	in, err := lab.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := lab.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := lab.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = lab.Process.Kill()
		_ = lab.Wait()
	})
	// Its environment can be read once it runs: Start returns a moment before.
	if _, err := in.Write([]byte("?")); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{filepath.Base(self), "another"} {
		f := File(name + ".json")
		if err := f.Free(); err != nil {
			t.Errorf("%s: before there is one: %v", name, err)
		}
		description := fmt.Sprintf(`{"PID": %d, "Work": %q}`, lab.Process.Pid, work)
		if err := os.WriteFile(string(f), []byte(description), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := f.Free(); err == nil {
			t.Errorf("%s: a second lab is let in beside a first", name)
		}
	}
}
