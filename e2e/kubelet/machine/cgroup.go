package machine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/internal/testnet"
)

// Cgroups are the machine's hierarchies, version 1 or 2, mounted anew in a folder: the lab's own namespaces do not see the
// machine's. Every node gets a group of its name in each.
type Cgroups struct {
	hierarchies []string // where each is mounted
	prefix      string   // of the groups' names: this run's and this lab's
}

// NewCgroups mounts them in the folder, which is cgroup in the folder of a lab in the work folder of this run, and removes the groups
// of runs that are gone.
func NewCgroups(folder string) (*Cgroups, error) {
	b, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, fmt.Errorf("find the cgroups: %w", err)
	}
	lab := filepath.Dir(folder)
	work := filepath.Dir(lab)
	c := &Cgroups{prefix: filepath.Base(work) + "-" + filepath.Base(lab) + "-"}
	for line := range strings.Lines(string(b)) {
		_, rest, _ := strings.Cut(line, ":")
		controllers, _, _ := strings.Cut(rest, ":")
		at := filepath.Join(folder, "v2")
		kind, options := "cgroup2", ""
		if controllers != "" {
			kind, options, at = "cgroup", controllers, filepath.Join(folder, strings.TrimPrefix(controllers, "name="))
		}
		if strings.HasPrefix(controllers, "name=") {
			options = "none," + controllers
		}
		if err := os.MkdirAll(at, 0o755); err != nil {
			return nil, err
		}
		if err := unix.Mount("cgroup", at, kind, 0, options); err != nil {
			return nil, fmt.Errorf("mount the cgroups %q: %w", controllers, err)
		}
		c.hierarchies = append(c.hierarchies, at)
	}
	return c, c.sweep(work)
}

// Close takes them from the folder, which can then be removed. All nodes must be gone.
func (c *Cgroups) Close() (err error) {
	for _, h := range c.hierarchies {
		err = errors.Join(err, unix.Unmount(h, unix.MNT_DETACH))
	}
	return err
}

// sweep removes groups of runs whose work folder, a sibling of this run's, is gone: they were killed.
func (c *Cgroups) sweep(work string) error {
	kind := strings.TrimRight(filepath.Base(work), "0123456789")
	for _, h := range c.hierarchies {
		groups, err := filepath.Glob(filepath.Join(h, kind+"*"))
		if err != nil {
			return err
		}
		for _, group := range groups {
			owner, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(group), kind), "-")
			if _, err := os.Stat(filepath.Join(filepath.Dir(work), kind+owner)); errors.Is(err, fs.ErrNotExist) {
				_ = removeTree(group) // one that still has processes is left
			}
		}
	}
	return nil
}

// create makes a node's groups and returns their folders.
func (c *Cgroups) create(node string) ([]string, error) {
	groups := c.groups(node)
	for _, group := range groups {
		if err := os.MkdirAll(group, 0o755); err != nil {
			return nil, fmt.Errorf("make the cgroup of %s: %w", node, err)
		}
		// In version 1 no process may enter a group without processors and memory of its own.
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			parent, err := os.ReadFile(filepath.Join(filepath.Dir(group), file))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err := errors.Join(err, os.WriteFile(filepath.Join(group, file), parent, 0)); err != nil {
				return nil, fmt.Errorf("give the cgroup of %s its %s: %w", node, file, err)
			}
		}
		if err := passControllers(filepath.Dir(group)); err != nil {
			return nil, err
		}
	}
	return groups, nil
}

// passControllers gives the children of a group of version 2 all the controllers that it has itself.
func passControllers(parent string) error {
	b, err := os.ReadFile(filepath.Join(parent, "cgroup.controllers"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, controller := range strings.Fields(string(b)) {
		err = errors.Join(err, os.WriteFile(filepath.Join(parent, "cgroup.subtree_control"), []byte("+"+controller), 0))
	}
	if err != nil {
		return fmt.Errorf("pass on the controllers of %s: %w", parent, err)
	}
	return nil
}

func (c *Cgroups) groups(node string) (all []string) {
	for _, h := range c.hierarchies {
		all = append(all, filepath.Join(h, c.prefix+node))
	}
	return all
}

// remove removes a node's groups, once the kernel has ended the last of its processes.
func (c *Cgroups) remove(node string) error {
	_, err := testnet.Eventually(10*time.Second, func() error {
		var errs []error
		for _, group := range c.groups(node) {
			errs = append(errs, removeTree(group))
		}
		return errors.Join(errs...)
	})
	return err
}

// removeTree removes a group and those in it, the innermost first.
func removeTree(group string) error {
	var folders []string
	err := filepath.WalkDir(group, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && entry.IsDir() {
			folders = append(folders, path)
		}
		return err
	})
	for _, folder := range slices.Backward(folders) {
		if e := os.Remove(folder); !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// processes are the ids of a node's processes as this process sees them.
func (c *Cgroups) processes(node string) (pids []int, err error) {
	group := c.groups(node)[0]
	err = filepath.WalkDir(group, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		b, err := os.ReadFile(filepath.Join(path, "cgroup.procs"))
		for _, field := range strings.Fields(string(b)) {
			if pid, err := strconv.Atoi(field); err == nil && pid > 0 {
				pids = append(pids, pid)
			}
		}
		return err
	})
	return pids, err
}
