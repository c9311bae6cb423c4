package layer2

import (
	"bytes"
	"maps"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/arp"
)

var (
	us      = mac{2, 0, 0, 0, 0, 1}
	client  = mac{2, 0, 0, 0, 0, 9}
	proxy   = mac{2, 0, 0, 0, 0, 8}
	vip4    = netip.MustParseAddr("192.0.2.10")
	client4 = netip.MustParseAddr("192.0.2.1")
	held4   = addressesOf(true, vip4)
)

// addressesOf returns a set of addresses that are all held, or all not held yet.
func addressesOf(held bool, addresses ...netip.Addr) addressSet {
	t := addressSet{}
	for _, addr := range addresses {
		t[addr] = &vip{}
		t[addr].held.Store(held)
	}
	return t
}

// request returns the frame of an ARP request by the client.
func request(to mac, sender, target netip.Addr) []byte {
	frame := arpFrame(to, arp.OperationRequest, client, sender, mac{}, target)
	return append(frame, make([]byte, 18)...) // Padding, as on the wire.
}

// with overwrites bytes of a frame.
func with(frame []byte, at int, value ...byte) []byte {
	copy(frame[at:], value)
	return frame
}

func TestARP_AnswersRequests(t *testing.T) {
	answer := arpFrame(client, arp.OperationReply, us, vip4, client, client4)
	for _, test := range []struct {
		name  string
		frame []byte
		want  []byte
	}{
		{"a broadcast request is answered to its sender alone", request(broadcast, client4, vip4), answer},
		{"a unicast request is answered", request(us, client4, vip4), answer},
		{
			"a probe, which has no sender address, is answered", request(broadcast, netip.IPv4Unspecified(), vip4),
			arpFrame(client, arp.OperationReply, us, vip4, client, netip.IPv4Unspecified()),
		},
		{
			"the answer goes to the sender even when another host relays the request",
			with(request(broadcast, client4, vip4), 6, proxy[:]...), answer,
		},
		{"another address is not ours", request(broadcast, client4, netip.MustParseAddr("192.0.2.11")), nil},
		{"a request to another host is not for us", request(proxy, client4, vip4), nil},
		{"an announcement is no request", request(broadcast, vip4, vip4), nil},
		{"our own frame is not answered", with(request(broadcast, client4, vip4), 6, us[:]...), nil},
		{"a request in our own name is not answered", with(request(broadcast, client4, vip4), 22, us[:]...), nil},
		{"a sender that is a group is not answered", with(request(broadcast, client4, vip4), 22, 0xff), nil},
		{"a sender without a MAC is not answered", with(request(broadcast, client4, vip4), 22, 0, 0, 0, 0, 0, 0), nil},
		{"a reply is not answered", with(request(broadcast, client4, vip4), 21, 2), nil},
		{"an unknown operation is not answered", with(request(broadcast, client4, vip4), 20, 1), nil},
		{"another hardware type is not answered", with(request(broadcast, client4, vip4), 15, 6), nil},
		{"another protocol type is not answered", with(request(broadcast, client4, vip4), 17, 1), nil},
		{"a wrong hardware length is not answered", with(request(broadcast, client4, vip4), 18, 8), nil},
		{"a wrong protocol length is not answered", with(request(broadcast, client4, vip4), 19, 16), nil},
		{"another Ethernet type is not answered", with(request(broadcast, client4, vip4), 12, 0x86, 0xdd), nil},
		{"a frame cut short is not answered", request(broadcast, client4, vip4)[:ethernetLength+arpLength-1], nil},
		{"an empty frame is not answered", nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := bytes.Clone(test.frame)
			if diff := cmp.Diff(test.want, handleARP(us, held4, test.frame).reply); diff != "" {
				t.Error(diff)
			}
			if !bytes.Equal(before, test.frame) {
				t.Error("the frame was written to")
			}
		})
	}
}

// TestARP_GratuitousForms compares both forms byte by byte.
func TestARP_GratuitousForms(t *testing.T) {
	header := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0}
	want := [][]byte{
		append(bytes.Clone(header), 1, 2, 0, 0, 0, 0, 1, 192, 0, 2, 10, 0, 0, 0, 0, 0, 0, 192, 0, 2, 10),
		append(bytes.Clone(header), 2, 2, 0, 0, 0, 0, 1, 192, 0, 2, 10, 2, 0, 0, 0, 0, 1, 192, 0, 2, 10),
	}
	if diff := cmp.Diff(want, gratuitousARP(us, vip4)); diff != "" {
		t.Error(diff)
	}
}

// FuzzHandleARP: for any frame, an answer is about a held address and goes to a single host, and a reported use is of
// one of our addresses.
func FuzzHandleARP(f *testing.F) {
	f.Add(request(broadcast, client4, vip4))
	f.Add(request(us, netip.IPv4Unspecified(), vip4))
	f.Add(request(broadcast, netip.IPv4Unspecified(), vip4b))
	f.Add(request(broadcast, vip4, vip4))
	f.Add(with(request(us, vip4b, client4), 21, arpReply))
	known := maps.Clone(held4)
	maps.Copy(known, addressesOf(false, vip4b))
	f.Fuzz(func(t *testing.T, frame []byte) {
		h := handleARP(us, known, frame)
		checkUse(t, known, h.use)
		if h.reply == nil {
			return
		}
		if to := mac(h.reply[:6]); !to.unicast() || to == us || mac(h.reply[6:12]) != us {
			t.Errorf("answered from %v to %v", h.reply[6:12], to)
		}
		if p, ok := parseARP(frame); !ok || p.reply || p.target != vip4 {
			t.Error("answered what was not asked")
		}
	})
}

// checkUse checks that a reported use is by another host, and of one of our addresses in its present state.
func checkUse(t *testing.T, known addressSet, c addressUse) {
	t.Helper()
	if !c.addr.IsValid() {
		return
	}
	v := known[c.addr]
	if v == nil || c.by == us || c.held != v.held.Load() {
		t.Errorf("use %+v", c)
	}
}
