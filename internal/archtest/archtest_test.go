package archtest

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/daymark-lb/daymark/"

// pure packages decide; they may not reach anything that acts, by whatever way.
var pure = []string{"internal/core/lb", "internal/core/rendezvous", "internal/core/ipam", "internal/core/announce", "internal/core/bfdsession", "internal/core/election"}

// impure is what a pure package may not import: sockets, files, clocks that tick, clients of the API server, loops.
var impure = []string{
	"net/http", "os/exec", "log", "log/slog",
	"k8s.io/client-go/", "sigs.k8s.io/controller-runtime/",
	"github.com/osrg/gobgp/", "github.com/hashicorp/", "github.com/mdlayher/", "github.com/vishvananda/",
}

// only says which packages alone may import a library.
var only = map[string][]string{
	"github.com/osrg/gobgp/":          {"speaker/bgp"},
	"github.com/hashicorp/memberlist": {"speaker/gossip"},
	"github.com/mdlayher/":            {"speaker/layer2", "speaker/unnumbered"},
}

type pkg struct {
	ImportPath string
	Name       string
	Doc        string
	Imports    []string
	GoFiles    []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Name,Doc,Imports,GoFiles", "./...")
	command.Dir = "../.."
	output, err := command.Output()
	if err != nil {
		t.Fatalf("list packages: %v", err)
	}
	var all []pkg
	decoder := json.NewDecoder(strings.NewReader(string(output)))
	for {
		var p pkg
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("read the list of packages: %v", err)
		}
		all = append(all, p)
	}
}

func TestEveryPackageSaysWhatItsJobIs(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.GoFiles) > 0 && p.Doc == "" {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
	}
}

func TestPurePackagesReachNothingThatActs(t *testing.T) {
	byPath := map[string]pkg{}
	for _, p := range packages(t) {
		byPath[p.ImportPath] = p
	}
	for _, name := range pure {
		if _, ok := byPath[module+name]; !ok {
			t.Errorf("pure package %s does not exist: is the list out of date?", name)
		}
		reach(t, byPath, module+name, []string{name})
	}
}

// reach follows the imports of our own packages and complains of what acts.
func reach(t *testing.T, byPath map[string]pkg, path string, trail []string) {
	t.Helper()
	for _, imported := range byPath[path].Imports {
		if imported == "os" || imported == "net" || slices.ContainsFunc(impure, func(prefix string) bool {
			return imported == strings.TrimSuffix(prefix, "/") || strings.HasSuffix(prefix, "/") && strings.HasPrefix(imported, prefix)
		}) {
			t.Errorf("pure package imports %s: %s", imported, strings.Join(trail, " -> "))
		}
		if strings.HasPrefix(imported, module) {
			reach(t, byPath, imported, append(trail, strings.TrimPrefix(imported, module)))
		}
	}
}

func TestALibraryHasItsImporters(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		if strings.HasPrefix(name, "e2e/") {
			continue // the lab plays routers and clients of its own
		}
		for _, imported := range p.Imports {
			for library, importers := range only {
				if strings.HasPrefix(imported, library) && !slices.Contains(importers, name) {
					t.Errorf("%s imports %s, which only %s may", name, imported, strings.Join(importers, " and "))
				}
			}
		}
	}
}

func TestControllerAndSpeakerMeetInPurePackagesOnly(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		for _, imported := range p.Imports {
			other := strings.TrimPrefix(imported, module)
			across := strings.HasPrefix(name, "controller") && strings.HasPrefix(other, "speaker/") ||
				strings.HasPrefix(name, "speaker") && strings.HasPrefix(other, "controller/")
			if across && !slices.Contains(pure, other) {
				t.Errorf("%s imports %s: the running parts talk only through the Kubernetes API and the gossip", name, other)
			}
		}
	}
}

func TestTheAPIImportsApimachineryOnly(t *testing.T) {
	for _, p := range packages(t) {
		if p.ImportPath != module+"api/v1beta1" {
			continue
		}
		for _, imported := range p.Imports {
			if strings.Contains(imported, ".") && !strings.HasPrefix(imported, "k8s.io/apimachinery/") {
				t.Errorf("api/v1beta1 imports %s", imported)
			}
		}
	}
}
