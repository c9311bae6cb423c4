package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// releaseEnv names the folder of a release, from outside to inside. Whoever sets it has that release installed, and none made.
const releaseEnv = "DAYMARK_LAB_RELEASE"

// ReleaseFolder is where `Release` has left what would be published.
func ReleaseFolder() string { return os.Getenv(releaseEnv) }

// Release makes a release of this checkout as `make release` does, for this machine's platform alone. Its version names the commit. Each
// process has a folder of its own, since another one may still read what it made, and those of processes that are gone are removed.
func Release(ctx context.Context, _ io.Writer) error {
	if folder := ReleaseFolder(); folder != "" {
		absolute, err := filepath.Abs(folder)
		if err != nil {
			return err
		}
		return os.Setenv(releaseEnv, absolute)
	}
	root, err := ModuleRoot()
	if err != nil {
		return err
	}
	commit, err := run(ctx, root, "git", "rev-parse", "--short", "HEAD")
	if err != nil {
		return err
	}
	parent, err := checkoutFolder(root, "release")
	if err != nil {
		return err
	}
	folder := filepath.Join(parent, strconv.Itoa(os.Getpid()))
	if err := errors.Join(removeUnused(parent), makeRelease(ctx, root, folder, commit)); err != nil {
		return err
	}
	return os.Setenv(releaseEnv, folder)
}

// removeUnused removes what is in the folder by the name of a process that is gone, or by none.
func removeUnused(folder string) error {
	entries, err := os.ReadDir(folder)
	for _, entry := range entries {
		if _, gone := os.Stat(filepath.Join("/proc", entry.Name())); errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(folder, entry.Name())))
		}
	}
	return err
}

// makeRelease makes a release of the checkout at root, in place of what is in the folder.
func makeRelease(ctx context.Context, root, folder, commit string) error {
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	_, err := run(ctx, filepath.Join(root, "release"), "go", "run", ".", "make", "--root", root, "--out", folder, "--version", "v0.0.0-lab.g"+commit,
		"--image-prefix", "ghcr.io/daymark-lb", "--platforms", "linux/"+runtime.GOARCH)
	return err
}

// run runs a program in a folder and returns what it printed, without spaces around.
func run(ctx context.Context, folder string, argv ...string) (string, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = folder
	var diagnosis strings.Builder
	cmd.Stderr = &diagnosis
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, diagnosis.String())
	}
	return strings.TrimSpace(string(out)), nil
}
