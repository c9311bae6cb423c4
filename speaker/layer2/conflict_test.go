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

// hurried is a Responder that probes a foreign host's address again after a tenth to a third of a second, and announces
// an address once and then not for a long time.
func hurried(t *testing.T, cfg Config) *Responder {
	t.Helper()
	r := New(cfg)
	r.watch.scatter = func() float64 { return -0.98 + 0.05*rand.Float64() }
	r.announcer.scatter = func() float64 { return 1000 }
	run(t, r)
	return r
}

// fresh asks for addresses that nobody has held.
func fresh(interfaces []string, addresses ...netip.Addr) []announce.Layer2Address {
	all := on(interfaces, addresses...)
	for i := range all {
		all[i].Probe = true
	}
	return all
}

// put sends a frame from the far end as it is.
func put(t *testing.T, conn *packet.Conn, frame []byte) {
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

// wantConflicts waits until these are the conflicts, whose beginnings are left out, and no more is held than said.
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

// awaitChange waits for a wake, which must come without anybody's help.
func awaitChange(t *testing.T, r *Responder, why string) {
	t.Helper()
	select {
	case <-r.Changes():
	case <-time.After(10 * time.Second):
		t.Fatalf("no wake when %s", why)
	}
}

// TestANewAddressIsProbedFirst: three probes, and only then the announcement; Set waits for none of that.
func TestANewAddressIsProbedFirst(t *testing.T) {
	s := newSegment(t, "near0")
	for _, test := range []struct {
		addr  netip.Addr
		kind  int
		probe func(mac, netip.Addr) []byte
		forms func(mac, netip.Addr) [][]byte
	}{
		{vip4, unix.ETH_P_ARP, probeARP, announceARP}, {vip6, unix.ETH_P_IPV6, probeNDP, announceNDP},
	} {
		t.Run(test.addr.String(), func(t *testing.T) {
			r := begin(t, Config{})
			conn, ours := s.sniff(t, test.kind), s.mac(t)
			probed, announced := test.probe(ours, test.addr), test.forms(ours, test.addr)[0]
			started := time.Now()
			mustSet(t, r, fresh([]string{"near0"}, test.addr))
			if held := r.Held(); len(held) > 0 {
				t.Errorf("held already: %v", held)
			}
			put(t, conn, map[int][]byte{
				unix.ETH_P_ARP: request(broadcast, client4, vip4), unix.ETH_P_IPV6: solicit(groupMAC6, client6, group6, vip6),
			}[test.kind])
			took := receive(t, conn, "the announcement", counted(t, probed, announced)).Sub(started)
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

// counted waits for the last frame; before it there must have been three of the first kind, and nothing else from us.
func counted(t *testing.T, probed, last []byte) func([]byte) bool {
	probes := 0
	return func(frame []byte) bool {
		switch {
		case slices.Equal(frame, probed):
			probes++
		case slices.Equal(frame, last):
			if probes < probeNumber {
				t.Errorf("announced after %d probes", probes)
			}
			return true
		case mac(frame[6:12]) == mac(last[6:12]) && slices.Equal(frame[12:14], last[12:14]) && !byKernel(frame):
			t.Errorf("said before it was announced: %x", frame)
		}
		return false
	}
}

// byKernel: what our own kernel says by itself in IPv6, such as reports of MLD.
func byKernel(frame []byte) bool {
	p, ok := parseIPv6(frame)
	return frame[12] == 0x86 && (!ok || p.icmp[0] != typeAdvertisement)
}

// TestAForeignOwnerIsFoundFirst: an address that the kernel at the far end has is neither announced nor answered, until
// that gives it up.
func TestAForeignOwnerIsFoundFirst(t *testing.T) {
	s := newSegment(t, "near0")
	s.host.Run(t, "ip", "addr", "add", vip4.String()+"/24", "dev", "far0")
	s.host.Run(t, "ip", "addr", "add", vip6.String()+"/64", "dev", "far0", "nodad")
	arps, ndps, ours := s.sniff(t, unix.ETH_P_ARP), s.sniff(t, unix.ETH_P_IPV6), s.mac(t)
	r := hurried(t, Config{})
	by := s.farMAC(t).String()
	mustSet(t, r, fresh([]string{"near0"}, vip4, vip6, vip6b))
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
	put(t, arps, request(broadcast, client4, vip4))
	put(t, ndps, solicit(groupMAC6, client6, group6, vip6))

	s.host.Run(t, "ip", "addr", "del", vip4.String()+"/24", "dev", "far0")
	s.host.Run(t, "ip", "addr", "del", vip6.String()+"/64", "dev", "far0")
	wantConflicts(t, r, []netip.Addr{vip4, vip6, vip6b})
	silent := func(announcement []byte) func([]byte) bool {
		return func(frame []byte) bool {
			if slices.Equal(frame, arpAnswer(ours)) || slices.Equal(frame, advertisement(ours, vip6, client, client6)) {
				t.Errorf("answered before it was ours: %x", frame)
			}
			return slices.Equal(frame, announcement)
		}
	}
	receive(t, arps, "the announcement of the IPv4 address", silent(announceARP(ours, vip4)[0]))
	receive(t, ndps, "the announcement of the IPv6 address", silent(announceNDP(ours, vip6)[0]))
	wantAnswers(t, s, ours, []netip.Addr{vip4, vip6}, []netip.Addr{vip4, vip6})
}

// arpAnswer is what the client's question for vip4 would be answered with.
func arpAnswer(ours mac) []byte { return hearARP(ours, held4, request(broadcast, client4, vip4)).reply }

// TestAForeignClaimIsDefended: the kernel at the far end takes an address that we hold, and says so of itself.
func TestAForeignClaimIsDefended(t *testing.T) {
	s := newSegment(t, "near0")
	r := hurried(t, Config{})
	arps, ndps, ours := s.sniff(t, unix.ETH_P_ARP), s.sniff(t, unix.ETH_P_IPV6), s.mac(t)
	mustSet(t, r, on([]string{"near0"}, vip4, vip6))
	receive(t, arps, "the announcement of the IPv4 address", equal(announceARP(ours, vip4)[1]))
	receive(t, ndps, "the announcement of the IPv6 address", equal(announceNDP(ours, vip6)[0]))

	s.host.Run(t, "ip", "addr", "add", vip4.String()+"/24", "dev", "far0")
	s.host.Run(t, "ip", "addr", "add", vip6.String()+"/64", "dev", "far0", "nodad")
	s.host.Sysctl(t, "ipv4/conf/far0/arp_notify", "1")
	s.host.Sysctl(t, "ipv6/conf/far0/ndisc_notify", "1")
	s.host.Run(t, "ip", "link", "set", "far0", "address", stranger.String()) // The kernel announces the change.
	awaitChange(t, r, "a foreign host claims an address")
	wantConflicts(t, r, []netip.Addr{vip4, vip6},
		Conflict{Addr: vip4, MAC: stranger.String(), Interface: "near0", Announced: true},
		Conflict{Addr: vip6, MAC: stranger.String(), Interface: "near0", Announced: true})
	receive(t, arps, "the defence of the IPv4 address", equal(announceARP(ours, vip4)[0]))
	receive(t, ndps, "the defence of the IPv6 address", equal(announceNDP(ours, vip6)[0]))

	// More claims are not defended, and all is answered as before: the answer shows that the claims have been read.
	for range 5 {
		put(t, arps, with(request(broadcast, vip4, vip4), 22, another[:]...))
		put(t, ndps, advertise(allNodes, vip6, allNodes6, vip6, false, link(ndp.Target, another)))
	}
	put(t, arps, request(ours, client4, vip4))
	put(t, ndps, solicit(ours, client6, vip6, vip6))
	receive(t, arps, "an answer", not(t, announceARP(ours, vip4)[0], arpAnswer(ours)))
	receive(t, ndps, "an answer", not(t, announceNDP(ours, vip6)[0], advertisement(ours, vip6, client, client6)))
	for _, m := range []*familyMetrics{r.metrics.ipv4, r.metrics.ipv6} {
		if begun, defended := testutil.ToFloat64(m.contested), testutil.ToFloat64(m.defences); begun != 1 || defended != 1 {
			t.Errorf("%v conflicts, %v defences", begun, defended)
		}
	}
	// One packet is a defence; the announcement before it was two in ARP and one in NDP.
	if four, six := testutil.ToFloat64(r.metrics.ipv4.gratuitous), testutil.ToFloat64(r.metrics.ipv6.gratuitous); four != 3 || six != 2 {
		t.Errorf("%v and %v announcements sent", four, six)
	}

	mustSet(t, r, on([]string{"near0"}, vip6))
	wantConflicts(t, r, []netip.Addr{vip6}, Conflict{Addr: vip6, MAC: stranger.String(), Interface: "near0", Announced: true})
	mustSet(t, r, nil)
	wantConflicts(t, r, nil)
}

// not waits for a frame, before which another must not come.
func not(t *testing.T, never, wanted []byte) func([]byte) bool {
	return func(frame []byte) bool {
		if slices.Equal(frame, never) {
			t.Errorf("there was %x", frame)
		}
		return slices.Equal(frame, wanted)
	}
}

// TestASilentRivalIsForgotten, without anybody asking. The minute of silence is made to have passed.
func TestASilentRivalIsForgotten(t *testing.T) {
	s := newSegment(t, "near0")
	r := hurried(t, Config{})
	mustSet(t, r, on([]string{"near0"}, vip4))
	put(t, s.sniff(t, unix.ETH_P_ARP), request(broadcast, vip4, vip4))
	awaitChange(t, r, "a foreign host claims the address")
	wantConflicts(t, r, []netip.Addr{vip4}, Conflict{Addr: vip4, MAC: client.String(), Interface: "near0", Announced: true})
	r.watch.mu.Lock()
	d := &r.watch.vips[vip4].acd
	d.rival.seen, d.due = d.rival.seen.Add(-conflictOver), time.Now()
	r.watch.mu.Unlock()
	signal(r.watch.wake)
	awaitChange(t, r, "the foreign host has been silent")
	wantConflicts(t, r, []netip.Addr{vip4})
}

// TestAnAddressThatComesAgainIsNew: it is looked for anew, or held at once, as it is then said.
func TestAnAddressThatComesAgainIsNew(t *testing.T) {
	s := newSegment(t, "near0")
	s.host.Run(t, "ip", "addr", "add", vip4.String()+"/24", "dev", "far0")
	r := begin(t, Config{})
	contested := Conflict{Addr: vip4, MAC: s.farMAC(t).String(), Interface: "near0"}
	mustSet(t, r, fresh([]string{"near0"}, vip4))
	wantConflicts(t, r, nil, contested)
	mustSet(t, r, nil)
	mustSet(t, r, on([]string{"near0"}, vip4))
	wantConflicts(t, r, []netip.Addr{vip4})
	mustSet(t, r, fresh([]string{"near0"}, vip4)) // Known, so it stays held.
	wantConflicts(t, r, []netip.Addr{vip4})
	mustSet(t, r, nil)
	mustSet(t, r, fresh([]string{"near0"}, vip4))
	wantConflicts(t, r, nil, contested)
}

// TestProbingWaitsForAnInterface: no silence is taken for consent where nobody was asked.
func TestProbingWaitsForAnInterface(t *testing.T) {
	r := hurried(t, Config{})
	want := fresh([]string{"near0"}, vip4, vip6)
	if err := r.Set(t.Context(), want); err == nil {
		t.Fatal("no error about the missing interface")
	}
	netnstest.Eventually(t, "it has been tried in vain", func() error {
		for _, addr := range []netip.Addr{vip4, vip6} {
			r.watch.mu.Lock()
			d := r.watch.vips[addr].acd
			r.watch.mu.Unlock()
			if wait := time.Until(d.due); wait < unheardAfter/2 || d.holding {
				return fmt.Errorf("%v: %+v", addr, d)
			}
		}
		return nil
	})
	// The interface that comes is what ends the wait, not the next attempt.
	r.watch.mu.Lock()
	for _, v := range r.watch.vips {
		v.acd.due = time.Now().Add(time.Hour)
	}
	r.watch.mu.Unlock()
	s := newSegment(t, "near0")
	s.host.Run(t, "ip", "addr", "add", vip4.String()+"/24", "dev", "far0")
	mustSet(t, r, want)
	wantConflicts(t, r, []netip.Addr{vip6}, Conflict{Addr: vip4, MAC: s.farMAC(t).String(), Interface: "near0"})
}

// TestManyNewAddresses are probed together, and soon held.
func TestManyNewAddresses(t *testing.T) {
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
	mustSet(t, r, fresh([]string{"near0"}, all...))
	started := time.Now()
	r.watch.mu.Lock()
	for addr, v := range r.watch.vips {
		if wait := v.acd.due.Sub(started); wait > unheardAfter/2 {
			t.Errorf("%v waits %v for an interface that is there", addr, wait)
			break
		}
	}
	r.watch.mu.Unlock()
	netnstest.Eventually(t, "all are held", func() error {
		if n := len(r.Held()); n < len(all) {
			return fmt.Errorf("%d are", n)
		}
		return nil
	})
	t.Logf("%d addresses were probed and taken in %v", len(all), time.Since(started))
	wantConflicts(t, r, slices.SortedFunc(slices.Values(all), netip.Addr.Compare))
}
