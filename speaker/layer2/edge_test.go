package layer2

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

// TestResponder_ANodesKernelAnswersUntilTheSwitchIsCut: the other node is behind a bridge, whose port to it is cut. Neither node's link
// goes down.
func TestResponder_ANodesKernelAnswersUntilTheSwitchIsCut(t *testing.T) {
	ip(t, "link add br0 type bridge")
	t.Cleanup(func() {
		if br0, err := netlink.LinkByName("br0"); err != nil || netlink.LinkDel(br0) != nil {
			t.Error("the bridge cannot be removed")
		}
	})
	near := &segment{near: "near1", far: "far1", host: netnstest.New(t)}
	near.connect(t)
	s := newSegment(t, "near0")
	for _, line := range []string{"link set near0 master br0", "link set near1 master br0", "link set br0 up"} {
		ip(t, line)
	}
	near.host.Run(t, "ip", "addr", "flush", "dev", near.far)
	near.host.Run(t, "ip", "addr", "add", "192.0.2.11/24", "dev", near.far)
	a := New(Config{})
	near.host.Do(t, func() { run(t, a) })
	a.UpdateClusterMACs([]announce.NodeMAC{{MAC: s.farMAC(t).String(), Node: "n2", Interface: "far0"}})
	var edges []announce.Layer2Question
	for _, addr := range []string{"192.0.2.1", "2001:db8::1"} {
		edges = append(edges, announce.Layer2Question{
			Question: election.Question{Node: "n2", Addr: netip.MustParseAddr(addr)},
			Paths:    []announce.Layer2Path{{Interface: near.far, MAC: s.farMAC(t).String(), Source: ourLinkLocal}},
		})
	}
	near.host.Do(t, func() { a.Ask(edges) })
	await := func(what string, want election.Answer) {
		t.Helper()
		begun := time.Now()
		netnstest.Eventually(t, what, func() error {
			for q, answer := range a.Answers() {
				if answer != want {
					return fmt.Errorf("the answer of %v is %v", q, answer)
				}
			}
			return nil
		})
		t.Logf("%s: after %v", what, time.Since(begun).Round(time.Millisecond))
	}
	await("the kernel of the other node answers", election.Answered)
	ip(t, "link set near0 nomaster")
	await("it does not when the switch is cut", election.NoAnswer)
	ip(t, "link set near0 master br0")
	await("it does again", election.Answered)
}
