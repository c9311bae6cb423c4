package layer2

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/internal/netnstest"
)

// TestResponder_LeavesANewAddressToWhoAnswersLate: the kernel at the far end says nothing while we probe, as a host that sleeps, and
// nothing by itself after that.
func TestResponder_LeavesANewAddressToWhoAnswersLate(t *testing.T) {
	s := newSegment(t, "near0")
	r := beginFast(t, Config{})
	mustSet(t, r, probed([]string{"near0"}, vip4, vip6))
	wantConflicts(t, r, []netip.Addr{vip4, vip6})
	s.host.Run(t, "ip", "addr", "add", vip4.String()+"/24", "dev", "far0")
	s.host.Run(t, "ip", "addr", "add", vip6.String()+"/64", "dev", "far0", "nodad")
	by := s.farMAC(t).String()
	wantConflicts(t, r, nil, Conflict{Addr: vip4, MAC: by, Interface: "near0"}, Conflict{Addr: vip6, MAC: by, Interface: "near0"})

	// It is answered no more. The answer about another address proves that the request was read.
	arps, ours := s.listen(t, unix.ETH_P_ARP), s.mac(t)
	mustSet(t, r, append(probed([]string{"near0"}, vip4, vip6), on([]string{"near0"}, vip4b)...))
	send(t, arps, request(ours, client4, vip4))
	send(t, arps, request(ours, client4, vip4b))
	receive(t, arps, "an answer about the other address", butNot(t, arpAnswer(ours), handleARP(ours, addressSet{vip4b: held4[vip4]}, request(ours, client4, vip4b)).reply))
	r.announcer.mu.Lock()
	for _, turns := range r.announcer.schedules {
		if turns[vip4] != nil || turns[vip6] != nil {
			t.Error("it is announced again in time")
		}
	}
	r.announcer.mu.Unlock()

	s.host.Run(t, "ip", "addr", "del", vip4.String()+"/24", "dev", "far0")
	s.host.Run(t, "ip", "addr", "del", vip6.String()+"/64", "dev", "far0")
	passFreeAfter(t, r)
	wantConflicts(t, r, slices.SortedFunc(slices.Values([]netip.Addr{vip4, vip4b, vip6}), netip.Addr.Compare))
}

// TestResponder_GoesOnWithWhatAnotherNodeHasNotProven: the holder before it has asked, and is gone when the host answers.
func TestResponder_GoesOnWithWhatAnotherNodeHasNotProven(t *testing.T) {
	s := newSegment(t, "near0")
	for _, add := range [][]string{{vip4.String() + "/24"}, {vip4b.String() + "/24"}, {vip6.String() + "/64", "nodad"}} {
		s.host.Run(t, "ip", append([]string{"addr", "add", "dev", "far0"}, add...)...)
	}
	r := beginFast(t, Config{})
	all := on([]string{"near0"}, vip4, vip4b, vip6)
	all[0].OnTrial, all[2].OnTrial = true, true
	mustSet(t, r, all)
	by := s.farMAC(t).String()
	wantConflicts(t, r, []netip.Addr{vip4b}, Conflict{Addr: vip4, MAC: by, Interface: "near0"}, Conflict{Addr: vip6, MAC: by, Interface: "near0"})
}

var errUnproven = errors.New("another host may still object")

// TestResponder_DefendsWhatIsProven: nobody has objected in time.
func TestResponder_DefendsWhatIsProven(t *testing.T) {
	s := newSegment(t, "near0")
	r := beginFast(t, Config{})
	mustSet(t, r, probed([]string{"near0"}, vip4))
	wantConflicts(t, r, []netip.Addr{vip4})
	netnstest.Eventually(t, "it is proven", func() error {
		r.detector.mu.Lock()
		defer r.detector.mu.Unlock()
		if r.detector.vip(vip4, "near0").acd.unproven() {
			return errUnproven
		}
		return nil
	})
	send(t, s.listen(t, unix.ETH_P_ARP), request(broadcast, vip4, vip4))
	wantConflicts(t, r, []netip.Addr{vip4}, Conflict{Addr: vip4, MAC: client.String(), Interface: "near0", Announced: true})
}

// TestResponder_FindsAHostThatTakesAnAddressSilently: a kernel that is given an address by hand tells nobody.
func TestResponder_FindsAHostThatTakesAnAddressSilently(t *testing.T) {
	s := newSegment(t, "near0")
	r := begin(t, Config{Interval: 50 * time.Millisecond})
	mustSet(t, r, on([]string{"near0"}, vip4, vip6))
	s.host.Run(t, "ip", "addr", "add", vip4.String()+"/24", "dev", "far0")
	s.host.Run(t, "ip", "addr", "add", vip6.String()+"/64", "dev", "far0", "nodad")
	by := s.farMAC(t).String()
	wantConflicts(t, r, []netip.Addr{vip4, vip6},
		Conflict{Addr: vip4, MAC: by, Interface: "near0", Announced: true}, Conflict{Addr: vip6, MAC: by, Interface: "near0", Announced: true})
}
