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

// TestTheClusterIsNoConflict: other speakers announce what they take over, and so does one we hear of too late.
func TestTheClusterIsNoConflict(t *testing.T) {
	s := newSegment(t, "near0")
	r := hurried(t, Config{})
	cluster := []string{"", "no address", strings.ToUpper(client.String()), "02:00:00:00:00:00:00:01"}
	r.SetCluster(cluster)
	conn, ours := s.sniff(t, unix.ETH_P_ARP), s.mac(t)
	read := func() {
		t.Helper()
		put(t, conn, request(ours, client4, vip4))
		receive(t, conn, "an answer", equal(arpAnswer(ours)))
	}
	claimBy := func(by mac) []byte { return with(request(broadcast, vip4, vip4), 22, by[:]...) }
	mustSet(t, r, on([]string{"near0"}, vip4))
	put(t, conn, request(broadcast, vip4, vip4))
	put(t, conn, claimBy(ours))
	read()
	if got := r.Conflicts(); len(got) > 0 || testutil.ToFloat64(r.metrics.ipv4.contested) > 0 {
		t.Errorf("conflicts: %v", got)
	}
	put(t, conn, claimBy(stranger))
	awaitChange(t, r, "a stranger claims the address")
	wantConflicts(t, r, []netip.Addr{vip4}, Conflict{Addr: vip4, MAC: stranger.String(), Interface: "near0", Announced: true})
	r.SetCluster(append(cluster, stranger.String()))
	awaitChange(t, r, "the stranger turns out to be of the cluster")
	wantConflicts(t, r, []netip.Addr{vip4})
	r.SetCluster(nil)
	put(t, conn, request(broadcast, vip4, vip4))
	wantConflicts(t, r, []netip.Addr{vip4}, Conflict{Addr: vip4, MAC: client.String(), Interface: "near0", Announced: true})
}

// TestOurOtherInterfaceIsNoConflict: one segment may be reached by two interfaces, which hear each other.
func TestOurOtherInterfaceIsNoConflict(t *testing.T) {
	one, two := newSegment(t, "near0"), newSegment(t, "near1")
	r := hurried(t, Config{})
	mustSet(t, r, on([]string{"near0", "near1"}, vip4))
	conn, other := one.sniff(t, unix.ETH_P_ARP), two.mac(t)
	put(t, conn, with(request(broadcast, vip4, vip4), 22, other[:]...))
	put(t, conn, request(one.mac(t), client4, vip4))
	receive(t, conn, "an answer", equal(arpAnswer(one.mac(t))))
	if got := r.Conflicts(); len(got) > 0 {
		t.Errorf("conflicts: %v", got)
	}
}

// TestTwoClustersFindEachOther: overlapping pools on one segment. The second Responder's sockets are at the far end.
func TestTwoClustersFindEachOther(t *testing.T) {
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
		a, b := begin(t, Config{}), hurried(t, Config{})
		mustSet(t, a, on([]string{"near0"}, vip4, vip6))
		far(b, fresh([]string{"far0"}, vip4, vip6))
		by := s.mac(t).String()
		wantConflicts(t, b, nil, Conflict{Addr: vip4, MAC: by, Interface: "far0"}, Conflict{Addr: vip6, MAC: by, Interface: "far0"})
		mustSet(t, a, nil)
		wantConflicts(t, b, []netip.Addr{vip4, vip6})
	})
	t.Run("both want it at the same time, and one gets it", func(t *testing.T) {
		a, b := hurried(t, Config{}), hurried(t, Config{})
		mustSet(t, a, fresh([]string{"near0"}, vip4))
		far(b, fresh([]string{"far0"}, vip4))
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
