package link

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// A real bond of two interfaces: the second one has the address of the first, and the watcher knows its own as well.
func TestWatcher_MembersOfABondHaveTheirOwnAddress(t *testing.T) {
	add := exec.Command("ip", "link", "add", "bond7", "type", "bond", "mode", "active-backup")
	if output, err := add.CombinedOutput(); err != nil {
		t.Skipf("this kernel has no bonds: %s", output)
	}
	for _, line := range []string{
		"link add bond7a address 02:00:00:00:07:0a type veth peer name bond7ap",
		"link add bond7b address 02:00:00:00:07:0b type veth peer name bond7bp",
		"link set bond7a master bond7", "link set bond7b master bond7",
	} {
		if output, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %s", line, output)
		}
	}
	await(t, start(t), "the address of the second member", func(links []lb.Link) error {
		i := slices.IndexFunc(links, func(l lb.Link) bool { return l.Name == "bond7b" })
		if i < 0 || !links[i].Enslaved || links[i].MAC != "02:00:00:00:07:0a" || links[i].PermanentMAC != "02:00:00:00:07:0b" {
			return fmt.Errorf("%+v", links)
		}
		return nil
	})
}
