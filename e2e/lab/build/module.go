package build

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

// module is a Go module of its own below the repository's root, and programs that are built from it into the cache, once:
// later runs find them there. A change of its inputs builds them anew.
type module struct {
	name     string            // of the cache folder
	env      string            // of the variable that tells the programs' folder, from outside to inside
	source   string            // folder below the root
	inputs   []string          // files of the source that the programs depend on
	notice   string            // tells whoever waits what is built and how long that takes
	packages int               // how many are compiled, about, if Go's cache is empty
	commands [][]string        // of go; each begins with what is built and where to: "build", "containerd"
	links    map[string]string // more names of a program: kubelet is node
}

// program is the path of one of the programs, once the module has been built.
func (m module) program(name string) string { return filepath.Join(os.Getenv(m.env), name) }

// build builds what the cache does not have. Two that need it at the same time build once.
func (m module) build(ctx context.Context, progress io.Writer) error {
	source, folder, err := m.folders()
	if err != nil {
		return err
	}
	unlock, err := lock(filepath.Join(filepath.Dir(folder), "lock"))
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Stat(folder); err == nil {
		return nil
	}
	return m.buildInto(ctx, progress, source, folder)
}

// missing tells whether the cache has no programs of the module. Where it has them they are found from now on.
func (m module) missing() bool {
	_, folder, err := m.folders()
	if err == nil {
		_, err = os.Stat(folder)
	}
	return err != nil
}

// folders returns where the module is and where its programs go, and puts the latter into the environment.
func (m module) folders() (source, folder string, err error) {
	root, err := ModuleRoot()
	if err != nil {
		return "", "", err
	}
	source = filepath.Join(root, filepath.FromSlash(m.source))
	key, err := hashFiles(source, m.inputs...)
	if err != nil {
		return "", "", err
	}
	cache, err := cacheFolder(m.name)
	if err != nil {
		return "", "", err
	}
	folder = filepath.Join(cache, key)
	if err := os.Setenv(m.env, folder); err != nil {
		return "", "", fmt.Errorf("remember where %s is: %w", m.name, err)
	}
	return source, folder, nil
}

// buildInto makes the folder whole under another name and then renames it, so that it is there complete or not at all.
func (m module) buildInto(ctx context.Context, progress io.Writer, source, folder string) error {
	unfinished, err := os.MkdirTemp(filepath.Dir(folder), "unfinished-")
	if err != nil {
		return fmt.Errorf("make a folder to build into: %w", err)
	}
	defer func() { _ = os.RemoveAll(unfinished) }()
	fmt.Fprintln(progress, m.notice)
	for _, command := range m.commands {
		if err := m.compile(ctx, progress, source, unfinished, command); err != nil {
			return fmt.Errorf("build %s: %w", m.name, err)
		}
	}
	for link, program := range m.links {
		if err := os.Symlink(program, filepath.Join(unfinished, link)); err != nil {
			return fmt.Errorf("name %s: %w", link, err)
		}
	}
	if err := os.Chmod(unfinished, 0o755); err != nil {
		return fmt.Errorf("open the folder: %w", err)
	}
	if err := os.Rename(unfinished, folder); err != nil {
		return fmt.Errorf("put %s in place: %w", m.name, err)
	}
	return nil
}

// compile runs one command. It begins with a verb of go and what the output is called, "" for several programs with names of
// their own.
func (m module) compile(ctx context.Context, progress io.Writer, source, folder string, command []string) error {
	verb := strings.Fields(command[0])
	arguments := append(append(verb, "-v", "-o", folder+"/"+command[1]), command[2:]...)
	cmd := exec.CommandContext(ctx, "go", arguments...)
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-mod=mod -buildvcs=false")
	output, err := cmd.StderrPipe()
	if err != nil {
		return fmt.Errorf("watch the compiler: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the compiler: %w", err)
	}
	errs := m.report(progress, output)
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%w\n%s", err, strings.Join(errs, "\n"))
	}
	return nil
}

// report counts the packages and downloads in the compiler's output, and writes progress every ten seconds. It returns the
// other lines: they are errors.
func (m module) report(progress io.Writer, output io.Reader) (errs []string) {
	var packages, modules atomic.Int64
	began := time.Now()
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	done := make(chan struct{})
	defer close(done)
	go func() {
		for {
			select {
			case <-tick.C:
				fmt.Fprintf(progress, "  %4.0f s: %d modules fetched, %d of about %d packages compiled\n",
					time.Since(began).Seconds(), modules.Load(), packages.Load(), m.packages)
			case <-done:
				return
			}
		}
	}()
	for lines := bufio.NewScanner(output); lines.Scan(); {
		switch line := lines.Text(); {
		case strings.HasPrefix(line, "go: downloading"):
			modules.Add(1)
		case strings.ContainsAny(line, " :"):
			errs = append(errs, line)
		default:
			packages.Add(1)
		}
	}
	return errs
}
