package layer2

import (
	"maps"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/mdlayher/arp"
	"github.com/mdlayher/ndp"
)

// TestProtocol_ReportsAddressUse: which frames show the use of an address, and by whom. vip4 and vip6 are held, vip4b
// and vip6b are probed.
func TestProtocol_ReportsAddressUse(t *testing.T) {
	known := addressesOf(true, vip4, vip6)
	maps.Copy(known, addressesOf(false, vip4b, vip6b))
	nobody, nowhere := netip.IPv4Unspecified(), netip.IPv6Unspecified()
	groupB, groupMACB := netip.MustParseAddr("ff02::1:ff00:11"), mac{0x33, 0x33, 0xff, 0, 0, 0x11}
	reply := func(to mac, sender netip.Addr) []byte {
		return arpFrame(to, arp.OperationReply, client, sender, us, client4)
	}
	target := link(ndp.Target, client)
	announced := func() []byte { return advertise(allNodes, vip6, allNodes6, vip6, false, target) }
	held4, held6 := addressUse{addr: vip4, by: client, held: true}, addressUse{addr: vip6, by: client, held: true}
	toAll4, toAll6 := addressUse{addr: vip4, by: client, held: true, announced: true}, addressUse{addr: vip6, by: client, held: true, announced: true}
	other4, other6 := addressUse{addr: vip4b, by: client}, addressUse{addr: vip6b, by: client}
	for _, test := range []struct {
		name   string
		handle func(mac, addressSet, []byte) outcome
		frame  []byte
		want   addressUse
		// answered: the frame is also a request.
		answered bool
	}{
		{"an announcement uses its address", handleARP, request(broadcast, vip4, vip4), toAll4, false},
		{"so does the reply form", handleARP, arpFrame(broadcast, arp.OperationReply, client, vip4, client, vip4), toAll4, false},
		{"so does a reply to us", handleARP, reply(us, vip4), held4, false},
		{"a reply to our probe uses the probed address", handleARP, reply(us, vip4b), other4, false},
		{"so does an announcement", handleARP, request(broadcast, vip4b, vip4b), addressUse{addr: vip4b, by: client, announced: true}, false},
		{"so does a request from it", handleARP, request(broadcast, vip4b, client4), other4, false},
		{"a request from one address for another is both", handleARP, request(broadcast, vip4b, vip4), other4, true},
		{
			"a probe of a held address is a request, and a search", handleARP, request(broadcast, nobody, vip4),
			addressUse{addr: vip4, by: client, held: true, probe: true},
			true,
		},
		{"a question to us alone is a request", handleARP, request(us, nobody, vip4), addressUse{}, true},
		{
			"a probe of a probed address is reported as a probe", handleARP, request(broadcast, nobody, vip4b),
			addressUse{addr: vip4b, by: client, probe: true},
			false,
		},
		{"a request for a probed address is not answered", handleARP, request(broadcast, client4, vip4b), addressUse{}, false},
		{"a request uses no address of ours", handleARP, request(broadcast, client4, vip4), addressUse{}, true},
		{"a reply to another host is not for us", handleARP, reply(proxy, vip4), addressUse{}, false},
		{"a reply about others is of no interest", handleARP, reply(us, client4), addressUse{}, false},
		{"our own use is not reported", handleARP, with(request(broadcast, vip4, vip4), 22, us[:]...), addressUse{}, false},
		{"our own frame is not reported", handleARP, with(request(broadcast, vip4, vip4), 6, us[:]...), addressUse{}, false},
		{
			"a host that gives no MAC address is known by that of the frame", handleARP,
			with(with(request(broadcast, vip4, vip4), 22, 0, 0, 0, 0, 0, 0), 6, proxy[:]...),
			addressUse{addr: vip4, by: proxy, held: true, announced: true},
			false,
		},
		{"the sender counts, not the host that relays", handleARP, with(request(broadcast, vip4, vip4), 6, proxy[:]...), toAll4, false},

		{"an advertisement to all uses its target", handleNDP, announced(), toAll6, false},
		{"so does one to us", handleNDP, advertise(us, vip6, client6, vip6, true, target), held6, false},
		{"so does one from another address of the host", handleNDP, advertise(us, client6, client6, vip6b, true, target), other6, false},
		{"without the option, by the MAC address of the frame", handleNDP, advertise(us, vip6b, client6, vip6b, true), other6, false},
		{"the option counts, not the host that relays", handleNDP, with(announced(), 6, proxy[:]...), toAll6, false},
		{"a solicitation uses its source", handleNDP, solicit(groupMACB, vip6, groupB, vip6b, link(ndp.Source, client)), held6, false},
		{"and may be answered", handleNDP, solicit(groupMAC6, vip6b, group6, vip6, link(ndp.Source, client)), other6, true},
		{"so does a solicitation without the option", handleNDP, solicit(us, vip6b, vip6, vip6), other6, true},
		{
			"a probe of a held address is a request, and a search", handleNDP, solicit(groupMAC6, nowhere, group6, vip6),
			addressUse{addr: vip6, by: client, held: true, probe: true},
			true,
		},
		{
			"a probe of a probed address is reported as a probe", handleNDP, solicit(groupMACB, nowhere, groupB, vip6b),
			addressUse{addr: vip6b, by: client, probe: true},
			false,
		},
		{"a request for a probed address is not answered", handleNDP, solicit(groupMACB, client6, groupB, vip6b), addressUse{}, false},
		{"an advertisement of another address is of no interest", handleNDP, advertise(allNodes, client6, allNodes6, client6, false, target), addressUse{}, false},
		{"our own use is not reported", handleNDP, advertise(allNodes, vip6, allNodes6, vip6, false, link(ndp.Target, us)), addressUse{}, false},
		{"our own frame is not reported", handleNDP, with(announced(), 6, us[:]...), addressUse{}, false},
		{"a solicitation with our MAC address is not reported", handleNDP, solicit(groupMACB, vip6, groupB, vip6b, link(ndp.Source, us)), addressUse{}, false},
		{"an advertisement to another host is not for us", handleNDP, advertise(proxy, vip6, client6, vip6, true, target), addressUse{}, false},
		{"one whose two destinations disagree is invalid", handleNDP, advertise(allNodes, vip6, group6, vip6, false, target), addressUse{}, false},
		{"one to all that is solicited is invalid", handleNDP, advertise(allNodes, vip6, allNodes6, vip6, true, target), addressUse{}, false},
		{"one from a group is invalid", handleNDP, advertise(allNodes, allNodes6, allNodes6, vip6, false, target), addressUse{}, false},
		{"one from nowhere is invalid", handleNDP, advertise(allNodes, nowhere, allNodes6, vip6, false, target), addressUse{}, false},
		{"one that came through a router is invalid", handleNDP, with(announced(), 14+7, 254), addressUse{}, false},
		{"one with a wrong checksum is invalid", handleNDP, with(announced(), 14+40+2, 0xde, 0xad), addressUse{}, false},
		{"one with another code is invalid", handleNDP, with(announced(), 14+40+1, 1), addressUse{}, false},
		{"one that is cut short is invalid", handleNDP, announced()[:14+40+20], addressUse{}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := test.handle(us, known, test.frame)
			if diff := cmp.Diff(test.want, o.use, cmp.AllowUnexported(addressUse{}), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
				t.Error(diff)
			}
			if (o.reply != nil) != test.answered {
				t.Errorf("answered %x", o.reply)
			}
		})
	}
}

// TestProtocol_CountsOnlyRequests as requests.
func TestProtocol_CountsOnlyRequests(t *testing.T) {
	for name, got := range map[string]bool{
		"a request":          handleARP(us, nil, request(broadcast, client4, vip4)).request,
		"a probe":            handleARP(us, nil, request(broadcast, netip.IPv4Unspecified(), vip4)).request,
		"a solicitation":     handleNDP(us, nil, solicit(groupMAC6, client6, group6, vip6)).request,
		"no announcement":    !handleARP(us, held4, request(broadcast, vip4, vip4)).request,
		"no reply":           !handleARP(us, held4, with(request(us, client4, vip4), 21, arpReply)).request,
		"no advertisement":   !handleNDP(us, held6, advertise(allNodes, vip6, allNodes6, vip6, false)).request,
		"no frame of ours":   !handleARP(us, held4, with(request(broadcast, client4, vip4), 6, us[:]...)).request,
		"no frame to others": !handleARP(us, held4, request(proxy, client4, vip4)).request,
	} {
		if !got {
			t.Error(name)
		}
	}
}

// TestProtocol_Probes checks the probes that we send.
func TestProtocol_Probes(t *testing.T) {
	want := arpFrame(broadcast, arp.OperationRequest, us, netip.MustParseAddr("0.0.0.0"), mac{}, vip4)
	if diff := cmp.Diff(want, probeARP(us, vip4)); diff != "" {
		t.Error(diff)
	}
	p, ok := parseIPv6(probeNDP(us, vip6))
	if !ok || !p.checksumValid() || p.to != groupMAC6 || p.from != us || p.destination != group6 ||
		!p.source.IsUnspecified() || p.hopLimit != 255 {
		t.Errorf("%+v", p)
	}
	// No option: there is no address yet to which a link-layer address could belong (RFC 4861 section 4.3).
	if len(p.icmp) != messageLength || p.icmp[0] != typeSolicitation || netip.AddrFrom16([16]byte(p.icmp[8:24])) != vip6 {
		t.Errorf("%x", p.icmp)
	}
}
