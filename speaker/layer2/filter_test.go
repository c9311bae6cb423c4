package layer2

import (
	"net"
	"slices"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// TestFilter_PassesOnlyWhatIsParsed: only frames that the parsers can use pass. The kernel keeps the order, so that the
// good frame after the bad ones must be the first to be read.
func TestFilter_PassesOnlyWhatIsParsed(t *testing.T) {
	s := newSegment(t, "near0")
	ours := s.mac(t)
	arpGood := func() []byte { return request(broadcast, client4, vip4) }
	ndpGood := func() []byte { return solicit(allNodes, client6, allNodes6, vip6) }
	for _, test := range []struct {
		name   string
		family lb.Family
		bad    [][]byte
		good   [][]byte
	}{
		{
			"ARP", lb.IPv4,
			[][]byte{
				with(arpGood(), 12, 0x80, 0x35), with(arpGood(), 15, 6), with(arpGood(), 17, 1), with(arpGood(), 18, 8),
				with(arpGood(), 19, 16), with(arpGood(), 21, 0), with(arpGood(), 21, 3), with(arpGood(), 20, 1),
				with(arpGood(), 0, proxy[:]...), with(arpGood(), 0, allNodes[:]...), arpGood()[:20],
			},
			[][]byte{arpGood(), with(arpGood(), 21, arpReply), with(arpGood(), 0, ours[:]...)},
		},
		{
			"NDP", lb.IPv6,
			[][]byte{
				with(ndpGood(), 14+6, 6), with(ndpGood(), 14+7, 254), with(ndpGood(), 14+40, 134), with(ndpGood(), 14+40, 137),
				with(ndpGood(), 14+40+1, 1), with(ndpGood(), 0, proxy[:]...), ndpGood()[:14+40],
			},
			[][]byte{
				ndpGood(), solicit(ours, client6, vip6, vip6), advertise(allNodes, vip6, allNodes6, vip6, false),
				advertise(ours, vip6, client6, vip6, true),
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			listener, err := open(socketKey{"near0", test.family}, lookUp("near0").nic, newMetrics(nil).of(test.family), nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(listener.close)
			sender := s.listen(t, listener.protocol.etherType)
			if err := listener.conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
				t.Fatal(err)
			}
			for _, good := range test.good {
				for _, bad := range test.bad {
					send(t, sender, bad)
				}
				send(t, sender, good)
				frame := make([]byte, maxFrameLength)
				for {
					n, _, err := listener.conn.ReadFrom(frame)
					if err != nil {
						t.Fatalf("%x did not come through: %v", good, err)
					}
					if mac(frame[6:12]) != client { // The kernel at the far end may send frames of its own.
						continue
					}
					if !slices.Equal(frame[:n], good) {
						t.Errorf("%x came through", frame[:n])
						continue
					}
					break
				}
			}
		})
	}
}

// What is meant for eth0.100 or a macvlan arrives on eth0 first. The kernel of the tests may have no VLANs, but takes both the same way.
func TestFilter_IgnoresWhatGoesToAnInterfaceAbove(t *testing.T) {
	s := newSegment(t, "near0")
	above := mac{2, 0, 0x5e, 0, 0x53, 0x77}
	near, err := netlink.LinkByName("near0")
	if err != nil {
		t.Fatal(err)
	}
	attributes := netlink.NewLinkAttrs()
	attributes.Name, attributes.ParentIndex, attributes.HardwareAddr, attributes.Flags = "above0", near.Attrs().Index, above.slice(), net.FlagUp
	link := &netlink.Macvlan{LinkAttrs: attributes, Mode: netlink.MACVLAN_MODE_PRIVATE}
	if err := netlink.LinkAdd(link); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = netlink.LinkDel(link) })
	listener, err := open(socketKey{"near0", lb.IPv4}, lookUp("near0").nic, newMetrics(nil).of(lb.IPv4), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(listener.close)
	sender := s.listen(t, listener.protocol.etherType)
	if err := listener.conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	send(t, sender, with(request(above, client4, vip4), 0, above[:]...))
	send(t, sender, request(broadcast, client4, vip4))
	frame := make([]byte, maxFrameLength)
	for from := (mac{}); from != client; from = mac(frame[6:12]) { // The kernel at the far end may send frames of its own.
		if _, _, err := listener.conn.ReadFrom(frame); err != nil {
			t.Fatal(err)
		}
	}
	if to := mac(frame[:6]); to != broadcast {
		t.Errorf("a frame to %s came through", to)
	}
}
