package archtest

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

const (
	module = "github.com/daymark-lb/daymark/"
	// core is the folder of the pure packages.
	core = "internal/core/"
	// view is the one pure package outside of it: what the command line shows.
	view = "cli/view"
)

// pkg is a package as `go list` describes it.
type pkg struct {
	ImportPath string
	Doc        string
	Dir        string
	// Export is the file with the package's types, for those that import it.
	Export   string
	Standard bool
	Imports  []string
	GoFiles  []string
}

// name of a package of this module, from the root of the repository; other packages keep their import path.
func (p *pkg) name() string { return strings.TrimPrefix(p.ImportPath, module) }

// isPure reports whether the rules for pure packages apply to the package.
func (p *pkg) isPure() bool { return strings.HasPrefix(p.name(), core) || p.name() == view }

// listed is the list of all packages of the module. The tests share it, because it takes seconds.
var listed = sync.OnceValues(func() ([]pkg, error) {
	if err := readFolders("../.."); err != nil {
		return nil, err
	}
	return list("-json=ImportPath,Doc,Imports,GoFiles", "./...")
})

// readFolders reads the folders of the module, so that `go test` takes no result from its cache after a file has changed: it
// sees what a test opens, and not what `go list` does.
func readFolders(root string) error {
	return filepath.WalkDir(root, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && (entry.Name() == ".git" || entry.Name() == "bin") {
			return filepath.SkipDir
		}
		return err
	})
}

// packages are those of this module.
func packages(t *testing.T) []pkg {
	t.Helper()
	all, err := listed()
	if err != nil {
		t.Fatalf("list packages: %v", err)
	}
	return all
}

// list runs `go list` at the root of the repository.
func list(args ...string) ([]pkg, error) {
	command := exec.Command("go", append([]string{"list"}, args...)...)
	command.Dir = "../.."
	output, err := command.Output()
	if err != nil {
		return nil, err
	}
	var all []pkg
	decoder := json.NewDecoder(strings.NewReader(string(output)))
	for {
		var p pkg
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
}

func TestPackages_HaveAComment(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.GoFiles) > 0 && p.Doc == "" {
			t.Errorf("%s has no package comment", p.name())
		}
	}
}

// tableRow is a row of the table of packages: the package and its kind.
var tableRow = regexp.MustCompile("(?m)^\\| `([a-z0-9/]+)` \\|.*\\| ([A-Za-z/]+) \\|$")

// TestPackages_HaveTheirRow: docs/architecture.md names every package with its kind, those below e2e as one. That its rows are of packages
// that exist TestPages_NameFilesThatExist tests.
func TestPackages_HaveTheirRow(t *testing.T) {
	kinds := map[string]string{}
	for _, match := range tableRow.FindAllStringSubmatch(pages(t)["../../docs/architecture.md"], -1) {
		kinds[match[1]] = match[2]
	}
	for _, p := range packages(t) {
		name := p.name()
		if strings.HasPrefix(name, "e2e/") {
			continue
		}
		if kind := kinds[name]; kind == "" {
			t.Errorf("docs/architecture.md has no row for %s", name)
		} else if pure := kind == "pure"; pure != p.isPure() {
			t.Errorf("docs/architecture.md says %s of %s", kind, name)
		}
	}
}
