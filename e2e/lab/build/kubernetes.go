package build

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

// KubernetesVersion is what e2e/kube/go.mod requires.
const KubernetesVersion = "v1.37.1"

// kubernetesEnv names the folder of the programs, from outside to inside.
const kubernetesEnv = "DAYMARK_LAB_KUBERNETES"

var kubernetesPrograms = []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-proxy", "kubectl", "service-proxy"}

// KubernetesProgram is the path of one of the programs that `Kubernetes` has built.
func KubernetesProgram(name string) string { return filepath.Join(os.Getenv(kubernetesEnv), name) }

// KubernetesFolder is where etcd, kubectl and the others are, for whoever wants them on the PATH.
func KubernetesFolder() string { return os.Getenv(kubernetesEnv) }

// Kubernetes builds etcd and Kubernetes from their modules into the cache folder, once: later runs find them there. A change
// of e2e/kube builds them anew. Two that need them at the same time build once.
func Kubernetes(ctx context.Context, progress io.Writer) error {
	source, folder, err := prepareFolders()
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
	return buildInto(ctx, progress, source, folder)
}

// FindKubernetes is Kubernetes that builds nothing: when the cache has none it returns an error that says what to do.
func FindKubernetes() error {
	_, folder, err := prepareFolders()
	if err != nil {
		return err
	}
	if _, err := os.Stat(folder); err != nil {
		return errors.New("find Kubernetes: it is not built: run `make test`, or `go run ./e2e/demo build`, which takes 2 to 10 minutes once")
	}
	return nil
}

// prepareFolders returns where Kubernetes is built from and where to, and puts the latter into the environment.
func prepareFolders() (source, folder string, err error) {
	root, err := ModuleRoot()
	if err != nil {
		return "", "", err
	}
	source = filepath.Join(root, "e2e", "kube")
	key, err := hashFiles(source, "main.go", "go.mod", "go.sum", "proxy/proxy.go", "proxy/kernel.go")
	if err != nil {
		return "", "", err
	}
	cache, err := cacheFolder("kube-" + KubernetesVersion)
	if err != nil {
		return "", "", err
	}
	folder = filepath.Join(cache, key)
	if err := os.Setenv(kubernetesEnv, folder); err != nil {
		return "", "", fmt.Errorf("remember where Kubernetes is: %w", err)
	}
	return source, folder, nil
}

// buildInto makes the folder whole under another name and then renames it, so that it is there complete or not at all.
func buildInto(ctx context.Context, progress io.Writer, source, folder string) error {
	unfinished, err := os.MkdirTemp(filepath.Dir(folder), "unfinished-")
	if err != nil {
		return fmt.Errorf("make a folder to build into: %w", err)
	}
	defer func() { _ = os.RemoveAll(unfinished) }()
	fmt.Fprintf(progress, "Building Kubernetes %s and etcd from source, once: 2 to 10 minutes.\n", KubernetesVersion)
	if err := compile(ctx, progress, source, filepath.Join(unfinished, "kube")); err != nil {
		return fmt.Errorf("build Kubernetes: %w", err)
	}
	for _, name := range kubernetesPrograms {
		if err := os.Symlink("kube", filepath.Join(unfinished, name)); err != nil {
			return fmt.Errorf("name %s: %w", name, err)
		}
	}
	if err := os.Chmod(unfinished, 0o755); err != nil {
		return fmt.Errorf("open the folder: %w", err)
	}
	if err := os.Rename(unfinished, folder); err != nil {
		return fmt.Errorf("put Kubernetes in place: %w", err)
	}
	return nil
}

// kubernetesPackages is how many packages are compiled, about, if Go's cache is empty: to tell whoever waits how far it is.
const kubernetesPackages = 2450

func compile(ctx context.Context, progress io.Writer, source, binary string) error {
	version := "k8s.io/component-base/version"
	flags := fmt.Sprintf("-s -w -X %s.gitVersion=%s -X %s.gitMajor=1 -X %s.gitMinor=37", version, KubernetesVersion, version, version)
	cmd := exec.CommandContext(ctx, "go", "build", "-v", "-ldflags", flags, "-o", binary, ".")
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-mod=mod -buildvcs=false")
	output, err := cmd.StderrPipe()
	if err != nil {
		return fmt.Errorf("watch the compiler: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the compiler: %w", err)
	}
	errs := report(progress, output)
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%w\n%s", err, strings.Join(errs, "\n"))
	}
	return nil
}

// report counts the packages and downloads in the compiler's output, and writes progress every ten seconds. It returns the
// other lines: they are errors.
func report(progress io.Writer, output io.Reader) (errs []string) {
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
					time.Since(began).Seconds(), modules.Load(), packages.Load(), kubernetesPackages)
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
