package testnet

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Find is the path of a program on this machine: on the PATH, or in the folders where Debian has system programs and an
// ordinary user's PATH does not look. A name with a slash is a path.
func Find(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, folder := range []string{"/usr/sbin", "/sbin"} {
		if path, err := exec.LookPath(filepath.Join(folder, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("find %s: %w", name, exec.ErrNotFound)
}

// Require returns an error when a program is not installed.
func Require(names ...string) error {
	var errs []error
	for _, name := range names {
		_, err := Find(name)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// RequireVersion is Require for a name that several programs have. It runs the program with flag, and returns the first of
// the known texts that its output contains. A program whose output contains none of them counts as not installed.
func RequireVersion(name, flag string, known ...string) (string, error) {
	path, err := Find(name)
	if err != nil {
		return "", err
	}
	output, _ := exec.Command(path, flag).CombinedOutput() // some exit with 1 after printing it
	for _, text := range known {
		if strings.Contains(string(output), text) {
			return text, nil
		}
	}
	line, _, _ := strings.Cut(string(output), "\n")
	return "", fmt.Errorf("%s is another program of that name: it says %q, and not %s", name, line, strings.Join(known, " or "))
}

// MayMiss tells whether tests may be skipped for a program that is not installed. Where CI is set they must fail, so that
// nobody believes to have tested against what was not there.
func MayMiss() bool { return os.Getenv("CI") == "" }
