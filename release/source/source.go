// Package source says what is built: the checkout, its commit and the commit's time. It reads git and refuses to change the
// checkout.
package source

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/semver"
)

// Tree is a checkout of Daymark.
type Tree struct {
	// Root is the folder with the product's go.mod.
	Root string
	// Commit is the full hash.
	Commit string
	// Dirty reports whether the checkout differs from the commit.
	Dirty bool
	// Time of the commit. Everything in a release has it, so that two builds are equal.
	Time time.Time
}

// Read reads the checkout at root.
func Read(ctx context.Context, root string) (Tree, error) {
	commit, err := git(ctx, root, "rev-parse", "HEAD")
	if err != nil {
		return Tree{}, err
	}
	committed, err := git(ctx, root, "show", "-s", "--format=%ct", "HEAD")
	if err != nil {
		return Tree{}, err
	}
	seconds, err := strconv.ParseInt(committed, 10, 64)
	if err != nil {
		return Tree{}, fmt.Errorf("read the time of the commit: %w", err)
	}
	status, err := git(ctx, root, "status", "--porcelain", "-z", "--untracked-files=all")
	if err != nil {
		return Tree{}, err
	}
	return Tree{Root: root, Commit: commit, Dirty: changed(status), Time: time.Unix(seconds, 0).UTC()}, nil
}

// made are two files that are in the folder of every release. Nothing of it is compiled into another.
var made = [2]string{"SHA256SUMS", "provenance.intoto.json"}

// changed reports whether git's status names anything but releases that were made in the checkout before: the second one of a commit has to
// be the same as the first, wherever that was written.
func changed(status string) bool {
	const untracked = "?? "
	seen := map[string]int{}
	paths := strings.FieldsFunc(status, func(r rune) bool { return r == 0 })
	for _, p := range paths {
		folder, file := path.Split(strings.TrimPrefix(p, untracked))
		if folder != "" && strings.HasPrefix(p, untracked) && slices.Contains(made[:], file) {
			seen[folder]++
		}
	}
	return slices.ContainsFunc(paths, func(p string) bool {
		for folder, files := range seen {
			if files == len(made) && strings.HasPrefix(p, untracked+folder) {
				return false
			}
		}
		return true
	})
}

// Revision is what a program says of its commit: the hash, with "-dirty" behind it when the checkout had changes.
func (t Tree) Revision() string {
	if t.Dirty {
		return t.Commit + "-dirty"
	}
	return t.Commit
}

// Date is the time of the commit as a program says it.
func (t Tree) Date() string { return t.Time.Format(time.RFC3339) }

// Check reports why a version cannot be released from the tree. A version is v and a semantic version without build metadata,
// because tags of images have no "+". One without a pre-release part is made from a commit only, so that others can make it
// again.
func (t Tree) Check(version string) error {
	if !semver.IsValid(version) || semver.Canonical(version) != version {
		return fmt.Errorf("the version %q is not of the form v1.2.3 or v1.2.3-rc.1: name one, as make release VERSION=v1.2.3", version)
	}
	if t.Dirty && semver.Prerelease(version) == "" {
		return errors.New("the checkout has changes: commit them, or release a version with a pre-release part, as v1.2.3-dev")
	}
	return nil
}

// git returns what git prints, without spaces around.
func git(ctx context.Context, root string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, "git", args...)
	command.Dir = root
	output, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(output)), nil
}
