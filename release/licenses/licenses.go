// Package licenses finds the licence texts that must go along with a program: those of Daymark, of Go's standard library, and of each
// module of which a package is compiled in. It refuses a module without one.
package licenses

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/daymark-lb/daymark/release/archive"
	"github.com/daymark-lb/daymark/release/build"
	"github.com/daymark-lb/daymark/release/source"
)

// text is the name of a file with a licence, or with what a licence says must be passed on.
var text = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents)([._-].*)?$`)

// code is a file whose name only looks so, as license.go.
var code = regexp.MustCompile(`(?i)\.(go|s|c|h|json|yaml|yml|tmpl|sh)$`)

// pkg is a package as `go list` describes it.
type pkg struct {
	Dir      string
	Standard bool
	Module   *module
}

type module struct {
	Path, Version, Dir string
	Main               bool
}

// Of returns the texts for a program on a platform, each named MODULE@VERSION/FILE.
func Of(ctx context.Context, tree source.Tree, program build.Program, platform build.Platform) ([]archive.File, error) {
	root, err := build.Go(ctx, tree, platform, "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("ask where Go is: %w", err)
	}
	packages, err := compiled(ctx, tree, program, platform)
	if err != nil {
		return nil, err
	}
	found := texts{}
	if err := found.add(Standard, strings.TrimSpace(string(root)), strings.TrimSpace(string(root))); err != nil {
		return nil, err
	}
	for _, p := range packages {
		if p.Standard {
			continue
		}
		if err := found.add(p.Module.label(), p.Module.Dir, p.Dir); err != nil {
			return nil, err
		}
	}
	return found.files()
}

// label names the module as a folder.
func (m *module) label() string {
	if m.Main {
		return m.Path
	}
	return m.Path + "@" + m.Version
}

// compiled lists the packages that are compiled into the program.
func compiled(ctx context.Context, tree source.Tree, program build.Program, platform build.Platform) ([]pkg, error) {
	command := build.Go(ctx, tree, platform, "list", "-deps", "-json=Dir,Standard,Module", program.Package)
	output, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("list the packages of %s: %w", program.Name, err)
	}
	var packages []pkg
	decoder := json.NewDecoder(strings.NewReader(string(output)))
	for {
		var p pkg
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages, nil
		} else if err != nil {
			return nil, fmt.Errorf("read the list of packages: %w", err)
		}
		packages = append(packages, p)
	}
}

// texts are the files by name, for each module. A module without one has an empty map.
type texts map[string]map[string][]byte

// add reads the texts in the package's folder and in those above it, up to the module's: a module may hold code of others, each
// with its own licence.
func (t texts) add(label, moduleDir, dir string) error {
	if t[label] == nil {
		t[label] = map[string][]byte{}
	}
	for {
		below, err := filepath.Rel(moduleDir, dir)
		if err != nil || strings.HasPrefix(below, "..") {
			return fmt.Errorf("%s is not in %s", dir, moduleDir)
		}
		if err := t.read(label, dir, filepath.ToSlash(below)); err != nil {
			return err
		}
		if below == "." {
			return nil
		}
		dir = filepath.Dir(dir)
	}
}

func (t texts) read(label, dir, below string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("look for licences: %w", err)
	}
	for _, entry := range entries {
		name := path.Join(below, entry.Name())
		if entry.IsDir() || !text.MatchString(entry.Name()) || code.MatchString(entry.Name()) || t[label][name] != nil {
			continue
		}
		if t[label][name], err = os.ReadFile(filepath.Join(dir, entry.Name())); err != nil {
			return fmt.Errorf("read a licence: %w", err)
		}
	}
	return nil
}

// files returns all texts.
func (t texts) files() ([]archive.File, error) {
	var files []archive.File
	for label, named := range t {
		if len(named) == 0 {
			return nil, fmt.Errorf("no licence was found in %s", label)
		}
		for name, data := range named {
			files = append(files, archive.File{Name: path.Join(label, name), Mode: 0o444, Data: data})
		}
	}
	return files, nil
}
