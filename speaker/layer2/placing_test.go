package layer2

import (
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
)

// owned gives the host at the far end of a segment the addresses that we hold elsewhere.
func (s *segment) owned(t *testing.T) {
	t.Helper()
	s.host.Run(t, "ip", "addr", "add", vip4.String()+"/24", "dev", s.far)
	s.host.Run(t, "ip", "addr", "add", vip6.String()+"/64", "dev", s.far, "nodad")
}

// disowned takes them away again.
func (s *segment) disowned(t *testing.T) {
	t.Helper()
	s.host.Run(t, "ip", "addr", "del", vip4.String()+"/24", "dev", s.far)
	s.host.Run(t, "ip", "addr", "del", vip6.String()+"/64", "dev", s.far)
}

// unanswered makes it an error if anybody but the kernel answers for the addresses, or announces them, at the far end of a segment, until
// the test stops it.
func (s *segment) unanswered(t *testing.T) (stop func()) {
	t.Helper()
	ours := s.mac(t)
	var stops []func()
	for _, etherType := range []int{unix.ETH_P_ARP, unix.ETH_P_IPV6} {
		conn, done := s.listen(t, etherType), make(chan struct{})
		go func() {
			defer close(done)
			frame := make([]byte, maxFrameLength)
			for {
				n, _, err := conn.ReadFrom(frame)
				if err != nil {
					return
				}
				d := protocols4or6(etherType).describe(frame[:n])
				if d.by == ours && (d.kind == frameAnnouncement || d.kind == frameReply) && (d.target == vip4 || d.target == vip6) {
					t.Errorf("sent where another host has the address: %v", d)
				}
			}
		}()
		stops = append(stops, func() { _ = conn.Close(); <-done })
	}
	return func() {
		for _, stop := range stops {
			stop()
		}
	}
}

func protocols4or6(etherType int) *protocol {
	for _, p := range protocols {
		if p.etherType == etherType {
			return p
		}
	}
	return nil
}

// TestResponder_ProbesASegmentThatIsAddedToAnAddress: it is answered on the first one all the while, and on the second one not before its
// host has given the address up.
func TestResponder_ProbesASegmentThatIsAddedToAnAddress(t *testing.T) {
	first, second := newSegment(t, "near0"), newSegment(t, "near1")
	both := []netip.Addr{vip4, vip6}
	second.owned(t)
	r := beginFast(t, Config{})
	mustSet(t, r, on([]string{"near0"}, both...))
	wantAnswers(t, first, first.mac(t), both, both)

	stop := second.unanswered(t)
	desired := on([]string{"near0", "near1"}, both...)
	mustSet(t, r, desired)
	by := second.farMAC(t).String()
	conflicts := []Conflict{
		{Addr: vip4, MAC: by, Interface: "near1", Announced: true, Elsewhere: true},
		{Addr: vip6, MAC: by, Interface: "near1", Announced: true, Elsewhere: true},
	}
	wantConflicts(t, r, both, conflicts...)
	wantInterfaces(t, r, "near0")
	wantAnswers(t, first, first.mac(t), both, both)
	mustSet(t, r, desired)
	wantConflicts(t, r, both, conflicts...)
	stop()

	second.disowned(t)
	passFreeAfter(t, r)
	wantConflicts(t, r, both)
	wantAnswers(t, second, second.mac(t), both, both)
	wantInterfaces(t, r, "near0", "near1")
}

// TestResponder_AnswersOnAFreeSegmentThatIsAdded as soon as its probes were not answered.
func TestResponder_AnswersOnAFreeSegmentThatIsAdded(t *testing.T) {
	first, second := newSegment(t, "near0"), newSegment(t, "near1")
	r := begin(t, Config{})
	mustSet(t, r, on([]string{"near0"}, vip4))
	conn, ours := second.listen(t, unix.ETH_P_ARP), second.mac(t)
	mustSet(t, r, on([]string{"near0", "near1"}, vip4))
	wantInterfaces(t, r, "near0")
	receive(t, conn, "the announcement", counted(t, probeARP(ours, vip4), gratuitousARP(ours, vip4)[0]))
	wantAnswers(t, second, ours, []netip.Addr{vip4}, []netip.Addr{vip4})
	wantAnswers(t, first, first.mac(t), []netip.Addr{vip4}, []netip.Addr{vip4})
}

// TestResponder_ASegmentThatReturnsIsAnsweredAtOnce: a cable was pulled out for a moment. Who has taken the address meanwhile has it.
func TestResponder_ASegmentThatReturnsIsAnsweredAtOnce(t *testing.T) {
	newSegment(t, "near0")
	second := newSegment(t, "near1")
	both := []netip.Addr{vip4, vip6}
	r := beginFast(t, Config{})
	for _, interfaces := range [][]string{{"near0", "near1"}, {"near0"}, {"near0", "near1"}} {
		mustSet(t, r, on(interfaces, both...))
		wantInterfaces(t, r, interfaces...)
	}
	wantAnswers(t, second, second.mac(t), both, both)
	second.owned(t)
	mustSet(t, r, on([]string{"near0"}, both...))
	mustSet(t, r, on([]string{"near0", "near1"}, both...))
	by := second.farMAC(t).String()
	wantConflicts(t, r, both, Conflict{Addr: vip4, MAC: by, Interface: "near1", Announced: true, Elsewhere: true},
		Conflict{Addr: vip6, MAC: by, Interface: "near1", Announced: true, Elsewhere: true})
	mustSet(t, r, on([]string{"near0"}, both...))
	mustSet(t, r, on([]string{"near0", "near1"}, both...))
	wantInterfaces(t, r, "near0") // It was left to the host, so it is probed.
}

// TestResponder_ANewAddressIsProbedOnEachSegmentAlone: in use on one, free on the other.
func TestResponder_ANewAddressIsProbedOnEachSegmentAlone(t *testing.T) {
	first, second := newSegment(t, "near0"), newSegment(t, "near1")
	both := []netip.Addr{vip4, vip6}
	first.owned(t)
	r := beginFast(t, Config{})
	mustSet(t, r, probed([]string{"near0", "near1"}, both...))
	by := first.farMAC(t).String()
	wantConflicts(t, r, both, Conflict{Addr: vip4, MAC: by, Interface: "near0", Announced: true, Elsewhere: true},
		Conflict{Addr: vip6, MAC: by, Interface: "near0", Announced: true, Elsewhere: true})
	wantAnswers(t, second, second.mac(t), both, both)
	wantInterfaces(t, r, "near1")
}

// wantInterfaces is on which interfaces each address is held.
func wantInterfaces(t *testing.T, r *Responder, want ...string) {
	t.Helper()
	for _, h := range r.Held() {
		if len(h.Interfaces) != len(want) {
			t.Errorf("%s is held on %v, want %v", h.Addr, h.Interfaces, want)
			continue
		}
		for i, name := range h.Interfaces {
			if name != want[i] {
				t.Errorf("%s is held on %v, want %v", h.Addr, h.Interfaces, want)
			}
		}
	}
}

// TestConflictDetector_WhoWasToldOffDoesNotObjectElsewhere: an address that is defended on one interface moves to another. That host does
// not get it there, since the segment may be the same, and any other host does.
func TestConflictDetector_WhoWasToldOffDoesNotObjectElsewhere(t *testing.T) {
	now, defending := time.Now(), acd{holding: true}
	defending.addressInUse(now, user{mac: foreign}, 0)
	address := announce.Layer2Address{Addr: vip4}
	added := func(before acd) acd {
		return addedACD(now, &address, []string{"eth1"}, []*vip{{addr: vip4, on: "eth0", acd: before}}, nil)
	}
	moved := added(added(defending))
	if moved.addressInUse(now, user{mac: foreign2}, 0); moved.holding {
		t.Error("another host has the address, and it is not left to it")
	}
	moved = added(added(defending))
	if moved.addressInUse(now, user{mac: foreign}, 0); !moved.holding || moved.unproven() {
		t.Errorf("the host that was told off is here: holding %v, on trial %v", moved.holding, moved.unproven())
	}
	proven := added(defending)
	proven.step(now.Add(provingTime), 0)
	if moved = added(proven); len(moved.defendedFrom) != 0 {
		t.Error("a host that was silent here may not object elsewhere")
	}
}

// TestConflictDetector_WhoWasToldOffDoesNotObjectAfterAFlap: an interface on which an address is defended goes, and comes back.
func TestConflictDetector_WhoWasToldOffDoesNotObjectAfterAFlap(t *testing.T) {
	for _, by := range []mac{foreign, foreign2} {
		d := newConflictDetector(slog.New(slog.DiscardHandler), newMetrics(nil), DefaultAnnouncementRate)
		both := on([]string{"eth0", "eth1"}, vip4)
		d.setAddresses(both)
		d.addressInUse(addressUse{addr: vip4, by: foreign}, owner{}, "eth1")
		d.setAddresses(on([]string{"eth0"}, vip4))
		d.setAddresses(both)
		v := d.vip(vip4, "eth1")
		if !v.acd.holding || !v.acd.unproven() {
			t.Fatalf("back on eth1: holding %v, on trial %v", v.acd.holding, v.acd.unproven())
		}
		if d.addressInUse(addressUse{addr: vip4, by: by}, owner{}, "eth1"); v.acd.holding != (by == foreign) {
			t.Errorf("%v uses the address, and %v was told off: holding %v", by, foreign, v.acd.holding)
		}
	}
}

// TestResponder_AsksAboutWhatIsOnTrialOnceItCan: a probe can be sent when the sockets are there, and is due then.
func TestResponder_AsksAboutWhatIsOnTrialOnceItCan(t *testing.T) {
	newSegment(t, "near0")
	newSegment(t, "near1")
	r := New(Config{}) // It is not started, so what is due waits.
	t.Cleanup(func() { r.stop(); r.receivers.Wait() })
	due := func(name string) time.Time {
		r.detector.mu.Lock()
		defer r.detector.mu.Unlock()
		return r.detector.vip(vip4, name).acd.due
	}
	address := on([]string{"near0"}, vip4)
	address[0].OnTrial = true
	for _, name := range []string{"near0", "near1"} {
		address[0].Interfaces = []string{name}
		before := time.Now()
		r.detector.setAddresses(address)
		if due(name).Before(before.Add(provingLook)) {
			t.Errorf("a probe is due on %s before there is a socket", name)
		}
		r.desired = address
		if err := r.reapply(); err != nil {
			t.Fatal(err)
		}
		if wait := time.Until(due(name)); wait > 0 {
			t.Errorf("the first probe on %s is due after %v", name, wait)
		}
	}
}

// A host that was found elsewhere is waited for, unless the address may be free on another interface.
func TestFirstACD(t *testing.T) {
	now := time.Now()
	for _, test := range []struct {
		address announce.Layer2Address
		late    bool
		waits   time.Time
	}{
		{announce.Layer2Address{Probe: true, Interfaces: []string{"eth0"}}, false, time.Time{}},
		{announce.Layer2Address{Probe: true, Withheld: true, Interfaces: []string{"eth0"}}, true, time.Time{}},
		{announce.Layer2Address{Probe: true, Withheld: true, Disputed: true, Interfaces: []string{"eth0"}}, true, now.Add(freeAfter)},
		{announce.Layer2Address{Probe: true, Withheld: true, Disputed: true, Interfaces: []string{"eth0", "eth1"}}, false, time.Time{}},
	} {
		if got := firstACD(now, &test.address); got.late != test.late || !got.waitsUntil.Equal(test.waits) {
			t.Errorf("%+v: waits for late answers is %t, until %v", test.address, got.late, got.waitsUntil)
		}
	}
}

// TestAddedACD: what an interface that is new to an address does there first.
func TestAddedACD(t *testing.T) {
	now := time.Now()
	eth0 := func(holding, disputed bool) []*vip {
		v := &vip{addr: vip4, on: "eth0", acd: acd{holding: holding}}
		if disputed {
			v.acd.conflict = &conflictingHost{certain: true}
		}
		return []*vip{v}
	}
	for _, test := range []struct {
		name                    string
		before                  []*vip
		interfaces              []string
		detection               v1beta1.ConflictDetection
		perClient, returns      bool
		holds, onTrial, itsLate bool
	}{
		{name: "added to one that answers: probed", before: eth0(true, false), interfaces: []string{"eth0", "eth1"}},
		{
			name: "in place of one that answers: at once, and it lets go of it if a host objects", before: eth0(true, false),
			interfaces: []string{"eth1"}, holds: true, onTrial: true,
		},
		{
			name: "in place of one that answers and defends: at once, and it lets go of it if another host objects", before: eth0(true, true),
			interfaces: []string{"eth1"}, holds: true, onTrial: true,
		},
		{
			name: "back after a moment: at once, and it lets go of it if a host objects", before: eth0(true, false),
			interfaces: []string{"eth0", "eth1"}, returns: true, holds: true, onTrial: true,
		},
		{name: "back where another one is left to a host", before: eth0(false, true), interfaces: []string{"eth0", "eth1"}, returns: true, itsLate: true},
		{name: "added to one that is probed: probed", before: eth0(false, false), interfaces: []string{"eth0", "eth1"}},
		{
			name: "in place of one that is left to a host: probed, and an answer is waited for", before: eth0(false, true),
			interfaces: []string{"eth1"}, itsLate: true,
		},
		{
			name: "without detection: at once", before: eth0(true, false), interfaces: []string{"eth0", "eth1"},
			detection: v1beta1.ConflictOff, holds: true,
		},
		{name: "shared: at once", before: eth0(true, false), interfaces: []string{"eth0", "eth1"}, perClient: true, holds: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			address := announce.Layer2Address{Addr: vip4, Detection: test.detection}
			if test.perClient {
				address.Sharing = &announce.Sharing{}
			}
			var returns *leftPlace
			if test.returns {
				returns = &leftPlace{}
			}
			got := addedACD(now, &address, test.interfaces, test.before, returns)
			if got.holding != test.holds || got.unproven() != test.onTrial || got.late != test.itsLate {
				t.Errorf("holding %v, on trial %v, late %v", got.holding, got.unproven(), got.late)
			}
		})
	}
}
