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

// TestClaims: which frames claim an address, by whom; vip4 and vip6 are held, vip4b and vip6b looked for.
func TestClaims(t *testing.T) {
	known := tabled(true, vip4, vip6)
	maps.Copy(known, tabled(false, vip4b, vip6b))
	nobody, nowhere := netip.IPv4Unspecified(), netip.IPv6Unspecified()
	groupB, groupMACB := netip.MustParseAddr("ff02::1:ff00:11"), mac{0x33, 0x33, 0xff, 0, 0, 0x11}
	reply := func(to mac, sender netip.Addr) []byte {
		return arpFrame(to, arp.OperationReply, client, sender, us, client4)
	}
	target := link(ndp.Target, client)
	announced := func() []byte { return advertise(allNodes, vip6, allNodes6, vip6, false, target) }
	held4, held6 := claim{addr: vip4, by: client, held: true}, claim{addr: vip6, by: client, held: true}
	other4, other6 := claim{addr: vip4b, by: client}, claim{addr: vip6b, by: client}
	for _, test := range []struct {
		name  string
		hear  func(mac, table, []byte) heard
		frame []byte
		want  claim
		// answered: the frame is a question as well.
		answered bool
	}{
		{"an announcement claims", hearARP, request(broadcast, vip4, vip4), held4, false},
		{"so does the reply form", hearARP, arpFrame(broadcast, arp.OperationReply, client, vip4, client, vip4), held4, false},
		{"so does a reply to us", hearARP, reply(us, vip4), held4, false},
		{"a reply to our probe claims what we look for", hearARP, reply(us, vip4b), other4, false},
		{"so does an announcement", hearARP, request(broadcast, vip4b, vip4b), other4, false},
		{"so does a question in its name", hearARP, request(broadcast, vip4b, client4), other4, false},
		{"a question in the name of one and for another is both", hearARP, request(broadcast, vip4b, vip4), other4, true},
		{"a probe of what we hold is a question", hearARP, request(broadcast, nobody, vip4), claim{}, true},
		{
			"a probe of what we look for says that somebody else looks", hearARP, request(broadcast, nobody, vip4b),
			claim{addr: vip4b, by: client, probe: true},
			false,
		},
		{"a question for what we look for is not answered", hearARP, request(broadcast, client4, vip4b), claim{}, false},
		{"a question claims nothing of ours", hearARP, request(broadcast, client4, vip4), claim{}, true},
		{"a reply to another station is not for us", hearARP, reply(proxy, vip4), claim{}, false},
		{"a reply about others is of no interest", hearARP, reply(us, client4), claim{}, false},
		{"our own claim is none", hearARP, with(request(broadcast, vip4, vip4), 22, us[:]...), claim{}, false},
		{"our own frame claims nothing", hearARP, with(request(broadcast, vip4, vip4), 6, us[:]...), claim{}, false},
		{
			"who gives no MAC address is known by that of the frame", hearARP,
			with(with(request(broadcast, vip4, vip4), 22, 0, 0, 0, 0, 0, 0), 6, proxy[:]...),
			claim{addr: vip4, by: proxy, held: true},
			false,
		},
		{"the sender counts, not the station that relays", hearARP, with(request(broadcast, vip4, vip4), 6, proxy[:]...), held4, false},

		{"an advertisement to all claims", hearNDP, announced(), held6, false},
		{"so does one to us", hearNDP, advertise(us, vip6, client6, vip6, true, target), held6, false},
		{"so does one from another address of the host", hearNDP, advertise(us, client6, client6, vip6b, true, target), other6, false},
		{"without the option, by the MAC address of the frame", hearNDP, advertise(us, vip6b, client6, vip6b, true), other6, false},
		{"the option counts, not the station that relays", hearNDP, with(announced(), 6, proxy[:]...), held6, false},
		{"a solicitation claims its source", hearNDP, solicit(groupMACB, vip6, groupB, vip6b, link(ndp.Source, client)), held6, false},
		{"and may be answered", hearNDP, solicit(groupMAC6, vip6b, group6, vip6, link(ndp.Source, client)), other6, true},
		{"a solicitation without the option claims as well", hearNDP, solicit(us, vip6b, vip6, vip6), other6, true},
		{"a probe of what we hold is a question", hearNDP, solicit(groupMAC6, nowhere, group6, vip6), claim{}, true},
		{
			"a probe of what we look for says that somebody else looks", hearNDP, solicit(groupMACB, nowhere, groupB, vip6b),
			claim{addr: vip6b, by: client, probe: true},
			false,
		},
		{"a question for what we look for is not answered", hearNDP, solicit(groupMACB, client6, groupB, vip6b), claim{}, false},
		{"an advertisement of another address is of no interest", hearNDP, advertise(allNodes, client6, allNodes6, client6, false, target), claim{}, false},
		{"our own claim is none", hearNDP, advertise(allNodes, vip6, allNodes6, vip6, false, link(ndp.Target, us)), claim{}, false},
		{"our own frame claims nothing", hearNDP, with(announced(), 6, us[:]...), claim{}, false},
		{"a solicitation that names our MAC address claims nothing", hearNDP, solicit(groupMACB, vip6, groupB, vip6b, link(ndp.Source, us)), claim{}, false},
		{"an advertisement to another station is not for us", hearNDP, advertise(proxy, vip6, client6, vip6, true, target), claim{}, false},
		{"one whose two destinations disagree is invalid", hearNDP, advertise(allNodes, vip6, group6, vip6, false, target), claim{}, false},
		{"one to all that is solicited is invalid", hearNDP, advertise(allNodes, vip6, allNodes6, vip6, true, target), claim{}, false},
		{"one from a group is invalid", hearNDP, advertise(allNodes, allNodes6, allNodes6, vip6, false, target), claim{}, false},
		{"one from nowhere is invalid", hearNDP, advertise(allNodes, nowhere, allNodes6, vip6, false, target), claim{}, false},
		{"one that came through a router is invalid", hearNDP, with(announced(), 14+7, 254), claim{}, false},
		{"one with a wrong checksum is invalid", hearNDP, with(announced(), 14+40+2, 0xde, 0xad), claim{}, false},
		{"one with another code is invalid", hearNDP, with(announced(), 14+40+1, 1), claim{}, false},
		{"one that is cut short is invalid", hearNDP, announced()[:14+40+20], claim{}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := test.hear(us, known, test.frame)
			if diff := cmp.Diff(test.want, h.claim, cmp.AllowUnexported(claim{}), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
				t.Error(diff)
			}
			if (h.reply != nil) != test.answered {
				t.Errorf("answered %x", h.reply)
			}
		})
	}
}

// TestOnlyQuestionsAreCounted as such.
func TestOnlyQuestionsAreCounted(t *testing.T) {
	for name, got := range map[string]bool{
		"a request":          hearARP(us, nil, request(broadcast, client4, vip4)).question,
		"a probe":            hearARP(us, nil, request(broadcast, netip.IPv4Unspecified(), vip4)).question,
		"a solicitation":     hearNDP(us, nil, solicit(groupMAC6, client6, group6, vip6)).question,
		"no announcement":    !hearARP(us, held4, request(broadcast, vip4, vip4)).question,
		"no reply":           !hearARP(us, held4, with(request(us, client4, vip4), 21, arpReply)).question,
		"no advertisement":   !hearNDP(us, held6, advertise(allNodes, vip6, allNodes6, vip6, false)).question,
		"no frame of ours":   !hearARP(us, held4, with(request(broadcast, client4, vip4), 6, us[:]...)).question,
		"no frame to others": !hearARP(us, held4, request(proxy, client4, vip4)).question,
	} {
		if !got {
			t.Error(name)
		}
	}
}

// TestProbes spells our own out.
func TestProbes(t *testing.T) {
	want := arpFrame(broadcast, arp.OperationRequest, us, netip.MustParseAddr("0.0.0.0"), mac{}, vip4)
	if diff := cmp.Diff(want, probeARP(us, vip4)); diff != "" {
		t.Error(diff)
	}
	p, ok := parseIPv6(probeNDP(us, vip6))
	if !ok || !p.checksumRight() || p.to != groupMAC6 || p.from != us || p.destination != group6 ||
		!p.source.IsUnspecified() || p.hopLimit != 255 {
		t.Errorf("%+v", p)
	}
	// No option: there is no address yet to which the link-layer address would belong (RFC 4861 section 4.3).
	if len(p.icmp) != messageLength || p.icmp[0] != typeSolicitation || netip.AddrFrom16([16]byte(p.icmp[8:24])) != vip6 {
		t.Errorf("%x", p.icmp)
	}
}
