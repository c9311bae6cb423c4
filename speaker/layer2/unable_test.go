package layer2

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

// An interface with an MTU below 1280 has no IPv6 (RFC 8200 section 5), so no group can be joined on it.
func TestResponder_SaysWhereItIsUnable(t *testing.T) {
	newSegment(t, "near0")
	netnstest.AwaitCarrier(t, "near0")
	mtu := func(bytes int) {
		link, err := netlink.LinkByName("near0")
		if err = errors.Join(err, netlink.LinkSetMTU(link, bytes)); err != nil {
			t.Fatal(err)
		}
	}
	r := New(Config{})
	run(t, r)
	mtu(1000)
	desired := []announce.Layer2Address{{Addr: vip4, Interfaces: []string{"near0"}}, {Addr: vip6, Interfaces: []string{"near0"}}}
	if err := r.Set(t.Context(), desired); err == nil {
		t.Fatal("no error where there is no IPv6")
	}
	unable := r.Unable()
	if len(unable) != 1 || unable[0].Interface != "near0" || unable[0].Family != lb.IPv6 || unable[0].Why == "" {
		t.Errorf("it says %v", unable)
	}
	if held := r.Held(); len(held) != 1 || held[0].Addr != vip4 {
		t.Errorf("held are %v", held)
	}
	if err := r.Set(t.Context(), desired[:1]); err != nil || len(r.Unable()) != 1 {
		t.Errorf("when the address goes elsewhere it says %v, %v", err, r.Unable())
	}
	mtu(1500)
	netnstest.Eventually(t, "it finds out that it is able", func() error {
		if got := r.Unable(); len(got) > 0 {
			return fmt.Errorf("it says %v", got)
		}
		return nil
	})
	if err := r.Set(t.Context(), desired); err != nil || !slices.ContainsFunc(r.Held(), func(h Held) bool { return h.Addr == vip6 }) {
		t.Errorf("able again, it fails with %v and holds %v", err, r.Held())
	}
}

// An interface that is missing is said by whoever follows the links.
func TestResponder_MissingInterfaceIsNotUnable(t *testing.T) {
	r := New(Config{})
	run(t, r)
	if err := r.Set(t.Context(), on([]string{"none0"}, vip4)); err == nil || len(r.Unable()) > 0 {
		t.Errorf("it fails with %v and says %v", err, r.Unable())
	}
}
