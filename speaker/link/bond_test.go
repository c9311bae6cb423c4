package link

import (
	"fmt"
	"os/exec"
	"slices"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// A real bond of two interfaces: the second one has the address of the first, and the watcher knows its own as well.
func TestWatcher_MembersOfABondHaveTheirOwnAddress(t *testing.T) {
	add := exec.Command("ip", "link", "add", "bond7", "type", "bond", "mode", "active-backup")
	if output, err := add.CombinedOutput(); err != nil {
		t.Skipf("this kernel has no bonds: %s", output)
	}
	remove(t, "bond7")
	veth(t, "bond7a", "bond7ap")
	veth(t, "bond7b", "bond7bp")
	for _, line := range []string{
		"link set bond7a address 02:00:00:00:07:0a", "link set bond7b address 02:00:00:00:07:0b",
		"link set bond7a master bond7", "link set bond7b master bond7",
	} {
		ip(t, line)
	}
	await(t, start(t), "the address of the second member", func(links []lb.Link) error {
		i := slices.IndexFunc(links, func(l lb.Link) bool { return l.Name == "bond7b" })
		if i < 0 || !links[i].Enslaved || links[i].MAC != "02:00:00:00:07:0a" || links[i].PermanentMAC != "02:00:00:00:07:0b" {
			return fmt.Errorf("%+v", links)
		}
		return nil
	})
}
