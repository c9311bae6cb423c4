package suite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/daymark-lb/daymark/e2e/kubelet"
	"github.com/daymark-lb/daymark/e2e/lab/build"
)

// agnhostImage is what the pods of this version's tests run.
const agnhostImage = "registry.k8s.io/e2e-test-images/agnhost:2.66.1"

// programs are what the tests call in that image, by the names that they call them by, from this machine. The shell is not busybox'
// own: that prefers its nc, which lacks -v, to the one on the PATH.
var programs = map[string]string{
	"sh": "dash", "bash": "bash", "curl": "curl", "gnu-wget": "wget", "nc": "nc.openbsd", "dig": "dig", "ss": "ss",
}

// wget is what calls itself so in the image. Tests give it an IPv6 address without brackets, which busybox' own takes and GNU's does not;
// a static busybox crashes when it looks for an address.
const wget = `#!/bin/sh
for each; do
  shift
  case $each in
  *[!0-9a-f:]*) ;;
  *:*:*) each="http://[$each]/" ;;
  esac
  set -- "$@" "$each"
done
exec gnu-wget "$@"
`

// Image makes the image of the tests' pods in the folder.
func Image(ctx context.Context, folder string) (kubelet.Image, error) {
	for _, name := range []string{"bin", "etc", "tmp", "root", "uploads", "usr/bin", "var/tmp"} {
		if err := os.MkdirAll(filepath.Join(folder, name), 0o755); err != nil {
			return kubelet.Image{}, err
		}
	}
	err := errors.Join(
		os.Chmod(filepath.Join(folder, "tmp"), 0o1777),
		copyFile(build.SuiteProgram("agnhost"), filepath.Join(folder, "agnhost")),
		os.Symlink("agnhost", filepath.Join(folder, "agnhost-2")),
		addBusybox(ctx, folder),
		os.Remove(filepath.Join(folder, "bin", "wget")),
		os.WriteFile(filepath.Join(folder, "bin", "wget"), []byte(wget), 0o755),
		writeFiles(filepath.Join(folder, "etc"), map[string]string{
			"passwd":        "root:x:0:0:root:/root:/bin/sh\n",
			"group":         "root:x:0:\n",
			"nsswitch.conf": "hosts: files dns\n",
			"wgetrc":        "tries = 1\n", // as busybox' own: a test waits for one to fail
		}),
	)
	for name, program := range programs {
		err = errors.Join(err, addProgram(ctx, folder, name, program))
	}
	if err != nil {
		return kubelet.Image{}, fmt.Errorf("make the image of the tests' pods: %w", err)
	}
	return kubelet.Image{Name: agnhostImage, Folder: folder, Program: "/agnhost"}, nil
}

// addBusybox adds what busybox can be called by.
func addBusybox(ctx context.Context, folder string) error {
	path, err := exec.LookPath("busybox")
	if err != nil {
		return err
	}
	names, err := exec.CommandContext(ctx, path, "--list").Output()
	if err != nil {
		return fmt.Errorf("ask busybox for its names: %w", err)
	}
	err = copyFile(path, filepath.Join(folder, "bin", "busybox"))
	for _, name := range strings.Fields(string(names)) {
		if _, own := programs[name]; name != "busybox" && !own {
			err = errors.Join(err, os.Symlink("busybox", filepath.Join(folder, "bin", name)))
		}
	}
	return err
}

var library = regexp.MustCompile(`/\S+`)

// addProgram adds a program and the libraries that it names.
func addProgram(ctx context.Context, folder, name, program string) error {
	path, err := exec.LookPath(program)
	if err != nil {
		return err
	}
	if err := copyFile(path, filepath.Join(folder, "bin", name)); err != nil {
		return err
	}
	libraries, err := exec.CommandContext(ctx, "ldd", path).Output()
	if err != nil {
		return fmt.Errorf("ask for the libraries of %s: %w", program, err)
	}
	for _, l := range library.FindAllString(string(libraries), -1) {
		to := filepath.Join(folder, l)
		if _, err := os.Stat(to); errors.Is(err, fs.ErrNotExist) {
			if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), copyFile(l, to)); err != nil {
				return err
			}
		}
	}
	return nil
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o755)
}

func writeFiles(folder string, files map[string]string) (err error) {
	for name, content := range files {
		err = errors.Join(err, os.WriteFile(filepath.Join(folder, name), []byte(content), 0o644))
	}
	return err
}
