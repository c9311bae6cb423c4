package build

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/release/source"
)

// What the caller has written by `go env -w` changes nothing of what is made, and where modules come from still counts.
func TestGo_TakesOverOnlyWhereThingsAre(t *testing.T) {
	file := filepath.Join(t.TempDir(), "env")
	settings := "GOFLAGS=-tags=x\nGOEXPERIMENT=nojsonv2\nGOAMD64=v3\nCGO_ENABLED=1\nGOPROXY=https://proxy.example.com\n"
	if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOENV", file)
	t.Setenv("GOPROXY", "")
	t.Setenv("GOFLAGS", "")
	text, err := Go(t.Context(), source.Tree{Root: "."}, Platform{OS: "linux", Arch: "amd64"}, "env", "GOFLAGS", "GOEXPERIMENT", "GOAMD64", "CGO_ENABLED", "GOPROXY").Output()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n"), []string{"", "", "v1", "0", "https://proxy.example.com"}; !slices.Equal(got, want) {
		t.Errorf("the toolchain has %q, want %q", got, want)
	}
}
