package layer2

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

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

func TestMain(m *testing.M) { os.Exit(netnstest.Main(m)) }

// segment is a cable from one of our interfaces to a host whose kernel resolves addresses by its own ARP and NDP.
type segment struct {
	near, far string
	host      *netnstest.Namespace
}

// newSegment connects an interface named near to a host with the addresses 192.0.2.1/24 and 2001:db8::1/64.
func newSegment(t testing.TB, near string) *segment {
	t.Helper()
	s := &segment{near: near, far: "far0", host: netnstest.New(t)}
	s.connect(t)
	return s
}

// connect creates the cable; it may be called again after the cable was removed.
func (s *segment) connect(t testing.TB) {
	t.Helper()
	netnstest.Veth(t, s.near, s.host, s.far)
	s.addAddresses(t)
}

// addAddresses gives the host its addresses.
func (s *segment) addAddresses(t testing.TB) {
	t.Helper()
	s.host.Run(t, "ip", "addr", "add", "192.0.2.1/24", "dev", s.far)
	s.host.Run(t, "ip", "addr", "add", "2001:db8::1/64", "dev", s.far, "nodad")
	// A resolution that nobody answers fails after three attempts, 30 ms apart.
	for _, family := range []string{"ipv4", "ipv6"} {
		s.host.Sysctl(t, family+"/neigh/"+s.far+"/retrans_time_ms", "30")
	}
}

// answers makes the host resolve addresses without a cache, and returns the MAC address of each; those that nobody
// answered are missing.
func (s *segment) answers(t *testing.T, addresses ...netip.Addr) map[netip.Addr]mac {
	t.Helper()
	s.host.Do(t, func() {
		index := s.index(t)
		for _, addr := range addresses {
			_ = netlink.NeighDel(&netlink.Neigh{LinkIndex: index, IP: addr.AsSlice()})
			s.ask(t, addr)
		}
	})
	macs := map[netip.Addr]mac{}
	netnstest.Eventually(t, "the host has asked", func() error {
		var err error
		s.host.Do(t, func() {
			for _, addr := range addresses {
				switch n := s.neighbor(t, addr); {
				case n == nil:
					// All namespaces of a machine share one neighbor table. When it is full, the kernel removes failed
					// entries.
					s.ask(t, addr)
					err = fmt.Errorf("%v is not known", addr)
				case n.State == unix.NUD_INCOMPLETE:
					err = fmt.Errorf("%v is not settled: %+v", addr, n)
				case n.State&unix.NUD_FAILED == 0:
					macs[addr] = mac(n.HardwareAddr)
				}
			}
		})
		return err
	})
	return macs
}

// ask makes the host send a datagram, for which it must resolve the address.
func (s *segment) ask(t *testing.T, addr netip.Addr) {
	conn, err := net.Dial("udp", netip.AddrPortFrom(addr, 9).String())
	if err != nil {
		t.Error(err)
		return
	}
	_, _ = conn.Write([]byte("?")) // It fails if nobody answered the last time.
	_ = conn.Close()
}

// neighbor returns the host's neighbor entry of an address; nil if there is none. It runs in the host's namespace.
func (s *segment) neighbor(t *testing.T, addr netip.Addr) *netlink.Neigh {
	family := netlink.FAMILY_V4
	if addr.Is6() {
		family = netlink.FAMILY_V6
	}
	neighbors, err := netlink.NeighList(s.index(t), family)
	if err != nil {
		t.Error(err)
	}
	for _, n := range neighbors {
		if n.IP.Equal(addr.AsSlice()) {
			return &n
		}
	}
	return nil
}

func (s *segment) index(t testing.TB) int {
	link, err := netlink.LinkByName(s.far)
	if err != nil {
		t.Error(err)
		return 0
	}
	return link.Attrs().Index
}

// mac returns the current MAC address of our end.
func (s *segment) mac(t testing.TB) mac {
	t.Helper()
	link, err := netlink.LinkByName(s.near)
	if err != nil {
		t.Fatal(err)
	}
	return mac(link.Attrs().HardwareAddr)
}

// begin runs a new Responder for the length of the test.
func begin(t testing.TB, cfg Config) *Responder {
	t.Helper()
	r := New(cfg)
	run(t, r)
	return r
}

// run runs a Responder for the length of the test.
func run(t testing.TB, r *Responder) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Start ended with %v", err)
		}
		if err := r.Set(context.Background(), nil); !errors.Is(err, ErrStopped) {
			t.Errorf("Set after the end gave %v", err)
		}
		if held := r.Held(); len(held) != 0 {
			t.Errorf("still held after the end: %v", held)
		}
		if conflicts := r.Conflicts(); len(conflicts) != 0 {
			t.Errorf("still in conflict after the end: %v", conflicts)
		}
	})
}

// on returns desired addresses on one set of interfaces.
func on(interfaces []string, addresses ...netip.Addr) []announce.Layer2Address {
	all := make([]announce.Layer2Address, 0, len(addresses))
	for _, addr := range addresses {
		all = append(all, announce.Layer2Address{Addr: addr, Interfaces: interfaces})
	}
	return all
}

func mustSet(t testing.TB, r *Responder, want []announce.Layer2Address) {
	t.Helper()
	if err := r.Set(t.Context(), want); err != nil {
		t.Fatal(err)
	}
}

// wantAnswers compares what a host is answered with what it should be. A missing answer is asked for again, because a
// busy machine may be slower than the host's timeout; a wrong answer is an error at once.
func wantAnswers(t *testing.T, s *segment, ours mac, asked, want []netip.Addr) {
	t.Helper()
	open := asked
	netnstest.Eventually(t, "on "+s.near+" all is answered", func() error {
		got := s.answers(t, open...)
		var missing []netip.Addr
		for _, addr := range open {
			by, answered := got[addr]
			switch {
			case answered && (!slices.Contains(want, addr) || by != ours):
				t.Fatalf("on %s, %v is at %v; it should be at %v, if it is one of %v", s.near, addr, by.slice(), ours.slice(), want)
			case !answered && slices.Contains(want, addr):
				missing = append(missing, addr)
			}
		}
		if open = missing; len(open) > 0 {
			t.Logf("on %s, %v had to be asked for again", s.near, open)
			return fmt.Errorf("%v is not answered", open)
		}
		return nil
	})
}

func ip(t *testing.T, line string) {
	t.Helper()
	if output, err := exec.CommandContext(t.Context(), "ip", strings.Fields(line)...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v: %s", line, err, output)
	}
}
