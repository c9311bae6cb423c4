package kubelet_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/e2e/kubelet"
	"github.com/daymark-lb/daymark/e2e/lab/check"
)

// What the kernel lets a process do: its lines of /proc/PID/status.
const (
	netAdmin = 1 << 12 // CAP_NET_ADMIN
	netRaw   = 1 << 13 // CAP_NET_RAW
	sysNice  = 1 << 23 // CAP_SYS_NICE

	speakers = netAdmin | netRaw | sysNice
)

// confined looks at the running processes, not at what the manifests say.
func confined(t *testing.T, c *kubelet.Cluster) {
	t.Helper()
	controllers := 0
	for _, m := range c.Nodes {
		pids, err := m.Processes("speaker")
		check.Must(t, "find the speaker", err)
		if len(pids) != 1 {
			t.Fatalf("%s runs %d speakers", m.Name, len(pids))
		}
		expect(t, pids[0], map[string]string{
			"CapEff": fmt.Sprintf("%016x", speakers), "CapBnd": fmt.Sprintf("%016x", speakers), "NoNewPrivs": "1",
			"Seccomp": "2",
		})
		pids, err = m.Processes("controller")
		check.Must(t, "find the controller", err)
		for _, pid := range pids {
			controllers++
			expect(t, pid, map[string]string{"CapEff": "0000000000000000", "NoNewPrivs": "1", "Seccomp": "2", "Uid": "65532"})
		}
	}
	if controllers == 0 {
		t.Error("no node runs a controller")
	}
}

// expect compares the first words of lines of a process's status.
func expect(t *testing.T, pid int, want map[string]string) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	check.Must(t, "read the status of a process", err)
	has := map[string]string{}
	for line := range strings.Lines(string(b)) {
		if name, values, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(values) != "" {
			has[name] = strings.Fields(values)[0]
		}
	}
	for name, value := range want {
		if has[name] != value {
			t.Errorf("%s has %s %s, want %s", has["Name"], name, has[name], value)
		}
	}
}
