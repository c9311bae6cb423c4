package layer2

import (
	"bytes"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/ndp"
)

var (
	vip6      = netip.MustParseAddr("2001:db8::10")
	client6   = netip.MustParseAddr("fe80::9")
	held6     = addressesOf(true, vip6)
	group6    = netip.MustParseAddr("ff02::1:ff00:10")
	groupMAC6 = mac{0x33, 0x33, 0xff, 0, 0, 0x10}
	allNodes6 = netip.MustParseAddr("ff02::1")
)

// solicit returns the frame of a neighbor solicitation by the client with options.
func solicit(to mac, source, destination, target netip.Addr, options ...ndp.Option) []byte {
	return ndpFrame(to, client, source, destination, &ndp.NeighborSolicitation{TargetAddress: target, Options: options})
}

// advertise returns the frame of a neighbor advertisement by the client with options.
func advertise(to mac, source, destination, target netip.Addr, solicited bool, options ...ndp.Option) []byte {
	return ndpFrame(to, client, source, destination, &ndp.NeighborAdvertisement{
		Solicited: solicited, Override: true, TargetAddress: target, Options: options,
	})
}

func link(direction ndp.Direction, addr mac) ndp.Option {
	return &ndp.LinkLayerAddress{Direction: direction, Addr: addr.slice()}
}

func TestNDP_AnswersSolicitations(t *testing.T) {
	nowhere, other := netip.IPv6Unspecified(), netip.MustParseAddr("2001:db8::11")
	sameGroup := netip.MustParseAddr("2001:db8:1::10")
	source := link(ndp.Source, client)
	good := func() []byte { return solicit(groupMAC6, client6, group6, vip6, source) }
	answer := neighborAdvertisement(us, vip6, client, client6)
	probed := neighborAdvertisement(us, vip6, allNodes, nowhere)
	for _, test := range []struct {
		name  string
		frame []byte
		want  []byte
	}{
		{"a multicast solicitation is answered to its sender", good(), answer},
		{"one without the option is answered to where it came from", solicit(groupMAC6, client6, group6, vip6), answer},
		{"Neighbor Unreachability Detection by unicast with the option", solicit(us, client6, vip6, vip6, source), answer},
		{"Neighbor Unreachability Detection by unicast without the option", solicit(us, client6, vip6, vip6), answer},
		{
			"the option says where to answer", solicit(groupMAC6, client6, group6, vip6, link(ndp.Source, proxy)),
			neighborAdvertisement(us, vip6, proxy, client6),
		},
		{"a probe for duplicates is answered to all nodes", solicit(groupMAC6, nowhere, group6, vip6), probed},
		{"a probe with a nonce (RFC 7527) is answered", solicit(groupMAC6, nowhere, group6, vip6, ndp.NewNonce()), probed},
		{"padding behind the packet is no part of it", append(good(), 0, 0, 0, 0), answer},
		{"a probe with the option is invalid", solicit(groupMAC6, nowhere, group6, vip6, source), nil},
		{"a probe by unicast is invalid", solicit(us, nowhere, vip6, vip6), nil},
		{"another address is not ours", solicit(mac{0x33, 0x33, 0xff, 0, 0, 0x11}, client6, netip.MustParseAddr("ff02::1:ff00:11"), other), nil},
		{"another address of the same group is not ours", solicit(groupMAC6, client6, group6, sameGroup, source), nil},
		{"a solicitation to all nodes is not answered", solicit(allNodes, client6, allNodes6, vip6, source), nil},
		{"a frame to another host is not for us", solicit(proxy, client6, vip6, vip6), nil},
		{"a frame whose two destinations disagree is not for us", solicit(us, client6, group6, vip6), nil},
		{"a source that is a group is invalid", solicit(groupMAC6, allNodes6, group6, vip6, source), nil},
		{"an option that names a group is not answered", solicit(groupMAC6, client6, group6, vip6, link(ndp.Source, broadcast)), nil},
		{"our own frame is not answered", with(good(), 6, us[:]...), nil},
		{"a packet that came through a router is invalid", with(good(), 14+7, 254), nil},
		{"a wrong checksum is invalid", with(good(), 14+40+2, 0xde, 0xad), nil},
		{"another code is invalid", with(good(), 14+40+1, 1), nil},
		{"another type is not answered", with(good(), 14+40, 136), nil},
		{"another next header is not answered", with(good(), 14+6, 0), nil},
		{"another version is not answered", with(good(), 14, 4<<4), nil},
		{"another Ethernet type is not answered", with(good(), 12, 8, 0), nil},
		{"a payload longer than the frame is invalid", with(good(), 14+4, 0xff, 0xff), nil},
		{"a payload too short for a solicitation is invalid", with(good(), 14+4, 0, 23), nil},
		{"a frame cut short is not answered", good()[:14+40], nil},
		{"an empty frame is not answered", nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := bytes.Clone(test.frame)
			if diff := cmp.Diff(test.want, handleNDP(us, held6, test.frame).reply); diff != "" {
				t.Error(diff)
			}
			if !bytes.Equal(before, test.frame) {
				t.Error("the frame was written to")
			}
		})
	}
}

// TestNDP_OptionOfLengthZeroIsInvalid although the checksum is valid (RFC 4861 section 7.1.1).
func TestNDP_OptionOfLengthZeroIsInvalid(t *testing.T) {
	frame := solicit(groupMAC6, client6, group6, vip6, link(ndp.Source, client))
	option := ethernetLength + ipv6Length + messageLength
	sum := ethernetLength + ipv6Length + 2
	frame[option+1] = 0
	frame[sum+1]++ // One less in the data, one more in the checksum.
	if p, ok := parseIPv6(frame); !ok || !p.checksumValid() {
		t.Fatal("the test's own frame is wrong")
	}
	if reply := handleNDP(us, held6, frame).reply; reply != nil {
		t.Errorf("answered %x", reply)
	}
}

// TestNDP_AdvertisementFlagsAndHeaders checks what we send.
func TestNDP_AdvertisementFlagsAndHeaders(t *testing.T) {
	for _, test := range []struct {
		name        string
		frame       []byte
		to          mac
		destination netip.Addr
		solicited   bool
	}{
		{"an answer is solicited", neighborAdvertisement(us, vip6, client, client6), client, client6, true},
		{"an announcement is for all nodes", unsolicitedAdvertisement(us, vip6)[0], allNodes, allNodes6, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, ok := parseIPv6(test.frame)
			if !ok || !p.checksumValid() {
				t.Fatalf("invalid: %x", test.frame)
			}
			if p.to != test.to || p.from != us || p.source != vip6 || p.destination != test.destination || p.hopLimit != 255 {
				t.Errorf("headers: %+v", p)
			}
			message, err := ndp.ParseMessage(p.icmp)
			if err != nil {
				t.Fatal(err)
			}
			want := &ndp.NeighborAdvertisement{
				Solicited: test.solicited, Override: true, TargetAddress: vip6, Options: []ndp.Option{link(ndp.Target, us)},
			}
			if diff := cmp.Diff(ndp.Message(want), message, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// FuzzHandleNDP: for any frame, an answer is a valid advertisement of ours, and a reported use is of one of our
// addresses.
func FuzzHandleNDP(f *testing.F) {
	f.Add(solicit(groupMAC6, client6, group6, vip6, link(ndp.Source, client)))
	f.Add(solicit(us, client6, vip6, vip6))
	f.Add(solicit(us, vip6, vip6b, vip6b))
	f.Add(solicit(groupMAC6, netip.IPv6Unspecified(), group6, vip6, ndp.NewNonce()))
	f.Add(advertise(allNodes, vip6, allNodes6, vip6, false, link(ndp.Target, client)))
	f.Add(advertise(us, vip6b, client6, vip6b, true))
	known := maps.Clone(held6)
	maps.Copy(known, addressesOf(false, vip6b))
	f.Fuzz(func(t *testing.T, frame []byte) {
		before := slices.Clone(frame)
		h := handleNDP(us, known, frame)
		if !slices.Equal(before, frame) {
			t.Error("the frame was written to")
		}
		checkUse(t, known, h.use)
		if h.reply == nil {
			return
		}
		p, ok := parseIPv6(h.reply)
		if !ok || !p.checksumValid() || p.from != us || p.source != vip6 || !p.to.unicast() && p.to != allNodes {
			t.Errorf("answered %x", h.reply)
		}
	})
}
