package layer2

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/mdlayher/ndp"
	"github.com/mdlayher/packet"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

// beginFast runs a Responder that probes the address of a conflicting host again after a tenth to a third of a second,
// and announces an address only once.
func beginFast(t *testing.T, cfg Config) *Responder {
	t.Helper()
	r := New(cfg)
	r.detector.jitter = func() float64 { return -0.98 + 0.05*rand.Float64() }
	r.announcer.jitter = func() float64 { return 1000 }
	run(t, r)
	return r
}

// passFreeAfter makes conflicting hosts that are silent from now on look as if they had been for as long as they must be, until their
// addresses are held.
func passFreeAfter(t *testing.T, r *Responder) {
	t.Helper()
	netnstest.Eventually(t, "the conflicts about what is not held are over", func() (err error) {
		r.detector.mu.Lock()
		defer r.detector.mu.Unlock()
		for v := range r.detector.pending {
			if host := v.acd.conflict; host != nil && !v.acd.holding {
				host.lastSeen, host.silence = time.Now().Add(-freeAfter), freeRounds
				host.longest, err = 0, fmt.Errorf("%s is not held", v.addr)
			}
		}
		return err
	})
}

// probed returns desired addresses that nobody has held and that must be probed first.
func probed(interfaces []string, addresses ...netip.Addr) []announce.Layer2Address {
	all := on(interfaces, addresses...)
	for i := range all {
		all[i].Probe = true
	}
	return all
}

// send sends a frame from the far end as it is.
func send(t *testing.T, conn *packet.Conn, frame []byte) {
	t.Helper()
	if _, err := conn.WriteTo(frame, &packet.Addr{HardwareAddr: frame[:6]}); err != nil {
		t.Fatal(err)
	}
}

func (s *segment) farMAC(t *testing.T) (m mac) {
	t.Helper()
	s.host.Do(t, func() { m = lookUp(s.far).nic.mac })
	return m
}

// wantConflicts waits until exactly these conflicts exist, whatever their Since, and exactly these addresses are held.
func wantConflicts(t *testing.T, r *Responder, held []netip.Addr, want ...Conflict) {
	t.Helper()
	netnstest.Eventually(t, "the conflicts are as they should be", func() error {
		got := r.Conflicts()
		if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}), cmpopts.IgnoreFields(Conflict{}, "Since"),
			cmpopts.EquateEmpty()); diff != "" {
			return errors.New(diff)
		}
		for _, c := range got {
			if age := time.Since(c.Since); age < 0 || age > time.Minute {
				return fmt.Errorf("%v since %v", c.Addr, c.Since)
			}
		}
		var holding []netip.Addr
		for _, h := range r.Held() {
			holding = append(holding, h.Addr)
		}
		if !slices.Equal(holding, held) {
			return fmt.Errorf("held are %v, want %v", holding, held)
		}
		var gauge float64
		for _, family := range []lb.Family{lb.IPv4, lb.IPv6} {
			gauge += testutil.ToFloat64(r.metrics.of(family).conflicts)
		}
		if gauge != float64(len(want)) {
			return fmt.Errorf("the metric says %v", gauge)
		}
		return nil
	})
}

// awaitChange waits for a wake that must come without a Set.
func awaitChange(t *testing.T, r *Responder, why string) {
	t.Helper()
	select {
	case <-r.Changes():
	case <-time.After(10 * time.Second):
		t.Fatalf("no wake when %s", why)
	}
}

// TestResponder_ProbesANewAddressFirst: three probes and only then the announcement, without Set waiting for it.
func TestResponder_ProbesANewAddressFirst(t *testing.T) {
	s := newSegment(t, "near0")
	for _, test := range []struct {
		addr  netip.Addr
		kind  int
		probe func(mac, netip.Addr) []byte
		forms func(mac, netip.Addr) [][]byte
	}{
		{vip4, unix.ETH_P_ARP, probeARP, gratuitousARP}, {vip6, unix.ETH_P_IPV6, probeNDP, unsolicitedAdvertisement},
	} {
		t.Run(test.addr.String(), func(t *testing.T) {
			r := begin(t, Config{})
			conn, ours := s.listen(t, test.kind), s.mac(t)
			probeFrame, announced := test.probe(ours, test.addr), test.forms(ours, test.addr)[0]
			started := time.Now()
			mustSet(t, r, probed([]string{"near0"}, test.addr))
			if held := r.Held(); len(held) > 0 {
				t.Errorf("held already: %v", held)
			}
			send(t, conn, map[int][]byte{
				unix.ETH_P_ARP: request(broadcast, client4, vip4), unix.ETH_P_IPV6: solicit(groupMAC6, client6, group6, vip6),
			}[test.kind])
			took := receive(t, conn, "the announcement", counted(t, probeFrame, announced)).Sub(started)
			if took < 100*time.Millisecond {
				t.Errorf("announced after only %v", took)
			}
			t.Logf("announced after %v", took)
			awaitChange(t, r, "the address was found free")
			if held := r.Held(); len(held) != 1 || held[0].Addr != test.addr {
				t.Errorf("held: %v", held)
			}
			wantAnswers(t, s, ours, []netip.Addr{test.addr}, []netip.Addr{test.addr})
		})
	}
}

// counted waits for the last frame. Before it there must be at least three probes and nothing else from us.
func counted(t *testing.T, probeFrame, last []byte) func([]byte) bool {
	probes := 0
	return func(frame []byte) bool {
		switch {
		case slices.Equal(frame, probeFrame):
			probes++
		case slices.Equal(frame, last):
			if probes < probeNum {
				t.Errorf("announced after %d probes", probes)
			}
			return true
		case mac(frame[6:12]) == mac(last[6:12]) && slices.Equal(frame[12:14], last[12:14]) && !byKernel(frame):
			t.Errorf("sent before it was announced: %x", frame)
		}
		return false
	}
}

// byKernel reports whether our own kernel sent an IPv6 frame, such as an MLD report.
func byKernel(frame []byte) bool {
	p, ok := parseIPv6(frame)
	return frame[12] == 0x86 && (!ok || p.icmp[0] != typeAdvertisement)
}

// TestResponder_LeavesAnAddressToItsOwner: an address that the kernel at the far end has is neither announced nor
// answered until that kernel removes it.
func TestResponder_LeavesAnAddressToItsOwner(t *testing.T) {
	s := newSegment(t, "near0")
	s.host.Run(t, "ip", "addr", "add", vip4.String()+"/24", "dev", "far0")
	s.host.Run(t, "ip", "addr", "add", vip6.String()+"/64", "dev", "far0", "nodad")
	arps, ndps, ours := s.listen(t, unix.ETH_P_ARP), s.listen(t, unix.ETH_P_IPV6), s.mac(t)
	r := beginFast(t, Config{})
	by := s.farMAC(t).String()
	mustSet(t, r, probed([]string{"near0"}, vip4, vip6, vip6b))
	awaitChange(t, r, "a conflict begins")
	conflicts := []Conflict{{Addr: vip4, MAC: by, Interface: "near0"}, {Addr: vip6, MAC: by, Interface: "near0"}}
	wantConflicts(t, r, []netip.Addr{vip6b}, conflicts...)

	// A hand-over comes too late to change that.
	mustSet(t, r, on([]string{"near0"}, vip4, vip6, vip6b))
	wantConflicts(t, r, []netip.Addr{vip6b}, conflicts...)
	netnstest.Eventually(t, "they are probed again and again", func() error {
		for _, m := range []*familyMetrics{r.metrics.ipv4, r.metrics.ipv6} {
			if n := testutil.ToFloat64(m.probes); n < 10 {
				return fmt.Errorf("%v probes", n)
			}
		}
		return nil
	})
	wantConflicts(t, r, []netip.Addr{vip6b}, conflicts...)
	send(t, arps, request(broadcast, client4, vip4))
	send(t, ndps, solicit(groupMAC6, client6, group6, vip6))

	s.host.Run(t, "ip", "addr", "del", vip4.String()+"/24", "dev", "far0")
	s.host.Run(t, "ip", "addr", "del", vip6.String()+"/64", "dev", "far0")
	passFreeAfter(t, r)
	wantConflicts(t, r, []netip.Addr{vip4, vip6, vip6b})
	silent := func(announcement []byte) func([]byte) bool {
		return func(frame []byte) bool {
			if slices.Equal(frame, arpAnswer(ours)) || slices.Equal(frame, neighborAdvertisement(ours, vip6, client, client6)) {
				t.Errorf("answered before it was ours: %x", frame)
			}
			return slices.Equal(frame, announcement)
		}
	}
	receive(t, arps, "the announcement of the IPv4 address", silent(gratuitousARP(ours, vip4)[0]))
	receive(t, ndps, "the announcement of the IPv6 address", silent(unsolicitedAdvertisement(ours, vip6)[0]))
	wantAnswers(t, s, ours, []netip.Addr{vip4, vip6}, []netip.Addr{vip4, vip6})
}

// arpAnswer returns our answer to the client's request for vip4.
func arpAnswer(ours mac) []byte {
	return handleARP(ours, held4, request(broadcast, client4, vip4)).reply
}

// TestResponder_DefendsAHeldAddress: the kernel at the far end gets an address that we hold, and announces it.
func TestResponder_DefendsAHeldAddress(t *testing.T) {
	s := newSegment(t, "near0")
	r := beginFast(t, Config{})
	arps, ndps, ours := s.listen(t, unix.ETH_P_ARP), s.listen(t, unix.ETH_P_IPV6), s.mac(t)
	mustSet(t, r, on([]string{"near0"}, vip4, vip6))
	receive(t, arps, "the announcement of the IPv4 address", equalTo(gratuitousARP(ours, vip4)[1]))
	receive(t, ndps, "the announcement of the IPv6 address", equalTo(unsolicitedAdvertisement(ours, vip6)[0]))

	s.host.Run(t, "ip", "addr", "add", vip4.String()+"/24", "dev", "far0")
	s.host.Run(t, "ip", "addr", "add", vip6.String()+"/64", "dev", "far0", "nodad")
	s.host.Sysctl(t, "ipv4/conf/far0/arp_notify", "1")
	s.host.Sysctl(t, "ipv6/conf/far0/ndisc_notify", "1")
	s.host.Run(t, "ip", "link", "set", "far0", "address", foreign.String()) // The kernel announces the change.
	awaitChange(t, r, "a foreign host uses an address")
	wantConflicts(t, r, []netip.Addr{vip4, vip6},
		Conflict{Addr: vip4, MAC: foreign.String(), Interface: "near0", Announced: true},
		Conflict{Addr: vip6, MAC: foreign.String(), Interface: "near0", Announced: true})
	receive(t, arps, "the defence of the IPv4 address", equalTo(gratuitousARP(ours, vip4)[0]))
	receive(t, ndps, "the defence of the IPv6 address", equalTo(unsolicitedAdvertisement(ours, vip6)[0]))

	// Further uses are not defended against, and everything is answered as before. The answer proves that the frames
	// were read.
	for range 5 {
		send(t, arps, with(request(broadcast, vip4, vip4), 22, foreign2[:]...))
		send(t, ndps, advertise(allNodes, vip6, allNodes6, vip6, false, link(ndp.Target, foreign2)))
	}
	send(t, arps, request(ours, client4, vip4))
	send(t, ndps, solicit(ours, client6, vip6, vip6))
	receive(t, arps, "an answer", butNot(t, gratuitousARP(ours, vip4)[0], arpAnswer(ours)))
	receive(t, ndps, "an answer", butNot(t, unsolicitedAdvertisement(ours, vip6)[0], neighborAdvertisement(ours, vip6, client, client6)))
	for _, m := range []*familyMetrics{r.metrics.ipv4, r.metrics.ipv6} {
		if begun, defended := testutil.ToFloat64(m.conflictsBegun), testutil.ToFloat64(m.defences); begun != 1 || defended != 1 {
			t.Errorf("%v conflicts, %v defences", begun, defended)
		}
	}
	// A defence is one packet; the announcement before it was two in ARP and one in NDP.
	if four, six := testutil.ToFloat64(r.metrics.ipv4.gratuitous), testutil.ToFloat64(r.metrics.ipv6.gratuitous); four != 3 || six != 2 {
		t.Errorf("%v and %v announcements sent", four, six)
	}

	mustSet(t, r, on([]string{"near0"}, vip6))
	wantConflicts(t, r, []netip.Addr{vip6}, Conflict{Addr: vip6, MAC: foreign.String(), Interface: "near0", Announced: true})
	mustSet(t, r, nil)
	wantConflicts(t, r, nil)
}

// TestResponder_DefencesHaveABudget: a stranger announces thirty of our addresses at once.
func TestResponder_DefencesHaveABudget(t *testing.T) {
	const rate, count = 20, 30
	s := newSegment(t, "near0")
	r := beginFast(t, Config{AnnouncementRate: rate})
	conn := s.listen(t, unix.ETH_P_ARP)
	var addresses []netip.Addr
	for addr := vip4; len(addresses) < count; addr = addr.Next() {
		addresses = append(addresses, addr)
	}
	mustSet(t, r, on([]string{"near0"}, addresses...))
	sent := func() float64 { return testutil.ToFloat64(r.metrics.ipv4.gratuitous) }
	netnstest.Eventually(t, "all have been announced", func() error {
		if now := sent(); now < 2*count {
			return fmt.Errorf("%v announcements", now)
		}
		return nil
	})
	before, began := sent(), time.Now()
	for _, addr := range addresses {
		send(t, conn, with(request(broadcast, addr, addr), 22, foreign[:]...))
	}
	defended := func() float64 { return testutil.ToFloat64(r.metrics.ipv4.defences) }
	netnstest.Eventually(t, "all are defended", func() error {
		if now := defended(); now < count {
			return fmt.Errorf("%v defences", now)
		}
		return nil
	})
	if most := before + 2 + rate*time.Since(began).Seconds(); sent() > most {
		t.Errorf("%v announcements, of which the budget allows %v", sent(), most)
	}
	netnstest.Eventually(t, "each has been sent", func() error {
		if now := sent(); now < before+count {
			return fmt.Errorf("%v of %v", now-before, count)
		}
		return nil
	})
}

// butNot waits for a frame, before which another one must not come.
func butNot(t *testing.T, never, wanted []byte) func([]byte) bool {
	return func(frame []byte) bool {
		if slices.Equal(frame, never) {
			t.Errorf("there was %x", frame)
		}
		return slices.Equal(frame, wanted)
	}
}

// TestResponder_EndsAConflictAfterSilence without a Set. The test moves the time of the last frame back by a minute.
func TestResponder_EndsAConflictAfterSilence(t *testing.T) {
	s := newSegment(t, "near0")
	r := beginFast(t, Config{})
	mustSet(t, r, on([]string{"near0"}, vip4))
	send(t, s.listen(t, unix.ETH_P_ARP), request(broadcast, vip4, vip4))
	awaitChange(t, r, "a foreign host uses the address")
	wantConflicts(t, r, []netip.Addr{vip4}, Conflict{Addr: vip4, MAC: client.String(), Interface: "near0", Announced: true})
	r.detector.mu.Lock()
	v := r.detector.vip(vip4, "near0")
	v.acd.conflict.lastSeen, v.acd.due = v.acd.conflict.lastSeen.Add(-conflictTimeout), time.Now()
	r.detector.reschedule(v)
	r.detector.mu.Unlock()
	notify(r.detector.wake)
	awaitChange(t, r, "the foreign host has been silent")
	wantConflicts(t, r, []netip.Addr{vip4})
}

// TestResponder_AddressAddedAgainIsNew: it is probed again, or held at once, as the new Set says.
func TestResponder_AddressAddedAgainIsNew(t *testing.T) {
	s := newSegment(t, "near0")
	s.host.Run(t, "ip", "addr", "add", vip4.String()+"/24", "dev", "far0")
	r := begin(t, Config{})
	contested := Conflict{Addr: vip4, MAC: s.farMAC(t).String(), Interface: "near0"}
	mustSet(t, r, probed([]string{"near0"}, vip4))
	wantConflicts(t, r, nil, contested)
	mustSet(t, r, nil)
	mustSet(t, r, on([]string{"near0"}, vip4))
	wantConflicts(t, r, []netip.Addr{vip4})
	mustSet(t, r, probed([]string{"near0"}, vip4)) // It is known already, so it stays held.
	wantConflicts(t, r, []netip.Addr{vip4})
	mustSet(t, r, nil)
	mustSet(t, r, probed([]string{"near0"}, vip4))
	wantConflicts(t, r, nil, contested)
}

// TestResponder_ProbingWaitsForAnInterface: no answer proves nothing if no probe was sent.
func TestResponder_ProbingWaitsForAnInterface(t *testing.T) {
	r := beginFast(t, Config{})
	want := probed([]string{"near0"}, vip4, vip6)
	if err := r.Set(t.Context(), want); err == nil {
		t.Fatal("no error about the missing interface")
	}
	netnstest.Eventually(t, "it has been tried in vain", func() error {
		for _, addr := range []netip.Addr{vip4, vip6} {
			r.detector.mu.Lock()
			d := r.detector.vip(addr, "near0").acd
			r.detector.mu.Unlock()
			if wait := time.Until(d.due); wait < probeRetryInterval/2 || d.holding {
				return fmt.Errorf("%v: %+v", addr, d)
			}
		}
		return nil
	})
	// The new interface must end the wait, not the next attempt.
	r.detector.mu.Lock()
	for v := range r.detector.pending {
		v.acd.due = time.Now().Add(time.Hour)
	}
	r.detector.mu.Unlock()
	s := newSegment(t, "near0")
	s.host.Run(t, "ip", "addr", "add", vip4.String()+"/24", "dev", "far0")
	mustSet(t, r, want)
	wantConflicts(t, r, []netip.Addr{vip6}, Conflict{Addr: vip4, MAC: s.farMAC(t).String(), Interface: "near0"})
}

// TestResponder_ProbesManyAddresses together; all are soon held.
func TestResponder_ProbesManyAddresses(t *testing.T) {
	newSegment(t, "near0")
	r := begin(t, Config{})
	const many = 1000
	all := make([]netip.Addr, 0, 2*many)
	for i := range many {
		all = append(all, netip.AddrFrom4([4]byte{192, 1, byte(i >> 8), byte(i)}))
		v6 := vip6.As16()
		v6[13], v6[14], v6[15] = 0x50, byte(i>>8), byte(i)
		all = append(all, netip.AddrFrom16(v6))
	}
	mustSet(t, r, probed([]string{"near0"}, all...))
	started := time.Now()
	r.detector.mu.Lock()
	for v := range r.detector.pending {
		if wait := v.acd.due.Sub(started); wait > probeRetryInterval/2 {
			t.Errorf("%v waits %v for an interface that is there", v.addr, wait)
			break
		}
	}
	r.detector.mu.Unlock()
	netnstest.Eventually(t, "all are held", func() error {
		if n := len(r.Held()); n < len(all) {
			return fmt.Errorf("%d are", n)
		}
		return nil
	})
	t.Logf("%d addresses were probed and taken in %v", len(all), time.Since(started))
	wantConflicts(t, r, slices.SortedFunc(slices.Values(all), netip.Addr.Compare))
}

// TestResponder_KernelsThatAnswerForAServiceProxyAreNoConflict: kube-proxy in IPVS mode has put the address on all nodes.
func TestResponder_KernelsThatAnswerForAServiceProxyAreNoConflict(t *testing.T) {
	s := newSegment(t, "near0")
	s.host.Run(t, "ip", "addr", "add", vip4.String()+"/32", "dev", "lo")
	r := beginFast(t, Config{})
	by := s.farMAC(t).String()
	r.UpdateClusterMACs([]announce.NodeMAC{{MAC: by, Node: "n2", Interface: "eth0"}})
	desired := probed([]string{"near0"}, vip4)
	mustSet(t, r, desired)
	awaitChange(t, r, "a conflict begins")
	wantConflicts(t, r, nil, Conflict{Addr: vip4, MAC: by, Interface: "near0", Node: "n2", NodeInterface: "eth0"})

	desired[0].KernelsAnswer = true
	mustSet(t, r, desired)
	wantConflicts(t, r, []netip.Addr{vip4})
	conn, ours := s.listen(t, unix.ETH_P_ARP), s.mac(t)
	send(t, conn, with(request(broadcast, vip4, vip4), 22, s.farMAC(t).slice()...)) // A kernel that asks others from the address.
	send(t, conn, request(ours, client4, vip4))
	receive(t, conn, "an answer", equalTo(arpAnswer(ours)))
	if rivals := r.Rivals(); len(rivals) > 0 {
		t.Errorf("rivals: %v", rivals)
	}
}
