package link

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/vishvananda/netlink"

	"github.com/daymark-lb/daymark/internal/bubble"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

func TestMain(m *testing.M) { os.Exit(netnstest.Main(m)) }

// start runs a Watcher for the length of the test and waits for its first dump.
func start(t *testing.T) *Watcher {
	t.Helper()
	w := New(nil)
	if links, known := w.Links(); known || links != nil {
		t.Fatalf("before Start: Links() = %v, %v, want unknown", links, known)
	}
	startIt(t, w)
	await(t, w, "the first table", func([]lb.Link) error { return nil })
	return w
}

// startIt runs a Watcher for the length of the test.
func startIt(t *testing.T, w *Watcher) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Start ended with %v", err)
		}
	})
}

// await waits only for the Watcher's own wakes until its links are as wanted.
func await(t *testing.T, w *Watcher, what string, want func([]lb.Link) error) {
	t.Helper()
	timeout := time.After(10 * time.Second)
	for {
		links, known := w.Links()
		err := errors.New("not known yet")
		if known {
			if err = want(links); err == nil {
				return
			}
		}
		select {
		case <-w.Changes():
		case <-timeout:
			t.Fatalf("%s: no wake brought it: %v", what, err)
		}
	}
}

// is compares a link except for its index and MAC address.
func is(want lb.Link) func([]lb.Link) error {
	return func(links []lb.Link) error {
		i := slices.IndexFunc(links, func(l lb.Link) bool { return l.Name == want.Name })
		if i < 0 {
			return fmt.Errorf("%s is missing", want.Name)
		}
		got := links[i]
		// The kernel adds link-local addresses by itself.
		got.Addresses = slices.DeleteFunc(slices.Clone(got.Addresses), func(p netip.Prefix) bool {
			return p.Addr().IsLinkLocalUnicast()
		})
		if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Prefix{}), cmpopts.EquateEmpty(),
			cmpopts.IgnoreFields(lb.Link{}, "Index", "MAC", "Routes")); diff != "" {
			return errors.New(diff)
		}
		return nil
	}
}

func missing(name string) func([]lb.Link) error {
	return func(links []lb.Link) error {
		if slices.ContainsFunc(links, func(l lb.Link) bool { return l.Name == name }) {
			return errors.New(name + " is there")
		}
		return nil
	}
}

// ip runs the ip command; every step of a scenario is one.
func ip(t *testing.T, line string) {
	t.Helper()
	if output, err := exec.CommandContext(t.Context(), "ip", strings.Fields(line)...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v: %s", line, err, output)
	}
}

// veth adds a cable with both ends in the tests' namespace for the length of the test.
func veth(t *testing.T, near, far string) {
	t.Helper()
	ip(t, "link add "+near+" type veth peer name "+far)
	remove(t, near)
}

// remove removes a link at the end of the test.
func remove(t *testing.T, name string) {
	t.Cleanup(func() {
		link, err := netlink.LinkByName(name)
		if err == nil {
			err = netlink.LinkDel(link)
		}
		if err != nil {
			t.Errorf("%s is not removed: %v", name, err)
		}
	})
}

// TestWatcher_FollowsChanges changes the kernel's links step by step; the Watcher must notice each step.
func TestWatcher_FollowsChanges(t *testing.T) {
	w := start(t)
	for _, step := range []struct {
		name string
		do   []string
		want func([]lb.Link) error
	}{
		{"the loopback has nobody to answer", nil, is(lb.Link{
			Name: "lo", Up: true, NoARP: true,
			Addresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/8"), netip.MustParsePrefix("::1/128")},
		})},
		{
			"a new cable is down",
			[]string{"link add veth0 address 02:00:00:00:00:01 type veth peer name veth1"},
			is(lb.Link{Name: "veth0"}),
		},
		{"up without a carrier is not up", []string{"link set veth0 up"}, is(lb.Link{Name: "veth0"})},
		{"the far end gives a carrier", []string{"link set veth1 up"}, is(lb.Link{Name: "veth0", Up: true})},
		{
			"addresses of both families come with their prefixes",
			[]string{"addr add 192.0.2.7/24 dev veth0", "addr add 2001:db8::7/64 dev veth0 nodad"},
			is(lb.Link{Name: "veth0", Up: true, Addresses: []netip.Prefix{
				netip.MustParsePrefix("192.0.2.7/24"), netip.MustParsePrefix("2001:db8::7/64"),
			}}),
		},
		{
			"an address that goes is gone",
			[]string{"addr del 192.0.2.7/24 dev veth0"},
			is(lb.Link{Name: "veth0", Up: true, Addresses: []netip.Prefix{netip.MustParsePrefix("2001:db8::7/64")}}),
		},
		{
			"a changed MAC address is seen",
			[]string{"link set veth0 address 02:00:00:00:00:99"},
			func(links []lb.Link) error {
				if !slices.ContainsFunc(links, func(l lb.Link) bool { return l.MAC == "02:00:00:00:00:99" }) {
					return errors.New("not there")
				}
				return nil
			},
		},
		{
			"a member of a bridge is enslaved",
			[]string{"addr flush dev veth0", "link add br0 type bridge", "link set br0 up", "link set veth0 master br0"},
			is(lb.Link{Name: "veth0", Up: true, Enslaved: true}),
		},
		{"the bridge itself is not, and has its members' carrier", nil, is(lb.Link{Name: "br0", Up: true})},
		{
			"a link without ARP says so",
			[]string{"link set veth0 nomaster", "link set veth0 arp off"},
			is(lb.Link{Name: "veth0", Up: true, NoARP: true}),
		},
		{
			"a tunnel has no MAC and no neighbors",
			[]string{"tuntap add tun7 mode tun", "link set tun7 up"},
			func(links []lb.Link) error {
				for _, l := range links {
					if l.Name == "tun7" && l.NoARP && l.MAC == "" {
						return nil
					}
				}
				return fmt.Errorf("%+v", links)
			},
		},
		{"the far end goes down and takes the carrier along", []string{"link set veth1 down"}, is(lb.Link{Name: "veth0", NoARP: true})},
		{"a renamed link has its new name", []string{"link set veth0 down", "link set veth0 name wan0"}, is(lb.Link{Name: "wan0", NoARP: true})},
		{"and no longer the old one", nil, missing("veth0")},
		{"a removed link is gone", []string{"link del wan0", "link del br0", "link del tun7"}, missing("wan0")},
	} {
		for _, line := range step.do {
			ip(t, line)
		}
		await(t, w, step.name, step.want)
	}
	links, _ := w.Links()
	if !slices.IsSortedFunc(links, func(a, b lb.Link) int { return strings.Compare(a.Name, b.Name) }) {
		t.Errorf("not in order of name: %+v", links)
	}
}

func TestWatcher_KnowsWhichAddressesAreNotPreferred(t *testing.T) {
	c := netnstest.NewCable(t)
	temporary := c.AddTemporary(t)
	ip(t, "addr add 203.0.113.9/24 dev "+c.Near+" preferred_lft 0")
	ip(t, "addr add 203.0.113.10/24 dev "+c.Near) // secondary, which has the flag of a temporary IPv6 address
	await(t, start(t), "knows them", func(links []lb.Link) error {
		for _, l := range links {
			if l.Name == c.Near && slices.Equal(l.NotPreferred, []netip.Addr{netip.MustParseAddr("203.0.113.9"), temporary}) {
				return nil
			}
		}
		return fmt.Errorf("links %+v", links)
	})
}

// The kernel does not answer for an address that another host was found to have (RFC 4862), however long it stays on the link.
func TestWatcher_DuplicateAddressIsNotOfTheLink(t *testing.T) {
	c := netnstest.NewCable(t)
	prefix := netip.MustParsePrefix("2001:db8:9::200/64")
	c.Other.Do(t, func() { netnstest.Address(t, c.Far, prefix) })
	w := start(t)
	ip(t, "addr add "+prefix.String()+" dev "+c.Near)
	await(t, w, "knows that it is a duplicate", func(links []lb.Link) error {
		for _, l := range links {
			if l.Name == c.Near && slices.Equal(l.Duplicates, []netip.Prefix{prefix}) && !slices.Contains(l.Addresses, prefix) && len(l.NotPreferred) == 0 {
				return nil
			}
		}
		return fmt.Errorf("links %+v", links)
	})
}

// TestWatcher_NoticesEveryKindOfChange: each change comes alone, and often enough that none can share the wake of
// another.
func TestWatcher_NoticesEveryKindOfChange(t *testing.T) {
	w := start(t)
	netnstest.Veth(t, "alone0", netnstest.New(t), "far0")
	for range 5 {
		for _, addr := range []string{"192.0.2.7/24", "2001:db8::7/64"} {
			ip(t, "addr add "+addr+" dev alone0"+map[bool]string{true: " nodad"}[strings.Contains(addr, ":")])
			await(t, w, addr+" comes", is(lb.Link{
				Name: "alone0", Up: true, Addresses: []netip.Prefix{netip.MustParsePrefix(addr)},
			}))
			ip(t, "addr del "+addr+" dev alone0")
			await(t, w, addr+" goes", is(lb.Link{Name: "alone0", Up: true}))
		}
		ip(t, "link set alone0 down")
		await(t, w, "the link goes down", is(lb.Link{Name: "alone0"}))
		ip(t, "link set alone0 up")
		await(t, w, "the link comes up", is(lb.Link{Name: "alone0", Up: true}))
	}
}

// TestWatcher_FollowsABurst makes more changes than a receive buffer holds, as fast as it can; the last one must be
// noticed.
func TestWatcher_FollowsABurst(t *testing.T) {
	w := start(t)
	netnstest.Veth(t, "storm0", netnstest.New(t), "far0")
	storm, err := netlink.LinkByName("storm0")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2000 {
		mac := net.HardwareAddr{2, 0, 0, 0, byte(i >> 8), byte(i)}
		if err := netlink.LinkSetHardwareAddr(storm, mac); err != nil {
			t.Fatal(err)
		}
	}
	await(t, w, "the last of 2000 MAC addresses", func(links []lb.Link) error {
		for _, l := range links {
			if l.Name == "storm0" && l.MAC == "02:00:00:00:07:cf" {
				return nil
			}
		}
		return fmt.Errorf("%+v", links)
	})
}

// A node that speaks a routing protocol may have a full table, which takes long to read.
func TestWatcher_LinksDoNotWaitForRoutes(t *testing.T) {
	w := New(nil)
	held, reads := make(chan struct{}), make(chan struct{}, 8)
	w.readDump = func() (dump, error) {
		d, err := readDump()
		reads <- struct{}{}
		<-held
		return d, err
	}
	startIt(t, w)
	t.Cleanup(func() { close(held) })
	<-reads
	veth(t, "slow0", "slow1")
	ip(t, "link set slow0 up")
	ip(t, "link set slow1 up")
	if _, known := w.Links(); known {
		t.Fatal("links are known before the first dump")
	}
	held <- struct{}{} // The first dump knows nothing of the cable, and is of use all the same.
	<-reads            // The next one is under way, and has read the links already.
	await(t, w, "a link that goes up while routes are read", is(lb.Link{Name: "slow0", Up: true}))
	ip(t, "link set slow1 down")
	await(t, w, "a link that goes down while routes are read", is(lb.Link{Name: "slow0"}))
	before := w.dumpedAt()
	held <- struct{}{} // This dump says that the link is up: it is older.
	for w.dumpedAt().Equal(before) {
		time.Sleep(time.Millisecond)
	}
	if err := is(lb.Link{Name: "slow0"})(linksOf(w)); err != nil {
		t.Errorf("an older dump has been taken for the newest: %v", err)
	}
}

// What was read last is said anew with links that were read since.
func TestDump_SaysTheSameTwice(t *testing.T) {
	veth(t, "twice0", "twice1")
	ip(t, "link set twice0 up")
	ip(t, "addr add 198.51.100.1/32 dev twice0")
	ip(t, "route add local 198.51.100.128/25 dev twice0")
	d, err := readDump()
	if err != nil {
		t.Fatal(err)
	}
	first := d.state()
	if i := slices.IndexFunc(first.links, func(l lb.Link) bool { return l.Name == "twice0" }); i < 0 || len(first.links[i].Local) != 1 {
		t.Fatalf("it says %+v", first.links)
	}
	if diff := cmp.Diff(first, d.state(), cmp.AllowUnexported(state{}), cmpopts.EquateComparable(netip.Prefix{}, netip.Addr{})); diff != "" {
		t.Error(diff)
	}
}

func (w *Watcher) dumpedAt() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.began
}

func linksOf(w *Watcher) []lb.Link {
	links, _ := w.Links()
	return links
}

// TestWatcher_EqualDumpWakesNobody: a notification of a change that we do not keep (such as promiscuous mode) wakes
// nobody.
func TestWatcher_EqualDumpWakesNobody(t *testing.T) {
	w := New(nil)
	if err := w.read(); err != nil {
		t.Fatal(err)
	}
	<-w.Changes()
	if err := w.read(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-w.Changes():
		t.Error("woken by a table equal to the last")
	default:
	}
}

// TestSleep_EndsWithItsContext runs on the fake clock of a synctest bubble.
func TestSleep_EndsWithItsContext(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		sleep(ctx, time.Hour)
		if took := time.Since(begin); took != time.Second {
			t.Errorf("pause took %v, want 1s", took)
		}
	})
}
