package kubelet

import (
	"fmt"
	"os"
	"testing"

	"github.com/daymark-lb/daymark/e2e/lab/build"
	"github.com/daymark-lb/daymark/e2e/lab/check"
	"github.com/daymark-lb/daymark/e2e/lab/sandbox"
	"github.com/daymark-lb/daymark/internal/testnet"
)

// Main is for TestMain: it runs the tests in namespaces of their own. Kubelet must have been built before: where it was not, nothing is
// prepared, and the tests that Need it are skipped.
func Main(m *testing.M, prepare ...sandbox.Preparation) {
	if missing() != nil {
		prepare = nil
	}
	sandbox.Main(m, prepare...)
}

// Need skips the test where real nodes cannot run; where CI is set it fails instead.
func Need(t check.T) {
	t.Helper()
	sandbox.Need(t)
	if err := missing(); err != nil && testnet.MayMiss() {
		t.Skipf("%v", err)
	} else if err != nil {
		t.Fatalf("%v, and CI must have it", err)
	}
}

// missing says what keeps real nodes from running here, nil if nothing does.
func missing() error {
	if os.Getuid() != 0 || !hostRoot() {
		return fmt.Errorf("real nodes need root: containers have users of their own")
	}
	if err := build.FindKubelet(); err != nil {
		return err
	}
	for _, plugin := range []string{"ptp", "host-local", "loopback"} {
		if _, err := os.Stat("/usr/lib/cni/" + plugin); err != nil {
			return fmt.Errorf("the CNI plugins (Debian's containernetworking-plugins) are not installed: %w", err)
		}
	}
	return testnet.Require("runc", "nft", "unshare")
}

// hostRoot tells whether root here is the machine's root, and not that of a user namespace with one user.
func hostRoot() bool {
	b, err := os.ReadFile("/proc/self/uid_map")
	var inside, outside, count int
	if err == nil {
		_, err = fmt.Sscan(string(b), &inside, &outside, &count)
	}
	return err == nil && outside == 0 && count > 1
}
