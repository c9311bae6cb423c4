package unnumbered

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/ndp"
	"golang.org/x/net/ipv6"

	"github.com/daymark-lb/daymark/internal/netnstest"
)

// TestTwoEndsFindEachOther: each end is the router that the other one looks for.
func TestTwoEndsFindEachOther(t *testing.T) {
	quick(t)
	ip(t, "link add one0 type veth peer name two0")
	t.Cleanup(func() { ip(t, "link del one0") })
	ip(t, "link set one0 up")
	ip(t, "link set two0 up")
	one, two := linkLocalOf(t, "one0").WithZone("two0"), linkLocalOf(t, "two0").WithZone("one0")

	d := start(t)
	d.set("one0")
	other := start(t)
	began := time.Now()
	other.set("two0", "two0")
	d.finds("one0", two)
	other.finds("two0", one)
	t.Logf("found each other after %v", time.Since(began))

	// What is asked for replaces what was asked for, and what stays is left alone.
	port := func() *port {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.ports["one0"]
	}
	before := port()
	d.set("two0", "one0")
	d.finds("two0", one)
	if got := d.Routers(); !maps.Equal(got, map[string]netip.Addr{"one0": two, "two0": one}) || port() != before {
		t.Errorf("both: %v", got)
	}
	d.set()
	if got := d.Routers(); len(got) != 0 {
		t.Errorf("nothing asked for: %v", got)
	}
	d.end()
	if err := d.Set(t.Context(), nil); !errors.Is(err, ErrStopped) {
		t.Errorf("Set after the end: %v", err)
	}
	other.end()
	if len(other.Routers()) != 0 || len(other.ports) != 0 {
		t.Errorf("after the end: %v", other.Routers())
	}
}

func TestSetWaitsForStart(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := New(nil).Set(ctx, []string{"eth0"}); !errors.Is(err, context.Canceled) {
		t.Errorf("Set without Start: %v", err)
	}
}

// TestWhatWeSay: what a router on the wire sees of us.
func TestWhatWeSay(t *testing.T) {
	f := newFar(t, "say0")
	ours, mac := linkLocalOf(t, "say0"), macOf(t, "say0")
	d := start(t)
	began := time.Now()
	d.set("say0")

	link := []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Source, Addr: mac}}
	solicited, around := hear[*ndp.RouterSolicitation](f)
	check := func(what string, got, want any) {
		t.Helper()
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
	check("the solicitation", solicited, &ndp.RouterSolicitation{Options: link})
	check("its source", around.source, ours)
	check("its destination", around.destination, netip.MustParseAddr("ff02::2"))
	check("its hop limit", around.hopLimit, uint8(255))
	advertised, around := hear[*ndp.RouterAdvertisement](f)
	check("the advertisement", advertised, &ndp.RouterAdvertisement{Options: link})
	check("its source", around.source, ours)
	check("its destination", around.destination, netip.MustParseAddr("ff02::1"))
	check("its hop limit", around.hopLimit, uint8(255))
	if took := around.at.Sub(began); took > time.Second {
		t.Errorf("the first messages took %v", took)
	}

	// Asked again and again, even by a host that has no address yet, we answer once in three seconds.
	ask := frame{
		source: netip.IPv6Unspecified(), destination: allRouters, hopLimit: 255,
		message: marshal(t, question(nil)),
	}
	for range 100 {
		f.send(ask)
	}
	_, answer := hear[*ndp.RouterAdvertisement](f)
	if gap := answer.at.Sub(around.at); gap < hurry-100*time.Millisecond || gap > hurry+answerWithin+time.Second {
		t.Errorf("the answer came %v after the last advertisement", gap)
	}
}

// TestWhatIsHeard: what makes a router known, and what does not.
func TestWhatIsHeard(t *testing.T) {
	f := newFar(t, "hear0")
	ours := linkLocalOf(t, "hear0")
	d := start(t)
	d.set("hear0")
	hear[*ndp.RouterAdvertisement](f) // The port is open.

	bad := map[string]func(*frame){
		"forwarded":                   func(f *frame) { f.hopLimit = 254 },
		"from a global address":       func(f *frame) { f.source = netip.MustParseAddr("2001:db8::1") },
		"our own":                     func(f *frame) { f.source = ours },
		"with a wrong checksum":       func(f *frame) { f.badSum = true },
		"of another kind":             func(f *frame) { f.message[0] = byte(ipv6.ICMPTypeNeighborAdvertisement) },
		"a solicitation":              func(f *frame) { f.message = marshal(t, question(nil)) },
		"cut short":                   func(f *frame) { f.message = f.message[:12] },
		"with an option of no length": func(f *frame) { f.message[17] = 0 },
		"with half an option":         func(f *frame) { f.message = append(f.message, 1, 1, 0, 0) },
	}
	for _, change := range bad {
		wrong := f.advert("fe80::bad")
		change(&wrong)
		f.send(wrong)
	}
	// Frames of one cable arrive in order: when this one has been heard, all others have been passed over.
	f.send(f.advert("fe80::1"))
	d.await("a router is heard", func() error {
		if len(d.Routers()) == 0 {
			return errors.New("none")
		}
		return nil
	})
	d.finds("hear0", netip.MustParseAddr("fe80::1%hear0"))
	if _, greeting := hear[*ndp.RouterAdvertisement](f); greeting.destination != netip.MustParseAddr("fe80::1") {
		t.Errorf("the router that was found is not told of us: the next advertisement is to %v", greeting.destination)
	}

	// Another one changes nothing while the first is heard, nor do thousands, among which somebody asks. They have few
	// addresses: the kernel keeps every one, in one table for all that runs on this machine.
	ask := f.advert("fe80::2")
	ask.message = marshal(t, question(nil))
	for i := range 5000 {
		f.send(f.advert(fmt.Sprintf("fe80::2:%x", i%8)))
		if i%50 == 0 {
			f.send(ask)
		}
	}
	hear[*ndp.RouterAdvertisement](f)
	d.finds("hear0", netip.MustParseAddr("fe80::1%hear0"))
}

// TestRouterIsReplaced hears a second router of a port whose clock is ours.
func TestRouterIsReplaced(t *testing.T) {
	newFar(t, "clock0")
	on, err := lookUp("clock0")
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	p, err := open(on, slog.New(slog.DiscardHandler), func() { told++ })
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	right := ipv6.ControlMessage{HopLimit: 255, IfIndex: on.index}
	hear := func(seconds float64, from string, control *ipv6.ControlMessage) {
		p.hear(marshal(t, announcement(nil)), control, netip.MustParseAddr(from), at(seconds))
	}
	for _, step := range []struct {
		at      float64
		from    string
		control *ipv6.ControlMessage
		want    string
		told    int
	}{
		{0, "fe80::1", nil, "invalid IP", 0},
		{0, "fe80::1", &ipv6.ControlMessage{HopLimit: 255, IfIndex: on.index + 1}, "invalid IP", 0},
		{0, on.addresses[0].String(), &right, "invalid IP", 0},
		{0, "fe80::1", &right, "fe80::1%clock0", 1},
		{10, "fe80::1", &right, "fe80::1%clock0", 1},
		{39, "fe80::2", &right, "fe80::1%clock0", 1},
		{41, "fe80::2", &right, "fe80::2%clock0", 2},
	} {
		hear(step.at, step.from, step.control)
		if router, _, _ := p.state(); router.String() != step.want || told != step.told {
			t.Errorf("%v s, %s: the router is %v and was told %d times, want %s and %d", step.at, step.from, router, told, step.want, step.told)
		}
	}
}

// TestInterfacesAreFollowed: a link goes down, comes back, is renamed and replaced; nothing but the kernel says so.
func TestInterfacesAreFollowed(t *testing.T) {
	f := newFar(t, "follow0")
	d := start(t, func(d *Discovery) { d.every = time.Hour })
	d.set("follow0")
	meet := func(name, router string) {
		t.Helper()
		want := netip.MustParseAddr(router).WithZone(name)
		netnstest.Eventually(t, router+" is found on "+name, func() error {
			f.send(f.advert(router)) // The port may not be there yet, or not be the last: routers repeat themselves.
			if got := d.Routers()[name]; got != want {
				return fmt.Errorf("it is %v, with problem %w", got, d.Problems()[name])
			}
			return nil
		})
	}
	meet("follow0", "fe80::1")

	ip(t, "link set follow0 down")
	d.finds("follow0", without)
	d.complains("follow0", "the interface is down")
	f.drain()
	began := time.Now()
	ip(t, "link set follow0 up")
	if _, asked := hear[*ndp.RouterSolicitation](f); asked.at.Sub(began) > 2*time.Second {
		t.Errorf("a router was asked for after %v", asked.at.Sub(began))
	}
	meet("follow0", "fe80::2")

	f.space.Run(t, "ip", "link", "set", "far0", "down")
	d.finds("follow0", without)
	d.complains("follow0", "no carrier")
	f.space.Run(t, "ip", "link", "set", "far0", "up")
	meet("follow0", "fe80::3")

	ip(t, "link set follow0 down")
	ip(t, "link set follow0 name moved0")
	ip(t, "link set moved0 up")
	d.finds("follow0", without)
	d.complains("follow0", "there is no such interface")
	linkLocalOf(t, "moved0")
	err := d.Set(t.Context(), []string{"moved0", "follow0"})
	if err == nil || err.Error() != "look for a router on follow0: there is no such interface" {
		t.Errorf("Set says %v", err)
	}
	meet("moved0", "fe80::3")

	// Another cable under the old name is found by itself, within the minute in which Go remembers the old number.
	ip(t, "link del moved0")
	d.finds("moved0", without)
	f.plug("follow0")
	meet("follow0", "fe80::3")

	// Replaced between two looks: it is the index that tells.
	d.set("follow0")
	before := macOf(t, "follow0")
	ip(t, "link del follow0")
	f.plug("follow0")
	ip(t, "link set follow0 address "+before.String())
	d.finds("follow0", without)
	meet("follow0", "fe80::3")

	// Another MAC address: the old neighbor may be on another cable.
	ip(t, "link set follow0 address 02:00:00:00:00:77")
	d.finds("follow0", without)
	meet("follow0", "fe80::4")
}

// TestAlternativeName: an interface is found by its own name only.
func TestAlternativeName(t *testing.T) {
	newFar(t, "exact0")
	ip(t, "link property add dev exact0 altname another0")
	d := start(t)
	err := d.Set(t.Context(), []string{"another0", "../all", "", "exact0x", "a-name-that-no-interface-of-linux-can-have"})
	for _, want := range []string{
		"on another0: there is no such interface, but exact0 has it as alternative name", "on ../all: ", "on : ", "on exact0x: there is no such interface",
		"on a-name-that-no-interface-of-linux-can-have: ",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Set says %v, want %q", err, want)
		}
	}
}

// TestAddressesAreFollowed: without an address that may be used nothing is said, and as soon as there is one all is.
func TestAddressesAreFollowed(t *testing.T) {
	f := newFar(t, "addr0")
	d := start(t)
	d.set("addr0")
	meet := func() {
		t.Helper()
		f.send(f.advert("fe80::1"))
		d.finds("addr0", netip.MustParseAddr("fe80::1%addr0"))
	}
	meet()

	sysctl(t, "addr0/disable_ipv6", "1")
	d.finds("addr0", without)
	d.complains("addr0", "IPv6 is disabled on the interface (sysctl net.ipv6.conf.addr0.disable_ipv6)")
	sysctl(t, "addr0/disable_ipv6", "0")
	d.complains("addr0", "")
	meet()

	ip(t, "-6 addr flush dev addr0")
	d.complains("addr0", "no IPv6 link-local address")
	if len(d.Routers()) != 0 {
		t.Errorf("still %v", d.Routers())
	}
	sysctl(t, "addr0/accept_dad", "1")
	ip(t, "addr add fe80::77/64 dev addr0")
	d.complains("addr0", "fe80::77 is still being checked for duplicates")
	d.complains("addr0", "")
	hear[*ndp.RouterSolicitation](f)
	meet()

	// Another host has the address: the kernel finds out and gives it up.
	ip(t, "-6 addr flush dev addr0")
	f.space.Run(t, "ip", "addr", "add", "fe80::78/64", "dev", "far0", "nodad")
	ip(t, "addr add fe80::78/64 dev addr0")
	d.complains("addr0", "another host has the interface's IPv6 link-local address fe80::78 too")

	// The address that we speak from is another one.
	ip(t, "-6 addr flush dev addr0")
	ip(t, "addr add fe80::79/64 dev addr0 nodad")
	for {
		if _, around := hear[*ndp.RouterAdvertisement](f); around.source == netip.MustParseAddr("fe80::79") {
			break
		}
	}
	meet()
}

// TestWhatCannotBeSaidIsReported: a firewall that lets nothing out, until it does.
func TestWhatCannotBeSaidIsReported(t *testing.T) {
	netnstest.NeedProgram(t, "nft")
	f := newFar(t, "wall0")
	nft := func(line string) { t.Helper(); run(t, "nft", line) }
	nft("add table ip6 wall")
	t.Cleanup(func() { run(t, "nft", "delete table ip6 wall") })
	nft("add chain ip6 wall out { type filter hook output priority 0; }")
	nft("add rule ip6 wall out oifname wall0 icmpv6 type { nd-router-advert, nd-router-solicit } drop")
	d := start(t)
	_ = d.Set(t.Context(), []string{"wall0"}) // What has been sent by now is a matter of luck.
	d.complains("wall0", "send a router solicitation: ")
	d.complains("wall0", "operation not permitted")
	nft("flush chain ip6 wall out")
	d.complains("wall0", "")
	f.send(f.advert("fe80::1"))
	d.finds("wall0", netip.MustParseAddr("fe80::1%wall0"))
}

// TestABrokenPortIsReplaced: by itself, and not in the same breath.
func TestABrokenPortIsReplaced(t *testing.T) {
	f := newFar(t, "break0")
	d := start(t)
	d.set("break0")
	f.send(f.advert("fe80::1"))
	d.finds("break0", netip.MustParseAddr("fe80::1%break0"))

	d.mu.Lock() // Nobody else looks meanwhile.
	broken := errors.New("broken by the test")
	p := d.ports["break0"]
	p.mu.Lock()
	p.broken, p.trouble = true, broken
	p.mu.Unlock()
	d.apply()
	if !errors.Is(d.problems["break0"], broken) || d.ports["break0"] != nil || len(d.routers) != 0 {
		t.Errorf("the first look finds %v, %v, %v", d.problems, d.ports, d.routers)
	}
	d.mu.Unlock()
	d.complains("break0", "")
	f.send(f.advert("fe80::2"))
	d.finds("break0", netip.MustParseAddr("fe80::2%break0"))
}

// TestUnknownIsNotGone: while an interface cannot be looked up, what is known of it stands.
func TestUnknownIsNotGone(t *testing.T) {
	f := newFar(t, "unread0")
	var fails atomic.Bool
	d := start(t, func(d *Discovery) {
		d.lookUp = func(name string) (*station, error) {
			if fails.Load() {
				return nil, fmt.Errorf("%w: netlink is busy", errUnread)
			}
			return lookUp(name)
		}
	})
	d.set("unread0")
	f.send(f.advert("fe80::1"))
	d.finds("unread0", netip.MustParseAddr("fe80::1%unread0"))
	fails.Store(true)
	if err := d.Set(t.Context(), []string{"unread0"}); !errors.Is(err, errUnread) {
		t.Errorf("Set says %v", err)
	}
	d.finds("unread0", netip.MustParseAddr("fe80::1%unread0"))
	fails.Store(false)
	d.complains("unread0", "")
	d.finds("unread0", netip.MustParseAddr("fe80::1%unread0"))
}

// TestStationsOfOtherKinds: a link without a MAC address is a link.
func TestStationsOfOtherKinds(t *testing.T) {
	ip(t, "tuntap add tun9 mode tun")
	t.Cleanup(func() { ip(t, "link del tun9") })
	if _, err := lookUp("tun9"); err == nil || !strings.Contains(err.Error(), "down") {
		t.Errorf("down: %v", err)
	}
	if _, err := lookUp("lo"); err == nil || !strings.Contains(err.Error(), "no IPv6 link-local address") {
		t.Errorf("lo: %v", err)
	}
	a := station{name: "a", index: 1, addresses: []netip.Addr{netip.MustParseAddr("fe80::1")}}
	for name, change := range map[string]func(*station){
		"name": func(s *station) { s.name = "b" }, "index": func(s *station) { s.index = 2 },
		"MAC": func(s *station) { s.mac = make([]byte, 6) }, "addresses": func(s *station) { s.addresses = slices.Repeat(s.addresses, 2) },
	} {
		b := a
		if change(&b); a.same(&b) {
			t.Errorf("another %s is taken for the same station", name)
		}
	}
}
