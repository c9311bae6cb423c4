package netnstest

import (
	"testing"

	"github.com/daymark-lb/daymark/internal/testnet"
)

// NeedProgram skips the test when a program is not installed, but fails it in CI, where all must be.
func NeedProgram(t testing.TB, name string) {
	t.Helper()
	need(t, testnet.Require(name))
}

// NeedVersion is NeedProgram for a name that several programs have. It runs the program with flag, and returns the first
// of the known texts that its output contains. A program whose output contains none of them counts as not installed.
func NeedVersion(t testing.TB, name, flag string, known ...string) string {
	t.Helper()
	text, err := testnet.RequireVersion(name, flag, known...)
	need(t, err)
	return text
}

// need ends a test that cannot run here because something is missing; nil is nothing.
func need(t testing.TB, missing error) {
	t.Helper()
	switch {
	case missing == nil:
	case testnet.MayMiss():
		t.Skip(missing)
	default:
		t.Fatalf("CI must have all programs: %v", missing)
	}
}
