package connections

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/internal/netnstest"
)

// A router on the way says that a packet of the former node was too big. That comes to the new one.
func TestRelay_ErrorsOfICMPArePassedOn(t *testing.T) {
	r := newRig(t, 2, modeNFTables, false)
	sh(t, r.nodes[0].pod, `nft 'table inet seen { counter errors4 { }; counter errors6 { }
		chain in { type filter hook input priority 0; icmp type destination-unreachable counter name errors4; icmpv6 type packet-too-big counter name errors6; }; }'`)
	r.set(1, pass(0, 1))
	for vip, counter := range map[netip.Addr]string{vip4: "errors4", vip6: "errors6"} {
		r.move(0)
		talks := r.dial(vip, 1)
		r.expect("pod1", talks)
		r.move(1)
		client := netip.MustParseAddrPort(talks[0].LocalAddr().String())
		r.client.Do(t, func() { sendTooBig(t, vip, client) })
		netnstest.Eventually(t, "the pod of the former node is told", func() error {
			if seen := r.nodes[0].pod.Run(t, "nft", "list", "counter", "inet", "seen", counter); !strings.Contains(seen, "packets 1 ") {
				return errors.New(seen)
			}
			return nil
		})
	}
}

// sendTooBig sends an error of ICMP about a packet that the Service sent to a client (RFC 792, RFC 4443 section 3.2).
func sendTooBig(t *testing.T, service netip.Addr, client netip.AddrPort) {
	t.Helper()
	const mtu = 1300
	network, message := "ip4:icmp", []byte{3, 4, 0, 0, 0, 0, mtu >> 8, mtu & 0xff, 0x45, 0, 5, 0xdc, 0, 1, 0x40, 0, 63, 6, 0, 0}
	if service.Is6() {
		network, message = "ip6:ipv6-icmp", []byte{2, 0, 0, 0, 0, 0, mtu >> 8, mtu & 0xff, 0x60, 0, 0, 0, 0, 100, 6, 63}
	}
	message = append(append(message, service.AsSlice()...), client.Addr().AsSlice()...)
	message = append(message, 0, 80, byte(client.Port()>>8), byte(client.Port()), 0, 0, 0, 0)
	if service.Is4() { // The kernel fills it in for IPv6.
		binary.BigEndian.PutUint16(message[2:], checksum(message))
	}
	conn, err := net.Dial(network, service.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(message); err != nil {
		t.Fatal(err)
	}
}

// checksum is that of RFC 1071.
func checksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(b[0])<<8 | uint32(b[1])
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
