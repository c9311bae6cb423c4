package layer2

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

// TestResponder_ClusterIsNoConflict: other speakers announce what they take over, also one that we learn of too late.
func TestResponder_ClusterIsNoConflict(t *testing.T) {
	s := newSegment(t, "near0")
	r := beginFast(t, Config{})
	cluster := []announce.NodeMAC{
		{Node: "n0"},
		{MAC: "no address", Node: "n1"},
		{MAC: strings.ToUpper(client.String()), Node: "n2"},
		{MAC: "02:00:00:00:00:00:00:01", Node: "n3"},
	}
	r.UpdateClusterMACs(cluster)
	conn, ours := s.listen(t, unix.ETH_P_ARP), s.mac(t)
	read := func() {
		t.Helper()
		send(t, conn, request(ours, client4, vip4))
		receive(t, conn, "an answer", equalTo(arpAnswer(ours)))
	}
	claimBy := func(by mac) []byte { return with(request(broadcast, vip4, vip4), 22, by[:]...) }
	mustSet(t, r, on([]string{"near0"}, vip4))
	send(t, conn, request(broadcast, vip4, vip4))
	send(t, conn, claimBy(ours))
	read()
	if got := r.Conflicts(); len(got) > 0 || testutil.ToFloat64(r.metrics.ipv4.conflictsBegun) > 0 {
		t.Errorf("conflicts: %v", got)
	}
	send(t, conn, claimBy(foreign))
	awaitChange(t, r, "a foreign host uses the address")
	wantConflicts(t, r, []netip.Addr{vip4}, Conflict{Addr: vip4, MAC: foreign.String(), Interface: "near0", Announced: true})
	r.UpdateClusterMACs(append(cluster, announce.NodeMAC{MAC: foreign.String(), Node: "n4"}))
	awaitChange(t, r, "the foreign host turns out to be of the cluster")
	wantConflicts(t, r, []netip.Addr{vip4})
	r.UpdateClusterMACs(nil)
	send(t, conn, request(broadcast, vip4, vip4))
	wantConflicts(t, r, []netip.Addr{vip4}, Conflict{Addr: vip4, MAC: client.String(), Interface: "near0", Announced: true})
}

// TestResponder_OwnInterfaceIsNoConflict: one segment may be reached by two interfaces, which receive each other's
// frames.
func TestResponder_OwnInterfaceIsNoConflict(t *testing.T) {
	one, two := newSegment(t, "near0"), newSegment(t, "near1")
	r := beginFast(t, Config{})
	mustSet(t, r, on([]string{"near0", "near1"}, vip4))
	conn, other := one.listen(t, unix.ETH_P_ARP), two.mac(t)
	send(t, conn, with(request(broadcast, vip4, vip4), 22, other[:]...))
	send(t, conn, request(one.mac(t), client4, vip4))
	receive(t, conn, "an answer", equalTo(arpAnswer(one.mac(t))))
	if got := r.Conflicts(); len(got) > 0 {
		t.Errorf("conflicts: %v", got)
	}
}

// TestResponder_TwoClustersConflict: overlapping pools on one segment. The second Responder's sockets are at the far
// end.
func TestResponder_TwoClustersConflict(t *testing.T) {
	s := newSegment(t, "near0")
	far := func(r *Responder, want []announce.Layer2Address) {
		t.Helper()
		s.host.Do(t, func() {
			if err := r.Set(t.Context(), want); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("both had the address before", func(t *testing.T) {
		a, b := begin(t, Config{}), begin(t, Config{})
		mustSet(t, a, on([]string{"near0"}, vip4, vip6))
		far(b, on([]string{"far0"}, vip4, vip6))
		for r, c := range map[*Responder]Conflict{
			a: {MAC: s.farMAC(t).String(), Interface: "near0", Announced: true},
			b: {MAC: s.mac(t).String(), Interface: "far0", Announced: true},
		} {
			of4, of6 := c, c
			of4.Addr, of6.Addr = vip4, vip6
			wantConflicts(t, r, []netip.Addr{vip4, vip6}, of4, of6)
		}
	})
	t.Run("the second finds it taken", func(t *testing.T) {
		a, b := begin(t, Config{}), beginFast(t, Config{})
		mustSet(t, a, on([]string{"near0"}, vip4, vip6))
		far(b, probed([]string{"far0"}, vip4, vip6))
		by := s.mac(t).String()
		wantConflicts(t, b, nil, Conflict{Addr: vip4, MAC: by, Interface: "far0"}, Conflict{Addr: vip6, MAC: by, Interface: "far0"})
		mustSet(t, a, nil)
		passFreeAfter(t, b)
		wantConflicts(t, b, []netip.Addr{vip4, vip6})
	})
	t.Run("both want it at the same time, and one gets it", func(t *testing.T) {
		a, b := beginFast(t, Config{}), beginFast(t, Config{})
		mustSet(t, a, probed([]string{"near0"}, vip4))
		far(b, probed([]string{"far0"}, vip4))
		netnstest.Eventually(t, "one holds it and the other knows by whom it is held", func() error {
			switch holds, lost := len(a.Held()), b; {
			case holds+len(b.Held()) != 1:
				return fmt.Errorf("held %d and %d times", holds, len(b.Held()))
			case holds == 0:
				lost = a
				fallthrough
			default:
				if got := lost.Conflicts(); len(got) != 1 || got[0].Announced {
					return fmt.Errorf("the conflicts are %v", got)
				}
			}
			return nil
		})
	})
}
