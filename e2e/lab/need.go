package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Need skips the test when a program that it needs is not installed; where DAYMARK_REQUIRE_PEERS or CI is set it fails
// instead, so that nobody believes to have tested against what was not there.
func Need(t T, program interface{ Installed() bool }) {
	t.Helper()
	if program.Installed() {
		return
	}
	if os.Getenv("CI") != "" || os.Getenv("DAYMARK_REQUIRE_PEERS") != "" {
		t.Fatalf("%v is not installed, and CI or DAYMARK_REQUIRE_PEERS asks for it", program)
	}
	t.Skipf("%v is not installed", program)
}

// systemProgram finds a program where Debian puts it too, which an ordinary user's PATH does not have.
func systemProgram(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, folder := range []string{"/usr/sbin", "/sbin"} {
		if path, err := exec.LookPath(filepath.Join(folder, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("find %s: %w", name, exec.ErrNotFound)
}
