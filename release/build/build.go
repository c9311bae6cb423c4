// Package build compiles the programs for a platform, so that the same commit and toolchain give the same bytes in any folder. It
// refuses to take settings of the build from the environment.
package build

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/release/source"
)

// Program is one of Daymark's.
type Program struct {
	// Name of the file, without .exe.
	Name string
	// Package that is its main, from the root of the product's module.
	Package string
	// Daemon reports whether it runs in the cluster, from an image.
	Daemon bool
}

// Programs are all.
var Programs = []Program{
	{Name: "controller", Package: "./controller", Daemon: true},
	{Name: "speaker", Package: "./speaker", Daemon: true},
	{Name: "kubectl-daymark", Package: "./cli"},
}

// Binary is a program that was built.
type Binary struct {
	Program
	Platform Platform
	// Path of the file.
	Path string
}

// Runs reports whether the program is made for the platform.
func (p Program) Runs(on Platform) bool { return !p.Daemon || on.OS == "linux" }

// Compile builds all programs that are made for the platform into the folder out. The programs say the version.
func Compile(ctx context.Context, tree source.Tree, version string, platform Platform, out string) ([]Binary, error) {
	var built []Binary
	for _, program := range Programs {
		if !program.Runs(platform) {
			continue
		}
		path := Path(out, program, platform)
		if err := compile(ctx, tree, version, platform, program, path); err != nil {
			return nil, err
		}
		built = append(built, Binary{Program: program, Platform: platform, Path: path})
	}
	return built, nil
}

// Path is that of a program's file in the folder.
func Path(folder string, program Program, platform Platform) string {
	path := filepath.Join(folder, program.Name)
	if platform.OS == "windows" {
		path += ".exe"
	}
	return path
}

func compile(ctx context.Context, tree source.Tree, version string, platform Platform, program Program, path string) error {
	command := Go(ctx, tree, platform, "build", "-trimpath", "-buildvcs=false", "-mod=readonly",
		"-ldflags="+linkerFlags(tree, version), "-o", path, program.Package)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s for %v: %w\n%s", program.Name, platform, err, output)
	}
	return nil
}

// linkerFlags writes version, commit and date into a program. The toolchain could write the commit itself, but what it writes
// depends on the tags that the clone has.
func linkerFlags(tree source.Tree, version string) string {
	const into = "github.com/daymark-lb/daymark/internal/version."
	return strings.Join([]string{
		"-s -w -buildid=",
		"-X " + into + "release=" + version, "-X " + into + "revision=" + tree.Revision(), "-X " + into + "date=" + tree.Date(),
	}, " ")
}

// Go is the go command at the root of the tree, for a platform. GOFLAGS and the like are not taken over, neither from the caller's environment
// nor from the file of `go env -w`: an empty variable would not hide that.
func Go(ctx context.Context, tree source.Tree, platform Platform, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, "go", args...)
	command.Dir = tree.Root
	decided := append(platform.environment(), "CGO_ENABLED=0", "GOFLAGS=", "GOEXPERIMENT=", "GOWORK=off", "GOFIPS140=off", "GOENV=off")
	kept := slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains(ignored, name)
	})
	command.Env = slices.Concat(kept, found(ctx), decided)
	return command
}

// whence are settings that say where the toolchain finds and keeps what it needs, and change nothing of what it makes.
var whence = []string{
	"GOPROXY", "GOSUMDB", "GOPRIVATE", "GONOPROXY", "GONOSUMDB", "GOINSECURE", "GOAUTH", "GOVCS", "GOCACHE", "GOMODCACHE", "GOTMPDIR", "GOTOOLCHAIN",
}

// found are those settings as they are, from the file of `go env -w`, too. Without any the toolchain has its own.
func found(ctx context.Context) (environment []string) {
	text, err := exec.CommandContext(ctx, "go", slices.Concat([]string{"env", "-json"}, whence)...).Output()
	var settings map[string]string
	if err != nil || json.Unmarshal(text, &settings) != nil {
		return nil
	}
	for _, name := range whence {
		if settings[name] != "" {
			environment = append(environment, name+"="+settings[name])
		}
	}
	return environment
}

// ignored are variables that change what the toolchain makes.
var ignored = []string{"GOAMD64", "GOARM64", "GOARM", "GO386", "GORISCV64", "GOPPC64", "GODEBUG"}
