package layer2

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/vishvananda/netlink"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

var (
	vip4b = netip.MustParseAddr("192.0.2.11")
	vip4c = netip.MustParseAddr("192.0.2.12")
	vip6b = netip.MustParseAddr("2001:db8::11")
	// vip6c shares its solicited-node group with vip6.
	vip6c = netip.MustParseAddr("2001:db8::1:0:10")
)

// TestResponder_AnswersWhatWasSet sets states in order and then at random. After each, the kernels at the far ends ask
// for all addresses, and Held must agree with the answers.
func TestResponder_AnswersWhatWasSet(t *testing.T) {
	one, two := newSegment(t, "near0"), newSegment(t, "near1")
	everything := []netip.Addr{vip4, vip4b, vip4c, vip6, vip6b, vip6c}
	first, second, both := []string{"near0"}, []string{"near1"}, []string{"near0", "near1"}
	states := []struct {
		name  string
		state []announce.Layer2Address
	}{
		{"nothing", nil},
		{"one IPv4 address", on(first, vip4)},
		{"one of each family", on(first, vip4, vip6)},
		{"only IPv6, two of one group", on(first, vip6, vip6c)},
		{"one of the group is left", on(first, vip6c)},
		{"everything on both", on(both, everything...)},
		{"each on its own", slices.Concat(on(first, vip4, vip6b), on(second, vip4b, vip6))},
		{"all moved to the other", slices.Concat(on(second, vip4, vip6b), on(first, vip4b, vip6))},
		{"the same address twice", slices.Concat(on(first, vip4), on(both, vip4))},
		{"an address on no interface", on(nil, vip4)},
		{"IPv4 written as IPv6", on(second, netip.MustParseAddr("::ffff:192.0.2.11"))},
	}
	const rounds = 25
	order := make([]int, 0, len(states)+rounds)
	for i := range states {
		order = append(order, i)
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range rounds {
		order = append(order, random.IntN(len(states)))
	}

	r := begin(t, Config{})
	for i, at := range order {
		state := states[at]
		mustSet(t, r, state.state)
		want := map[string][]netip.Addr{}
		wantHeld := map[netip.Addr][]string{}
		for _, address := range state.state {
			addr := address.Addr.Unmap()
			for _, name := range address.Interfaces {
				want[name] = append(want[name], addr)
				if !slices.Contains(wantHeld[addr], name) {
					wantHeld[addr] = append(wantHeld[addr], name)
				}
			}
		}
		netnstest.Eventually(t, fmt.Sprintf("step %d, %s: all is held", i, state.name), func() error { // What is added is probed.
			gotHeld := map[netip.Addr][]string{}
			for _, h := range r.Held() {
				gotHeld[h.Addr] = h.Interfaces
			}
			if diff := cmp.Diff(wantHeld, gotHeld, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
				return errors.New(diff)
			}
			return nil
		})
		for _, s := range []*segment{one, two} {
			wantAnswers(t, s, s.mac(t), everything, want[s.near])
		}
	}
}

// TestResponder_FollowsLinks: whatever happens to an interface, the next Set does what is possible and names what is
// not, and Held is right.
func TestResponder_FollowsLinks(t *testing.T) {
	s, other := newSegment(t, "near0"), newSegment(t, "near1")
	want := on([]string{"near0", "near1"}, vip4, vip6)
	r := begin(t, Config{})
	for _, step := range []struct {
		name string
		do   func()
		// fault is what Set says of near0; "" if it works there.
		fault string
	}{
		{"at first", func() {}, ""},
		{"a changed MAC address", func() { ip(t, "link set near0 address 02:00:00:00:00:77") }, ""},
		{"set down", func() { ip(t, "link set near0 down") }, "near0: the interface is down"},
		{"set up", func() {
			ip(t, "link set near0 up")
			netnstest.AwaitCarrier(t, "near0")
		}, ""},
		{"without a carrier", func() { s.host.Run(t, "ip", "link", "set", "far0", "down") }, "near0: the interface has no carrier"},
		{"with a carrier", func() {
			s.host.Run(t, "ip", "link", "set", "far0", "up")
			s.host.Run(t, "ip", "addr", "replace", "2001:db8::1/64", "dev", "far0", "nodad")
			netnstest.AwaitCarrier(t, "near0")
		}, ""},
		{"renamed", func() {
			ip(t, "link set near0 down")
			ip(t, "link set near0 name gone0")
		}, "near0: there is no such interface"},
		{"named as before", func() {
			ip(t, "link set gone0 name near0")
			ip(t, "link set near0 up")
			netnstest.AwaitCarrier(t, "near0")
		}, ""},
		{"removed", func() { ip(t, "link del near0") }, "near0: there is no such interface"},
		{"replaced", func() { s.connect(t) }, ""},
		{"replaced between two Sets", func() {
			ip(t, "link del near0")
			s.connect(t)
		}, ""},
		{"replaced by one without Ethernet", func() {
			ip(t, "link del near0")
			ip(t, "tuntap add near0 mode tun")
			ip(t, "link set near0 up")
		}, "near0: the interface "},
	} {
		step.do()
		err := r.Set(t.Context(), want)
		held := r.Held()
		if len(held) != 2 {
			t.Fatalf("%s: held %v", step.name, held)
		}
		if step.fault != "" {
			if err == nil || !strings.Contains(err.Error(), step.fault) || !strings.Contains(err.Error(), vip4.String()) {
				t.Fatalf("%s: Set gave %v, want %q in it", step.name, err, step.fault)
			}
			if got := held[0].Interfaces; !slices.Equal(got, []string{"near1"}) {
				t.Fatalf("%s: held on %v", step.name, got)
			}
		} else {
			if err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
			if got := held[0].Interfaces; !slices.Equal(got, []string{"near0", "near1"}) {
				t.Fatalf("%s: held on %v", step.name, got)
			}
			wantAnswers(t, s, s.mac(t), []netip.Addr{vip4, vip6}, []netip.Addr{vip4, vip6})
		}
		// The other interface is not affected.
		wantAnswers(t, other, other.mac(t), []netip.Addr{vip4, vip6}, []netip.Addr{vip4, vip6})
	}
	ip(t, "link del near0")
}

// TestResponder_ReopensABrokenSocket: an interface that was down and up again answers without a Set.
func TestResponder_ReopensABrokenSocket(t *testing.T) {
	s := newSegment(t, "near0")
	r := begin(t, Config{})
	mustSet(t, r, on([]string{"near0"}, vip4, vip6))
	ip(t, "link set near0 down")
	netnstest.Eventually(t, "Held tells that nothing is answered", func() error {
		if held := r.Held(); len(held) > 0 {
			return fmt.Errorf("%v", held)
		}
		return nil
	})
	awaitChange(t, r, "an interface went down")
	ip(t, "link set near0 up")
	netnstest.Eventually(t, "it is held again", func() error {
		if held := r.Held(); len(held) != 2 {
			return fmt.Errorf("%v", held)
		}
		return nil
	})
	wantAnswers(t, s, s.mac(t), []netip.Addr{vip4, vip6}, []netip.Addr{vip4, vip6})
}

// TestResponder_SurvivesAnUnseenFlap: the interface is up again before anybody looks at it.
func TestResponder_SurvivesAnUnseenFlap(t *testing.T) {
	s := newSegment(t, "near0")
	r := begin(t, Config{})
	mustSet(t, r, on([]string{"near0"}, vip4))
	wantAnswers(t, s, s.mac(t), []netip.Addr{vip4}, []netip.Addr{vip4})
	near := &netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Name: "near0"}}
	if err := errors.Join(netlink.LinkSetDown(near), netlink.LinkSetUp(near)); err != nil {
		t.Fatal(err)
	}
	// The host may also learn from an announcement, so only our own counter is a proof.
	before := testutil.ToFloat64(r.metrics.ipv4.answered)
	netnstest.Eventually(t, "it is answered again", func() error {
		s.answers(t, vip4)
		if testutil.ToFloat64(r.metrics.ipv4.answered) == before {
			return errors.New("no answer")
		}
		return nil
	})
}

func TestResponder_HeldSince(t *testing.T) {
	newSegment(t, "near0")
	newSegment(t, "near1")
	r := begin(t, Config{})
	before := time.Now()
	mustSet(t, r, on([]string{"near0"}, vip4))
	since := r.Held()[0].Since
	if since.Before(before) || since.After(time.Now()) {
		t.Errorf("since %v, which is not now", since)
	}
	mustSet(t, r, on([]string{"near1"}, vip4, vip4b))
	if got := r.Held()[0].Since; !got.Equal(since) {
		t.Error("moving to another interface is not a break")
	}
	if got := r.Held()[1].Since; !got.After(since) {
		t.Error("an address that is new begins anew")
	}
	mustSet(t, r, nil)
	mustSet(t, r, on([]string{"near0"}, vip4))
	if got := r.Held()[0].Since; !got.After(since) {
		t.Error("having been let go is a break")
	}
}

func TestResponder_RefusesWhatIsNoHostAddress(t *testing.T) {
	s := newSegment(t, "near0")
	r := begin(t, Config{})
	err := r.Set(t.Context(), on([]string{"near0"}, netip.Addr{}, netip.MustParseAddr("224.0.0.1"), vip4))
	if err == nil || !strings.Contains(err.Error(), "224.0.0.1") {
		t.Errorf("Set gave %v", err)
	}
	wantAnswers(t, s, s.mac(t), []netip.Addr{vip4}, []netip.Addr{vip4})
}

func TestResponder_SetWaitsNoLongerThanItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := New(Config{}).Set(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestResponder_Metrics(t *testing.T) {
	s := newSegment(t, "near0")
	registry := prometheus.NewRegistry()
	r := begin(t, Config{Registerer: registry})
	mustSet(t, r, on([]string{"near0"}, vip4, vip6))
	s.answers(t, vip4, vip4b, vip6, vip6b)
	for _, addr := range []netip.Addr{vip4, vip6} {
		m := r.metrics.of(lb.FamilyOf(addr))
		netnstest.Eventually(t, "answers in "+lb.FamilyOf(addr).String()+" are counted", func() error {
			if n := testutil.ToFloat64(m.answered); n < 1 {
				return fmt.Errorf("%v", n)
			}
			return nil
		})
		// The group of an address that is not held is not joined.
		if received := testutil.ToFloat64(m.received); received < testutil.ToFloat64(m.answered) {
			t.Errorf("%s: only %v received", lb.FamilyOf(addr).String(), received)
		}
		netnstest.Eventually(t, "announcements in "+lb.FamilyOf(addr).String()+" are counted", func() error {
			if n := testutil.ToFloat64(m.gratuitous); n < 1 {
				return fmt.Errorf("%v", n)
			}
			return nil
		})
		if n := testutil.ToFloat64(m.held); n != 1 {
			t.Errorf("%s: %v held", lb.FamilyOf(addr).String(), n)
		}
	}
	problems, err := testutil.GatherAndLint(registry)
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}

// TestResponder_HoldsManyAddresses holds more groups than one socket can join, and removes them all.
func TestResponder_HoldsManyAddresses(t *testing.T) {
	s := newSegment(t, "near0")
	r := begin(t, Config{})
	const many = 5000
	all := make([]netip.Addr, 0, 2*many)
	for i := range many {
		all = append(all, netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)}))
		v6 := vip6.As16()
		v6[13], v6[14], v6[15] = 0x50, byte(i>>8), byte(i)
		all = append(all, netip.AddrFrom16(v6))
	}
	begin := time.Now()
	mustSet(t, r, on([]string{"near0"}, all...))
	t.Logf("%d addresses were taken over in %v", len(all), time.Since(begin))
	begin = time.Now()
	mustSet(t, r, on([]string{"near0"}, all...))
	t.Logf("and again, which changes nothing, in %v", time.Since(begin))
	if sockets := len(r.sockets[socketKey{"near0", lb.IPv6}].groups.sockets); sockets < 2 {
		t.Errorf("%d groups fitted into %d socket: the test is too small for this kernel", many, sockets)
	}
	if held := r.Held(); len(held) != len(all) {
		t.Fatalf("%d held", len(held))
	}
	s.host.Run(t, "ip", "route", "add", "192.0.0.0/16", "dev", "far0")
	ends := []netip.Addr{all[0+2*512], all[1], all[len(all)-2], all[len(all)-1]}
	wantAnswers(t, s, s.mac(t), ends, ends)
	mustSet(t, r, on([]string{"near0"}, vip4))
	wantAnswers(t, s, s.mac(t), slices.Concat(ends, []netip.Addr{vip4}), []netip.Addr{vip4})
}
