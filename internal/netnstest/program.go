package netnstest

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// NeedProgram skips the test when a program is not installed, but fails it in CI, where all must be.
func NeedProgram(t testing.TB, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		missing(t, name+" is not installed")
	}
}

// NeedVersion is NeedProgram for a name that several programs have. It runs the program with flag, and returns the first
// of the known texts that its output contains. A program whose output contains none of them counts as not installed.
func NeedVersion(t testing.TB, name, flag string, known ...string) string {
	t.Helper()
	NeedProgram(t, name)
	output, _ := exec.CommandContext(t.Context(), name, flag).CombinedOutput() // Some exit with 1 after printing it.
	for _, text := range known {
		if strings.Contains(string(output), text) {
			return text
		}
	}
	line, _, _ := strings.Cut(string(output), "\n")
	missing(t, name+" is another program of that name: it says \""+line+"\", and not "+strings.Join(known, " or "))
	return ""
}

// missing ends a test that cannot run here.
func missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s, and CI must have it", why)
	}
	t.Skip(why)
}
