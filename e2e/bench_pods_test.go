package e2e_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// Processor shares as kubelet gives them to Pods of a node with two processors that is full: what speakers request, and others.
const (
	shareOfNode    = 2048
	shareOfSpeaker = 102 // 100m, as in config/speaker.
	shareOfOthers  = 1740
)

// podGroups are cgroups like those of Pods, with the hierarchy of the controller cpu of version 1, which is mounted here.
type podGroups struct {
	b    *testing.B
	path string
}

// newPodGroups makes the groups, which are gone when the benchmark ends. They admit real-time threads, as most kernels do without
// being asked.
func newPodGroups(b *testing.B) podGroups {
	b.Helper()
	mounted := b.TempDir()
	if err := unix.Mount("none", mounted, "cgroup", 0, "cpu"); err != nil {
		b.Skipf("mount cgroups: %v", err)
	}
	groups := podGroups{b, filepath.Join(mounted, "daymark-"+strconv.Itoa(os.Getpid()))}
	b.Cleanup(func() {
		if err := errors.Join(os.Remove(groups.path), unix.Unmount(mounted, 0)); err != nil {
			b.Error(err)
		}
	})
	groups.make(groups.path, shareOfNode, 900_000)
	return groups
}

// make makes a group with a share of the processors, and of each so many microseconds in a second for real-time threads.
func (g podGroups) make(path string, share, realTime int) {
	g.b.Helper()
	if err := os.Mkdir(path, 0o755); err != nil {
		g.b.Fatal(err)
	}
	g.write(filepath.Join(path, "cpu.shares"), share)
	if _, err := os.Stat(filepath.Join(path, "cpu.rt_runtime_us")); err == nil {
		g.write(filepath.Join(path, "cpu.rt_runtime_us"), realTime)
	}
}

func (g podGroups) write(path string, value int) {
	g.b.Helper()
	if err := os.WriteFile(path, []byte(strconv.Itoa(value)), 0); err != nil {
		g.b.Fatal(err)
	}
}

// speakers puts each speaker into a Pod of its own until the benchmark ends.
func (g podGroups) speakers(cluster *lab.Cluster) {
	g.b.Helper()
	for _, node := range cluster.Nodes() {
		g.put(node.Name, shareOfSpeaker, 250_000, node.Speaker().PID())
	}
}

// put puts a process into a Pod of its own. What is left in it when the benchmark ends goes to the root.
func (g podGroups) put(name string, share, realTime int, processes ...int) {
	g.b.Helper()
	pod := filepath.Join(g.path, name)
	g.make(pod, share, realTime)
	g.b.Cleanup(func() {
		for _, process := range processes {
			_ = os.WriteFile(filepath.Join(filepath.Dir(g.path), "cgroup.procs"), []byte(strconv.Itoa(process)), 0) // It may have ended.
		}
		if err := os.Remove(pod); err != nil {
			g.b.Error(err)
		}
	})
	for _, process := range processes {
		g.write(filepath.Join(pod, "cgroup.procs"), process)
	}
}
