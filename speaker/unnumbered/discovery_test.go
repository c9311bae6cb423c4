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

// TestDiscovery_TwoEndsFindEachOther: each end is the router that the other one looks for.
func TestDiscovery_TwoEndsFindEachOther(t *testing.T) {
	disableDAD(t)
	ip(t, "link add one0 type veth peer name two0")
	t.Cleanup(func() { ip(t, "link del one0") })
	ip(t, "link set one0 up")
	ip(t, "link set two0 up")
	one, two := linkLocalOf(t, "one0").WithZone("two0"), linkLocalOf(t, "two0").WithZone("one0")

	d := start(t)
	d.mustSet("one0")
	other := start(t)
	began := time.Now()
	other.mustSet("two0", "two0")
	d.awaitRouter("one0", two)
	other.awaitRouter("two0", one)
	t.Logf("found each other after %v", time.Since(began))

	// A Set replaces the one before, and keeps the sockets that stay.
	port := func() *raSocket {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.sockets["one0"]
	}
	before := port()
	d.mustSet("two0", "one0")
	d.awaitRouter("two0", one)
	if got := d.Routers(); !maps.Equal(got, map[string]netip.Addr{"one0": two, "two0": one}) || port() != before {
		t.Errorf("both: %v", got)
	}
	d.mustSet()
	if got := d.Routers(); len(got) != 0 {
		t.Errorf("nothing set: %v", got)
	}
	d.end()
	if err := d.Set(t.Context(), nil); !errors.Is(err, ErrStopped) {
		t.Errorf("Set after the end: %v", err)
	}
	other.end()
	if len(other.Routers()) != 0 || len(other.sockets) != 0 {
		t.Errorf("after the end: %v", other.Routers())
	}
}

func TestDiscovery_SetWaitsForStart(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := New(nil).Set(ctx, []string{"eth0"}); !errors.Is(err, context.Canceled) {
		t.Errorf("Set without Start: %v", err)
	}
}

// TestDiscovery_SolicitsAndAdvertises checks what a router receives from us.
func TestDiscovery_SolicitsAndAdvertises(t *testing.T) {
	f := newFarEnd(t, "say0")
	ours, mac := linkLocalOf(t, "say0"), macOf(t, "say0")
	d := start(t)
	began := time.Now()
	d.mustSet("say0")

	link := []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Source, Addr: mac}}
	solicited, around := receive[*ndp.RouterSolicitation](f)
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
	advertised, around := receive[*ndp.RouterAdvertisement](f)
	check("the advertisement", advertised, &ndp.RouterAdvertisement{Options: link})
	check("its source", around.source, ours)
	check("its destination", around.destination, netip.MustParseAddr("ff02::1"))
	check("its hop limit", around.hopLimit, uint8(255))
	if took := around.at.Sub(began); took > time.Second {
		t.Errorf("the first messages took %v", took)
	}

	// We answer many solicitations, even of a host that has no address yet, once in three seconds.
	solicitation := frame{
		source: netip.IPv6Unspecified(), destination: allRouters, hopLimit: 255,
		message: marshal(t, routerSolicitation(nil)),
	}
	for range 100 {
		f.send(solicitation)
	}
	_, answer := receive[*ndp.RouterAdvertisement](f)
	if gap := answer.at.Sub(around.at); gap < minAdvertiseDelay-100*time.Millisecond || gap > minAdvertiseDelay+maxAnswerDelay+time.Second {
		t.Errorf("the answer came %v after the last advertisement", gap)
	}
}

// TestDiscovery_AcceptsOnlyValidAdvertisements: what makes a router known, and what does not.
func TestDiscovery_AcceptsOnlyValidAdvertisements(t *testing.T) {
	f := newFarEnd(t, "hear0")
	ours := linkLocalOf(t, "hear0")
	d := start(t)
	d.mustSet("hear0")
	receive[*ndp.RouterAdvertisement](f) // The socket is open.

	bad := map[string]func(*frame){
		"forwarded":                   func(f *frame) { f.hopLimit = 254 },
		"from a global address":       func(f *frame) { f.source = netip.MustParseAddr("2001:db8::1") },
		"our own":                     func(f *frame) { f.source = ours },
		"with a wrong checksum":       func(f *frame) { f.badSum = true },
		"of another kind":             func(f *frame) { f.message[0] = byte(ipv6.ICMPTypeNeighborAdvertisement) },
		"a solicitation":              func(f *frame) { f.message = marshal(t, routerSolicitation(nil)) },
		"cut short":                   func(f *frame) { f.message = f.message[:12] },
		"with an option of no length": func(f *frame) { f.message[17] = 0 },
		"with half an option":         func(f *frame) { f.message = append(f.message, 1, 1, 0, 0) },
	}
	for _, change := range bad {
		wrong := f.advert("fe80::bad")
		change(&wrong)
		f.send(wrong)
	}
	// A cable keeps the order of frames: when this one is handled, all others have been ignored.
	f.send(f.advert("fe80::1"))
	d.await("a router is found", func() error {
		if len(d.Routers()) == 0 {
			return errors.New("none")
		}
		return nil
	})
	d.awaitRouter("hear0", netip.MustParseAddr("fe80::1%hear0"))
	if _, greeting := receive[*ndp.RouterAdvertisement](f); greeting.destination != netip.MustParseAddr("fe80::1") {
		t.Errorf("the router that was found got no advertisement: the next advertisement is to %v", greeting.destination)
	}

	// Other routers change nothing while the first one advertises, even thousands of advertisements with solicitations
	// between them. They have few addresses, because the kernel keeps every one in a table that all namespaces of the
	// machine share.
	solicitation := f.advert("fe80::2")
	solicitation.message = marshal(t, routerSolicitation(nil))
	for i := range 5000 {
		f.send(f.advert(fmt.Sprintf("fe80::2:%x", i%8)))
		if i%50 == 0 {
			f.send(solicitation)
		}
	}
	receive[*ndp.RouterAdvertisement](f)
	d.awaitRouter("hear0", netip.MustParseAddr("fe80::1%hear0"))
}

// TestRASocket_ReplacesASilentRouter handles advertisements of a second router at times of our choice.
func TestRASocket_ReplacesASilentRouter(t *testing.T) {
	newFarEnd(t, "clock0")
	on, err := lookUp("clock0")
	if err != nil {
		t.Fatal(err)
	}
	changes := 0
	p, err := open(on, slog.New(slog.DiscardHandler), func() { changes++ })
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	right := ipv6.ControlMessage{HopLimit: 255, IfIndex: on.index}
	advertise := func(seconds float64, from string, control *ipv6.ControlMessage) {
		p.handleMessage(marshal(t, routerAdvertisement(nil)), control, netip.MustParseAddr(from), at(seconds))
	}
	for _, step := range []struct {
		at      float64
		from    string
		control *ipv6.ControlMessage
		want    string
		changes int
	}{
		{0, "fe80::1", nil, "invalid IP", 0},
		{0, "fe80::1", &ipv6.ControlMessage{HopLimit: 255, IfIndex: on.index + 1}, "invalid IP", 0},
		{0, on.addresses[0].String(), &right, "invalid IP", 0},
		{0, "fe80::1", &right, "fe80::1%clock0", 1},
		{10, "fe80::1", &right, "fe80::1%clock0", 1},
		{39, "fe80::2", &right, "fe80::1%clock0", 1},
		{41, "fe80::2", &right, "fe80::2%clock0", 2},
	} {
		advertise(step.at, step.from, step.control)
		if router, _, _ := p.state(); router.String() != step.want || changes != step.changes {
			t.Errorf("%v s, %s: the router is %v and changed %d times, want %s and %d", step.at, step.from, router, changes, step.want, step.changes)
		}
	}
}

// TestDiscovery_FollowsInterfaces: a link goes down, comes back, is renamed and replaced; only netlink reports it.
func TestDiscovery_FollowsInterfaces(t *testing.T) {
	f := newFarEnd(t, "follow0")
	d := start(t, func(d *Discovery) { d.interval = time.Hour })
	d.mustSet("follow0")
	meet := func(name, router string) {
		t.Helper()
		want := netip.MustParseAddr(router).WithZone(name)
		netnstest.Eventually(t, router+" is found on "+name, func() error {
			f.send(f.advert(router)) // The socket may not be open yet, or may be replaced: routers repeat themselves.
			if got := d.Routers()[name]; got != want {
				return fmt.Errorf("it is %v, with problem %w", got, d.Problems()[name])
			}
			return nil
		})
	}
	meet("follow0", "fe80::1")

	ip(t, "link set follow0 down")
	d.awaitRouter("follow0", noRouter)
	d.awaitProblem("follow0", "the interface is down")
	f.drain()
	began := time.Now()
	ip(t, "link set follow0 up")
	if _, solicited := receive[*ndp.RouterSolicitation](f); solicited.at.Sub(began) > 2*time.Second {
		t.Errorf("a router was solicited after %v", solicited.at.Sub(began))
	}
	meet("follow0", "fe80::2")

	f.space.Run(t, "ip", "link", "set", "far0", "down")
	d.awaitRouter("follow0", noRouter)
	d.awaitProblem("follow0", "no carrier")
	f.space.Run(t, "ip", "link", "set", "far0", "up")
	meet("follow0", "fe80::3")

	ip(t, "link set follow0 down")
	ip(t, "link set follow0 name moved0")
	ip(t, "link set moved0 up")
	d.awaitRouter("follow0", noRouter)
	d.awaitProblem("follow0", "there is no such interface")
	linkLocalOf(t, "moved0")
	d.mustSet("moved0", "follow0")
	if got := d.Problems(); len(got) != 1 || got["follow0"] == nil || got["follow0"].Error() != "there is no such interface" {
		t.Errorf("problems: %v", got)
	}
	meet("moved0", "fe80::3")

	// Another cable with the old name is found, within the minute for which Go caches the old index.
	ip(t, "link del moved0")
	d.awaitRouter("moved0", noRouter)
	f.connect("follow0")
	meet("follow0", "fe80::3")

	// Replaced between two looks: only the index differs.
	d.mustSet("follow0")
	before := macOf(t, "follow0")
	ip(t, "link del follow0")
	f.connect("follow0")
	ip(t, "link set follow0 address "+before.String())
	d.awaitRouter("follow0", noRouter)
	meet("follow0", "fe80::3")

	// Another MAC address: the old neighbor may be on another cable.
	ip(t, "link set follow0 address 02:00:00:00:00:77")
	d.awaitRouter("follow0", noRouter)
	meet("follow0", "fe80::4")
}

// TestDiscovery_IgnoresAlternativeNames: an interface is found by its own name only.
func TestDiscovery_IgnoresAlternativeNames(t *testing.T) {
	newFarEnd(t, "exact0")
	ip(t, "link property add dev exact0 altname another0")
	d := start(t)
	wants := map[string]string{
		"another0": "there is no such interface, but exact0 has it as alternative name", "../all": "", "": "",
		"exact0x": "there is no such interface", "a-name-that-no-interface-of-linux-can-have": "",
	}
	d.mustSet(slices.Collect(maps.Keys(wants))...)
	problems := d.Problems()
	for name, want := range wants {
		if why := problems[name]; why == nil || !strings.HasPrefix(why.Error(), want) {
			t.Errorf("%q: %v, want %q", name, why, want)
		}
	}
}

// TestDiscovery_FollowsAddresses: without a usable address nothing is sent; with one, everything is sent at once.
func TestDiscovery_FollowsAddresses(t *testing.T) {
	f := newFarEnd(t, "addr0")
	d := start(t)
	d.mustSet("addr0")
	meet := func() {
		t.Helper()
		f.send(f.advert("fe80::1"))
		d.awaitRouter("addr0", netip.MustParseAddr("fe80::1%addr0"))
	}
	meet()

	sysctl(t, "addr0/disable_ipv6", "1")
	d.awaitRouter("addr0", noRouter)
	d.awaitProblem("addr0", "IPv6 is disabled on the interface (sysctl net.ipv6.conf.addr0.disable_ipv6)")
	sysctl(t, "addr0/disable_ipv6", "0")
	d.awaitProblem("addr0", "")
	meet()

	ip(t, "-6 addr flush dev addr0")
	d.awaitProblem("addr0", "no IPv6 link-local address")
	if len(d.Routers()) != 0 {
		t.Errorf("still %v", d.Routers())
	}
	sysctl(t, "addr0/accept_dad", "1")
	ip(t, "addr add fe80::77/64 dev addr0")
	d.awaitProblem("addr0", "fe80::77 is still being checked for duplicates")
	d.awaitProblem("addr0", "")
	receive[*ndp.RouterSolicitation](f)
	meet()

	// Another host has the address: the kernel detects that and does not use it.
	ip(t, "-6 addr flush dev addr0")
	f.space.Run(t, "ip", "addr", "add", "fe80::78/64", "dev", "far0", "nodad")
	ip(t, "addr add fe80::78/64 dev addr0")
	d.awaitProblem("addr0", "another host has the interface's IPv6 link-local address fe80::78 too")

	// Our source address changes.
	ip(t, "-6 addr flush dev addr0")
	ip(t, "addr add fe80::79/64 dev addr0 nodad")
	for {
		if _, around := receive[*ndp.RouterAdvertisement](f); around.source == netip.MustParseAddr("fe80::79") {
			break
		}
	}
	meet()
}

// TestDiscovery_ReportsWhatCannotBeSent: a firewall drops what we send, until it is removed.
func TestDiscovery_ReportsWhatCannotBeSent(t *testing.T) {
	netnstest.NeedProgram(t, "nft")
	f := newFarEnd(t, "wall0")
	nft := func(line string) { t.Helper(); run(t, "nft", line) }
	nft("add table ip6 wall")
	t.Cleanup(func() { run(t, "nft", "delete table ip6 wall") })
	nft("add chain ip6 wall out { type filter hook output priority 0; }")
	nft("add rule ip6 wall out oifname wall0 icmpv6 type { nd-router-advert, nd-router-solicit } drop")
	d := start(t)
	_ = d.Set(t.Context(), []string{"wall0"}) // Whether a message has been sent by now is not determined.
	d.awaitProblem("wall0", "send a router solicitation: ")
	d.awaitProblem("wall0", "operation not permitted")
	nft("flush chain ip6 wall out")
	d.awaitProblem("wall0", "")
	f.send(f.advert("fe80::1"))
	d.awaitRouter("wall0", netip.MustParseAddr("fe80::1%wall0"))
}

// TestDiscovery_ReplacesABrokenSocket without a Set, and not in the same apply.
func TestDiscovery_ReplacesABrokenSocket(t *testing.T) {
	f := newFarEnd(t, "break0")
	d := start(t)
	d.mustSet("break0")
	f.send(f.advert("fe80::1"))
	d.awaitRouter("break0", netip.MustParseAddr("fe80::1%break0"))

	d.mu.Lock() // Nobody else applies meanwhile.
	broken := errors.New("broken by the test")
	p := d.sockets["break0"]
	p.close()
	d.serving.Wait() // Its goroutine may be about to record the result of a message.
	p.mu.Lock()
	p.broken, p.lastErr = true, broken
	p.mu.Unlock()
	d.apply()
	if !errors.Is(d.problems["break0"], broken) || d.sockets["break0"] != nil || len(d.routers) != 0 {
		t.Errorf("the first look finds %v, %v, %v", d.problems, d.sockets, d.routers)
	}
	d.mu.Unlock()
	d.awaitProblem("break0", "")
	f.send(f.advert("fe80::2"))
	d.awaitRouter("break0", netip.MustParseAddr("fe80::2%break0"))
}

// TestDiscovery_KeepsARouterWhileLookUpFails: as long as the interface cannot be looked up, its router stays known.
func TestDiscovery_KeepsARouterWhileLookUpFails(t *testing.T) {
	f := newFarEnd(t, "unread0")
	var fails atomic.Bool
	d := start(t, func(d *Discovery) {
		d.lookUp = func(name string) (*netInterface, error) {
			if fails.Load() {
				return nil, fmt.Errorf("%w: netlink is busy", errLookUp)
			}
			return lookUp(name)
		}
	})
	d.mustSet("unread0")
	f.send(f.advert("fe80::1"))
	d.awaitRouter("unread0", netip.MustParseAddr("fe80::1%unread0"))
	fails.Store(true)
	d.mustSet("unread0")
	if why := d.Problems()["unread0"]; !errors.Is(why, errLookUp) {
		t.Errorf("problem: %v", why)
	}
	d.awaitRouter("unread0", netip.MustParseAddr("fe80::1%unread0"))
	fails.Store(false)
	d.awaitProblem("unread0", "")
	d.awaitRouter("unread0", netip.MustParseAddr("fe80::1%unread0"))
}

// TestNetInterface_OtherKinds: a link without a MAC address can be used.
func TestNetInterface_OtherKinds(t *testing.T) {
	ip(t, "tuntap add tun9 mode tun")
	t.Cleanup(func() { ip(t, "link del tun9") })
	if _, err := lookUp("tun9"); err == nil || !strings.Contains(err.Error(), "down") {
		t.Errorf("down: %v", err)
	}
	if _, err := lookUp("lo"); err == nil || !strings.Contains(err.Error(), "no IPv6 link-local address") {
		t.Errorf("lo: %v", err)
	}
	a := netInterface{name: "a", index: 1, addresses: []netip.Addr{netip.MustParseAddr("fe80::1")}}
	for name, change := range map[string]func(*netInterface){
		"name": func(s *netInterface) { s.name = "b" }, "index": func(s *netInterface) { s.index = 2 },
		"MAC": func(s *netInterface) { s.mac = make([]byte, 6) }, "addresses": func(s *netInterface) { s.addresses = slices.Repeat(s.addresses, 2) },
	} {
		b := a
		if change(&b); a.equal(&b) {
			t.Errorf("another %s is taken for the same interface", name)
		}
	}
}
