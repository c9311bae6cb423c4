package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// previousEnv names the folder of the release before, from outside to inside.
const previousEnv = "DAYMARK_LAB_PREVIOUS"

// PreviousFolder is where the preparation of `Previous` has left the release before.
func PreviousFolder() string { return os.Getenv(previousEnv) }

// Previous is the preparation that makes a release of an earlier commit, by the program of that commit. A commit never changes, so it
// is made once and stays in the cache.
func Previous(commit string) func(context.Context, io.Writer) error {
	return func(ctx context.Context, progress io.Writer) error {
		root, err := ModuleRoot()
		if err != nil {
			return err
		}
		commit, err := run(ctx, root, "git", "rev-parse", "--short=12", "--verify", commit+"^{commit}")
		if err != nil {
			return fmt.Errorf("find the version before (is the checkout shallow? `git fetch --unshallow` gets it): %w", err)
		}
		parent, err := cacheFolder("previous")
		if err != nil {
			return err
		}
		unlock, err := lock(filepath.Join(parent, "lock"))
		if err != nil {
			return err
		}
		defer unlock()
		folder := filepath.Join(parent, commit)
		if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
			fmt.Fprintf(progress, "Making a release of commit %s, the version before, once: 1 to 5 minutes.\n", commit)
			err = releaseCommit(ctx, root, commit, folder)
			if err != nil {
				return err
			}
		}
		return os.Setenv(previousEnv, folder)
	}
}

// releaseCommit makes a release of a commit, from a clone of its own. The folder is there whole or not at all.
func releaseCommit(ctx context.Context, root, commit, folder string) error {
	work, err := os.MkdirTemp(filepath.Dir(folder), "unfinished-")
	if err != nil {
		return fmt.Errorf("make a folder to build into: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	clone, made := filepath.Join(work, "clone"), filepath.Join(work, "dist")
	if _, err := run(ctx, root, "git", "clone", "--quiet", "--shared", "--no-checkout", root, clone); err != nil {
		return err
	}
	if _, err := run(ctx, clone, "git", "checkout", "--quiet", "--detach", commit); err != nil {
		return err
	}
	if err := makeRelease(ctx, clone, made, commit); err != nil {
		return err
	}
	return os.Rename(made, folder)
}
