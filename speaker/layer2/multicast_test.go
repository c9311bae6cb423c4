package layer2

import (
	"bytes"
	"net/netip"
	"os"
	"testing"
)

// TestMulticastGroups_LeftWithTheLastAddress reads the kernel's list of memberships.
func TestMulticastGroups_LeftWithTheLastAddress(t *testing.T) {
	newSegment(t, "near0")
	g := newMulticastGroups(lookUp("near0").nic.index)
	t.Cleanup(g.close)
	for _, step := range []struct {
		name   string
		do     func() error
		member bool
	}{
		{"before", func() error { return nil }, false},
		{"the first joins", func() error { return g.join(vip6) }, true},
		{"the second joins", func() error { return g.join(vip6c) }, true},
		{"the first leaves", func() error { g.leave(vip6); return nil }, true},
		{"the second leaves", func() error { g.leave(vip6c); return nil }, false},
		{"one that never joined leaves", func() error { g.leave(vip6); return nil }, false},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		list, err := os.ReadFile("/proc/thread-self/net/igmp6")
		if err != nil {
			t.Fatal(err)
		}
		if member := bytes.Contains(list, []byte("ff0200000000000000000001ff000010")); member != step.member {
			t.Errorf("%s: member is %v, want %v", step.name, member, step.member)
		}
	}
}

func TestMulticastGroups_KeepNoSocketWithoutAGroup(t *testing.T) {
	newSegment(t, "near0")
	g := newMulticastGroups(lookUp("near0").nic.index)
	t.Cleanup(g.close)
	for _, addr := range []netip.Addr{vip6, vip6b} {
		if err := g.join(addr); err != nil {
			t.Fatal(err)
		}
	}
	if g.leave(vip6); len(g.sockets) != 1 {
		t.Errorf("%d sockets for one group", len(g.sockets))
	}
	if g.leave(vip6b); len(g.sockets) != 0 {
		t.Errorf("%d sockets for no group", len(g.sockets))
	}
	g.index = 9999
	if err := g.join(vip6); err == nil || len(g.sockets) != 0 {
		t.Errorf("on no interface: %v, with %d sockets", err, len(g.sockets))
	}
}
