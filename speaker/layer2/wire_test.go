package layer2

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/mdlayher/packet"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/internal/netnstest"
)

// listen opens a packet socket at the far end that receives all frames of a type.
func (s *segment) listen(t testing.TB, etherType int) *packet.Conn {
	t.Helper()
	var (
		conn *packet.Conn
		err  error
	)
	s.host.Do(t, func() { conn, err = packet.Listen(&net.Interface{Index: s.index(t)}, packet.Raw, etherType, nil) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// receive reads frames until one is as wanted, and returns when it came.
func receive(t *testing.T, conn *packet.Conn, what string, wanted func([]byte) bool) time.Time {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	frame := make([]byte, maxFrameLength)
	for {
		n, _, err := conn.ReadFrom(frame)
		if errors.Is(err, unix.ENETDOWN) {
			continue // Reported once; the socket works again when the interface is up.
		}
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if wanted(frame[:n]) {
			return time.Now()
		}
	}
}

func equalTo(want []byte) func([]byte) bool {
	return func(frame []byte) bool { return bytes.Equal(frame, want) }
}

// TestResponder_AnnouncesATakeOver at once and again a second later, in every form, and again with a new MAC address.
func TestResponder_AnnouncesATakeOver(t *testing.T) {
	s := newSegment(t, "near0")
	r := begin(t, Config{})
	for _, test := range []struct {
		addr  netip.Addr
		forms func(mac, netip.Addr) [][]byte
		kind  int
		mac   string
	}{
		{vip4, gratuitousARP, unix.ETH_P_ARP, "02:00:00:00:77:04"},
		{vip6, unsolicitedAdvertisement, unix.ETH_P_IPV6, "02:00:00:00:77:06"},
	} {
		conn := s.listen(t, test.kind)
		mustSet(t, r, on([]string{"near0"}, test.addr))
		var first, last time.Time
		for _, form := range test.forms(s.mac(t), test.addr) {
			first = receive(t, conn, "the first announcement", equalTo(form))
		}
		for _, form := range test.forms(s.mac(t), test.addr) {
			last = receive(t, conn, "the second announcement", equalTo(form))
		}
		if wait := last.Sub(first); wait < 700*time.Millisecond {
			t.Errorf("%v was announced again after only %v", test.addr, wait)
		}
		ip(t, "link set near0 address "+test.mac)
		mustSet(t, r, on([]string{"near0"}, test.addr))
		for _, form := range test.forms(s.mac(t), test.addr) {
			receive(t, conn, "the announcement of a new MAC address", equalTo(form))
		}
	}
}

// TestResponder_AnnouncesOnAReturningInterface: an interface that was missing or down, or is new.
func TestResponder_AnnouncesOnAReturningInterface(t *testing.T) {
	s := &segment{near: "near0", far: "far0", host: netnstest.New(t)}
	r := beginFast(t, Config{})
	want := on([]string{"near0"}, vip4, vip6)
	for _, step := range []struct{ name, gone, back string }{
		{"an interface that appears later", "", "near: link set spare0 down name near0 up"},
		{"down and up", "near: link set near0 down", "near: link set near0 up"},
		{"a carrier lost and found", "far: link set far0 down", "far: link set far0 up"},
		{"renamed and named as before", "near: link set near0 down name gone0", "near: link set gone0 name near0 up"},
		{"another MAC address", "", "near: link set near0 address 02:00:00:00:77:00"},
		{"removed and replaced", "near: link del near0", "near: link set spare0 down name near0 up"},
	} {
		t.Log(step.name)
		s.runIP(t, step.gone)
		if _, err := netlink.LinkByName("near0"); err != nil || step.gone != "" {
			if err := r.Set(t.Context(), want); err == nil {
				t.Fatalf("%s: no error without the interface", step.name)
			}
			if held := r.Held(); len(held) > 0 {
				t.Fatalf("%s: held %v", step.name, held)
			}
		}
		if strings.Contains(step.back, "spare0") {
			(&segment{near: "spare0", far: "far0", host: s.host}).connect(t)
		}
		// The Responder may notice the interface by itself, so the far end must listen before.
		arps, ndps := s.listen(t, unix.ETH_P_ARP), s.listen(t, unix.ETH_P_IPV6)
		s.runIP(t, step.back)
		netnstest.AwaitCarrier(t, "near0")
		s.host.Do(t, func() { netnstest.AwaitCarrier(t, "far0") })
		ours := s.mac(t)
		mustSet(t, r, want)
		receive(t, arps, step.name+": the request form", equalTo(gratuitousARP(ours, vip4)[0]))
		receive(t, arps, step.name+": the reply form", equalTo(gratuitousARP(ours, vip4)[1]))
		receive(t, ndps, step.name+": the advertisement", equalTo(unsolicitedAdvertisement(ours, vip6)[0]))
		send(t, arps, request(ours, client4, vip4))
		receive(t, arps, step.name+": an answer", equalTo(arpAnswer(ours)))
	}
	ip(t, "link del near0")
}

// runIP runs ip at the near or the far end, as in "near: link set near0 up".
func (s *segment) runIP(t *testing.T, line string) {
	t.Helper()
	switch where, args, _ := strings.Cut(line, ": "); where {
	case "near":
		ip(t, args)
	case "far":
		s.host.Run(t, "ip", strings.Fields(args)...)
	}
}

// TestResponder_KernelBelievesAnnouncements: a host that knew the address at another node sends to us at once.
func TestResponder_KernelBelievesAnnouncements(t *testing.T) {
	s := newSegment(t, "near0")
	r := begin(t, Config{})
	stale := mac{2, 0, 0, 0, 0xde, 0xad}
	s.host.Do(t, func() {
		for _, addr := range []netip.Addr{vip4, vip6} {
			if err := netlink.NeighSet(&netlink.Neigh{
				LinkIndex: s.index(t), IP: addr.AsSlice(), HardwareAddr: stale.slice(), State: unix.NUD_REACHABLE,
			}); err != nil {
				t.Error(err)
			}
		}
	})
	mustSet(t, r, on([]string{"near0"}, vip4, vip6))
	for _, addr := range []netip.Addr{vip4, vip6} {
		netnstest.Eventually(t, "the host has learned where "+addr.String()+" is", func() error {
			var n *netlink.Neigh
			s.host.Do(t, func() { n = s.neighbor(t, addr) })
			if n == nil || mac(n.HardwareAddr) != s.mac(t) {
				return fmt.Errorf("it knows %+v", n)
			}
			return nil
		})
	}
}

// TestResponder_ConfirmsReachability: the kernel asks by unicast whether a known neighbor is still there.
func TestResponder_ConfirmsReachability(t *testing.T) {
	s := newSegment(t, "near0")
	r := begin(t, Config{})
	mustSet(t, r, on([]string{"near0"}, vip4, vip6))
	wantAnswers(t, s, s.mac(t), []netip.Addr{vip4, vip6}, []netip.Addr{vip4, vip6})
	awaitLinkLocal(t, s.host, "far0") // The kernel asks from it.
	ours := s.mac(t)
	for _, addr := range []netip.Addr{vip4, vip6} {
		s.host.Do(t, func() {
			if err := netlink.NeighSet(&netlink.Neigh{
				LinkIndex: s.index(t), IP: addr.AsSlice(), HardwareAddr: ours.slice(), State: unix.NUD_PROBE,
			}); err != nil {
				t.Error(err)
			}
		})
		netnstest.Eventually(t, addr.String()+" is confirmed", func() error {
			var n *netlink.Neigh
			s.host.Do(t, func() { n = s.neighbor(t, addr) })
			if n.State != unix.NUD_REACHABLE {
				return fmt.Errorf("its state is %#x: %v", n.State, n)
			}
			return nil
		})
	}
}

// TestNDP_OtherHostsDetectTheirDuplicate: the kernel's own Duplicate Address Detection detects a held address.
func TestNDP_OtherHostsDetectTheirDuplicate(t *testing.T) {
	s := newSegment(t, "near0")
	r := begin(t, Config{})
	mustSet(t, r, on([]string{"near0"}, vip6))
	s.host.Run(t, "ip", "addr", "add", vip6.String()+"/64", "dev", "far0")
	s.host.Run(t, "ip", "addr", "add", vip6b.String()+"/64", "dev", "far0")
	netnstest.Eventually(t, "the duplicate is found", func() error {
		if out := s.host.Run(t, "ip", "addr", "show", "dev", "far0", "dadfailed"); !strings.Contains(out, vip6.String()+"/") {
			return fmt.Errorf("dadfailed: %s", out)
		}
		return nil
	})
	netnstest.Eventually(t, "an address of its own is accepted", func() error {
		out := s.host.Run(t, "ip", "addr", "show", "dev", "far0", "-tentative", "-dadfailed", "to", vip6b.String())
		if !strings.Contains(out, vip6b.String()) {
			return fmt.Errorf("%s", s.host.Run(t, "ip", "addr", "show", "dev", "far0"))
		}
		return nil
	})
}

// TestResponder_AnswersExactFrames sends what no kernel sends; invalid frames must not end a receiver.
func TestResponder_AnswersExactFrames(t *testing.T) {
	s := newSegment(t, "near0")
	r := begin(t, Config{})
	mustSet(t, r, on([]string{"near0"}, vip4, vip6))
	ours := s.mac(t)
	arpConn, ndpConn := s.listen(t, unix.ETH_P_ARP), s.listen(t, unix.ETH_P_IPV6)
	for cut := ethernetLength; cut < 60; cut++ {
		send(t, arpConn, request(broadcast, client4, vip4)[:min(cut, ethernetLength+arpLength-1)])
		send(t, ndpConn, solicit(ours, client6, vip6, vip6)[:cut])
	}
	send(t, ndpConn, with(solicit(ours, client6, vip6, vip6), 14+7, 64))
	send(t, ndpConn, with(solicit(ours, client6, vip6, vip6), 14+4, 0xff, 0xff))

	send(t, arpConn, request(ours, netip.IPv4Unspecified(), vip4))
	receive(t, arpConn, "the answer to a unicast probe", func(frame []byte) bool {
		return bytes.Equal(frame[:6], client[:]) && frame[21] == 2
	})
	send(t, ndpConn, solicit(ours, client6, vip6, vip6))
	receive(t, ndpConn, "the answer to a unicast solicitation without options",
		equalTo(neighborAdvertisement(ours, vip6, client, client6)))
	send(t, ndpConn, solicit(groupMAC6, netip.IPv6Unspecified(), group6, vip6))
	receive(t, ndpConn, "the answer to a probe for duplicates",
		equalTo(neighborAdvertisement(ours, vip6, allNodes, netip.IPv6Unspecified())))
}

func TestNDP_AnswersNdisc6(t *testing.T) {
	netnstest.NeedProgram(t, "ndisc6")
	s := newSegment(t, "near0")
	r := begin(t, Config{})
	mustSet(t, r, on([]string{"near0"}, vip6))
	out := s.host.Run(t, "ndisc6", "-1", "-r", "1", "-w", "5000", vip6.String(), "far0")
	if !strings.Contains(strings.ToLower(out), s.mac(t).slice().String()) {
		t.Errorf("ndisc6: %s", out)
	}
	if out, err := s.host.Output(t, "ndisc6", "-1", "-r", "1", "-w", "100", vip6b.String(), "far0"); err == nil {
		t.Errorf("ndisc6 was answered for a free address: %s", out)
	}
}

// TestNDP_SolicitationsPassAnMLDSnoopingSwitch: it forwards multicast only to ports that have joined the group by MLD.
func TestNDP_SolicitationsPassAnMLDSnoopingSwitch(t *testing.T) {
	s := &segment{near: "near0", far: "far0", host: netnstest.New(t)}
	sw := netnstest.New(t)
	netnstest.Veth(t, s.near, sw, "port0")
	sw.Do(t, func() { netnstest.Veth(t, "port1", s.host, s.far) })
	s.addAddresses(t)
	sw.Run(t, "ip", "link", "add", "br0", "type", "bridge", "mcast_snooping", "1")
	sw.Sysctl(t, "ipv6/conf/br0/accept_dad", "0")
	sw.Run(t, "ip", "link", "set", "port0", "master", "br0")
	sw.Run(t, "ip", "link", "set", "port1", "master", "br0")
	sw.Run(t, "ip", "link", "set", "br0", "up")
	awaitLinkLocal(t, sw, "br0")
	// A switch begins to snoop after a query and the time for its reports, here 10 hundredths of a second. It queries
	// itself, from its link-local address.
	sw.Run(t, "ip", "link", "set", "br0", "type", "bridge", "mcast_query_response_interval", "10")
	sw.Run(t, "ip", "link", "set", "br0", "type", "bridge", "mcast_querier", "1")

	r := begin(t, Config{})
	mustSet(t, r, on([]string{"near0"}, vip6))
	netnstest.Eventually(t, "the switch keeps solicitations for others from us", func() error {
		before := testutil.ToFloat64(r.metrics.ipv6.received)
		s.answers(t, vip6b)
		if more := testutil.ToFloat64(r.metrics.ipv6.received) - before; more > 0 {
			return fmt.Errorf("%v came through", more)
		}
		return nil
	})
	wantAnswers(t, s, s.mac(t), []netip.Addr{vip6, vip6b}, []netip.Addr{vip6})
	mustSet(t, r, on([]string{"near0"}, vip6b))
	wantAnswers(t, s, s.mac(t), []netip.Addr{vip6, vip6b}, []netip.Addr{vip6b})
}

// awaitLinkLocal waits until an interface has a usable link-local address.
func awaitLinkLocal(t *testing.T, n *netnstest.Namespace, name string) {
	t.Helper()
	netnstest.Eventually(t, name+" has a link-local address", func() error {
		out := n.Run(t, "ip", "-6", "addr", "show", "dev", name, "scope", "link", "-tentative")
		if !strings.Contains(out, "fe80:") {
			return fmt.Errorf("it has none: %s", out)
		}
		return nil
	})
}
