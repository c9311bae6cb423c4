package archtest

import (
	"slices"
	"strings"
	"testing"
)

// pureImports are the packages that a pure package may import, besides its siblings. A trailing slash stands for all
// packages below. None of them reads a clock, the environment, a file or a socket, or draws a random number, except for the
// functions that forbidden names.
var pureImports = []string{
	"cmp", "container/", "encoding/binary", "encoding/hex", "errors", "fmt", "hash/crc32", "hash/fnv", "iter", "maps", "math",
	"math/big", "math/bits", "net/netip", "path", "slices", "sort", "strconv", "strings", "time", "unicode", "unicode/utf8",
	"github.com/go-logr/logr", "go4.org/netipx", "k8s.io/api/", "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1", "k8s.io/apimachinery/pkg/api/equality", "k8s.io/apimachinery/pkg/api/meta",
	"k8s.io/apimachinery/pkg/apis/meta/v1", "k8s.io/apimachinery/pkg/labels", "k8s.io/apimachinery/pkg/runtime",
	"k8s.io/apimachinery/pkg/types", "k8s.io/component-helpers/scheduling/corev1", "k8s.io/component-helpers/scheduling/corev1/nodeaffinity", module + "api/",
}

// importers says which packages alone may import a library.
var importers = map[string][]string{
	"github.com/osrg/gobgp/":          {"speaker/bgp"},
	"github.com/hashicorp/memberlist": {"speaker/gossip"},
	"github.com/google/nftables":      {"speaker/connections"},
	"github.com/mdlayher/":            {"speaker/connections", "speaker/layer2", "speaker/unnumbered"},
}

// programs are the folders of what runs on its own. They share what is in internal and api, and nothing else.
var programs = []string{"controller", "speaker", "cli"}

// matches reports whether a path is one of the patterns, or below one that ends in a slash.
func matches(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		return path == pattern || strings.HasSuffix(pattern, "/") && strings.HasPrefix(path, pattern)
	})
}

// inFolder reports whether a package is the folder itself or below it.
func inFolder(folder, name string) bool { return name == folder || strings.HasPrefix(name, folder+"/") }

func TestPurePackages_ImportNothingThatActs(t *testing.T) {
	found := false
	for _, p := range packages(t) {
		if !p.isPure() {
			continue
		}
		found = true
		for _, imported := range p.Imports {
			if !strings.HasPrefix(imported, module+core) && !matches(pureImports, imported) {
				t.Errorf("pure package %s imports %s", p.name(), imported)
			}
		}
	}
	if !found {
		t.Errorf("there is no package in %s: have the pure packages moved?", core)
	}
}

func TestLibraries_HaveTheirImporters(t *testing.T) {
	for _, p := range packages(t) {
		if inFolder("e2e", p.name()) || inFolder("internal/netnstest", p.name()) {
			continue // Tests play routers, nodes and clients of their own.
		}
		for _, imported := range p.Imports {
			for library, allowed := range importers {
				if strings.HasPrefix(imported, library) && !slices.Contains(allowed, p.name()) {
					t.Errorf("%s imports %s, which only %s may", p.name(), imported, strings.Join(allowed, " and "))
				}
			}
		}
	}
}

func TestPrograms_MeetInInternalOnly(t *testing.T) {
	for _, p := range packages(t) {
		for _, imported := range p.Imports {
			other := strings.TrimPrefix(imported, module)
			for _, program := range programs {
				if !inFolder(program, other) || inFolder(program, p.name()) || inFolder("e2e", p.name()) || inFolder("hack", p.name()) {
					continue
				}
				t.Errorf("%s imports %s: programs talk through the Kubernetes API and the gossip only", p.name(), other)
			}
		}
	}
}

func TestAPI_ImportsApimachineryOnly(t *testing.T) {
	for _, p := range packages(t) {
		if !inFolder("api", p.name()) {
			continue
		}
		for _, imported := range p.Imports {
			if strings.Contains(imported, ".") && !strings.HasPrefix(imported, "k8s.io/apimachinery/") {
				t.Errorf("%s imports %s", p.name(), imported)
			}
		}
	}
}
