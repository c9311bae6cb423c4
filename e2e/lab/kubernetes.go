package lab

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// KubernetesVersion is what e2e/kube/go.mod requires.
const KubernetesVersion = "v1.37.1"

// kubernetesEnv names the folder of the programs, from outside to inside.
const kubernetesEnv = "DAYMARK_LAB_KUBERNETES"

var kubernetesPrograms = []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-proxy", "kubectl", "service-proxy"}

// kubernetesProgram is the path of one of the programs that BuildKubernetes made.
func kubernetesProgram(name string) string { return filepath.Join(os.Getenv(kubernetesEnv), name) }

// KubernetesFolder is where etcd, kubectl and the others are, for whoever wants them on the PATH.
func KubernetesFolder() string { return os.Getenv(kubernetesEnv) }

// BuildKubernetes builds etcd and Kubernetes from their modules into the cache folder, once: later runs find them there.
// A change of e2e/kube builds them anew. Two that need them at the same time build once.
func BuildKubernetes(ctx context.Context, progress io.Writer) error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	source := filepath.Join(root, "e2e", "kube")
	key, err := hashFiles(source, "main.go", "go.mod", "go.sum", "proxy/proxy.go", "proxy/kernel.go")
	if err != nil {
		return err
	}
	cache, err := cacheFolder("kube-" + KubernetesVersion)
	if err != nil {
		return err
	}
	folder := filepath.Join(cache, key)
	if err := os.Setenv(kubernetesEnv, folder); err != nil {
		return fmt.Errorf("remember where Kubernetes is: %w", err)
	}
	unlock, err := lock(filepath.Join(cache, "lock"))
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Stat(folder); err == nil {
		return nil
	}
	return buildInto(ctx, progress, source, folder)
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

// kubernetesPackages is about how many packages an empty cache leaves to compile, for whoever waits.
const kubernetesPackages = 2450

func compile(ctx context.Context, progress io.Writer, source, binary string) error {
	version := "k8s.io/component-base/version"
	flags := fmt.Sprintf("-s -w -X %s.gitVersion=%s -X %s.gitMajor=1 -X %s.gitMinor=37", version, KubernetesVersion, version, version)
	cmd := exec.CommandContext(ctx, "go", "build", "-v", "-ldflags", flags, "-o", binary, ".")
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-mod=mod -buildvcs=false")
	said, err := cmd.StderrPipe()
	if err != nil {
		return fmt.Errorf("watch the compiler: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the compiler: %w", err)
	}
	errs := narrate(progress, said)
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%w\n%s", err, strings.Join(errs, "\n"))
	}
	return nil
}

// narrate counts what the compiler says it does and tells every ten seconds. Lines that are neither package nor download
// are what went wrong.
func narrate(progress io.Writer, said io.Reader) (wrong []string) {
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
				fmt.Fprintf(progress, "  %4.0f s: %d modules fetched, %d of at most %d packages compiled\n",
					time.Since(began).Seconds(), modules.Load(), packages.Load(), kubernetesPackages)
			case <-done:
				return
			}
		}
	}()
	for lines := bufio.NewScanner(said); lines.Scan(); {
		switch line := lines.Text(); {
		case strings.HasPrefix(line, "go: downloading"):
			modules.Add(1)
		case strings.ContainsAny(line, " :"):
			wrong = append(wrong, line)
		default:
			packages.Add(1)
		}
	}
	return wrong
}

// moduleRoot is the folder of daymark's own go.mod, above the folder a test or the demo runs in.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	for ; ; dir = filepath.Dir(dir) {
		b, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(b), "module github.com/daymark-lb/daymark\n") {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("find the module: run inside the checkout of daymark")
		}
	}
}

func cacheFolder(name string) (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache folder: %w", err)
	}
	dir := filepath.Join(base, "daymark", name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make the cache folder: %w", err)
	}
	return dir, nil
}

func hashFiles(dir string, names ...string) (string, error) {
	h := sha256.New()
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return "", fmt.Errorf("read %s: %w", name, err)
		}
		fmt.Fprintf(h, "%s %d\n%s", name, len(b), b)
	}
	return hex.EncodeToString(h.Sum(nil)[:6]), nil
}

func lock(path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the lock: %w", err)
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX); err != nil {
		return nil, fmt.Errorf("take the lock: %w", err)
	}
	return func() { _ = file.Close() }, nil
}
