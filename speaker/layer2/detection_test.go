package layer2

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// TestResponder_AnnouncesAllTheSame: the kernel at the far end answers for an address, as an ARP proxy does.
func TestResponder_AnnouncesAllTheSame(t *testing.T) {
	s := newSegment(t, "near0")
	s.host.Run(t, "ip", "addr", "add", vip4.String()+"/24", "dev", "far0")
	r := beginFast(t, Config{})
	by := s.farMAC(t).String()
	desired := probed([]string{"near0"}, vip4)
	mustSet(t, r, desired)
	awaitChange(t, r, "a conflict begins")
	wantConflicts(t, r, nil, Conflict{Addr: vip4, MAC: by, Interface: "near0"})

	desired[0].Detection = v1beta1.ConflictWarn
	mustSet(t, r, desired)
	wantConflicts(t, r, []netip.Addr{vip4}, Conflict{Addr: vip4, MAC: by, Interface: "near0", Announced: true})
}

func TestResponder_ProbesNothingWhereDetectionIsOff(t *testing.T) {
	s := newSegment(t, "near0")
	for _, vip := range []netip.Addr{vip4, vip4b} {
		s.host.Run(t, "ip", "addr", "add", vip.String()+"/24", "dev", "far0")
	}
	r := beginFast(t, Config{})
	first := probed([]string{"near0"}, vip4)
	mustSet(t, r, first)
	awaitChange(t, r, "a conflict begins")
	first[0].Detection = v1beta1.ConflictOff
	mustSet(t, r, first)
	wantConflicts(t, r, []netip.Addr{vip4})

	before := testutil.ToFloat64(r.metrics.ipv4.probes)
	second := probed([]string{"near0"}, vip4b)
	second[0].Detection = v1beta1.ConflictOff
	mustSet(t, r, append(first, second...))
	if held := r.Held(); len(held) != 2 {
		t.Errorf("held at once are %v", held)
	}
	arps, ours := s.listen(t, unix.ETH_P_ARP), s.mac(t)
	send(t, arps, request(broadcast, vip4b, vip4b))
	send(t, arps, request(broadcast, client4, vip4)) // Once it is answered the one before has been seen.
	receive(t, arps, "the answer", func(frame []byte) bool { return slices.Equal(frame, arpAnswer(ours)) })
	wantConflicts(t, r, []netip.Addr{vip4, vip4b})
	if after := testutil.ToFloat64(r.metrics.ipv4.probes); after != before {
		t.Errorf("%v probes were sent", after-before)
	}
}
