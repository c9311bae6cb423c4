package adjribout

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

var (
	both  = []lb.Family{lb.IPv4, lb.IPv6}
	hops  = NextHops{NextHop{Addr: netip.MustParseAddr("192.0.2.1")}, NextHop{Addr: netip.MustParseAddr("2001:db8::1")}}
	paths = func(change func(prefixes map[string]*announce.Attributes)) (list []announce.Path) {
		shared := &announce.Attributes{Communities: []lb.Community{{Parts: [3]uint32{0, 64512, 1}}}}
		prefixes := map[string]*announce.Attributes{
			"198.51.100.1/32": shared, "198.51.100.2/32": shared, "203.0.113.0/24": {}, "2001:db8:1::1/128": shared,
		}
		if change != nil {
			change(prefixes)
		}
		for prefix, attributes := range prefixes { // in any order
			list = append(list, announce.Path{Prefix: netip.MustParsePrefix(prefix), Attributes: attributes})
		}
		return list
	}
)

func digest(change func(*announce.Session), paths []announce.Path, families []lb.Family, next NextHops) Digest {
	s := &announce.Session{MyASN: 64512, PeerASN: 64513, Paths: paths}
	if change != nil {
		change(s)
	}
	return DigestOf(s, true, families, next)
}

func TestDigest_IsTheSameForTheSameRoutes(t *testing.T) {
	want := digest(nil, paths(nil), both, hops)
	if want == 0 || len(want.String()) != 16 {
		t.Errorf("it is %s", want)
	}
	for range 20 {
		if got := digest(nil, paths(nil), both, hops); got != want {
			t.Fatalf("in another order it is %s, not %s", got, want)
		}
	}
	if got := digest(nil, nil, both, hops); got != 0 {
		t.Errorf("of no routes it is %s", got)
	}
}

// TestDigest_DiffersWithEveryThingThatIsSent takes each thing that a router sees and changes it.
func TestDigest_DiffersWithEveryThingThatIsSent(t *testing.T) {
	seen := map[Digest]string{digest(nil, paths(nil), both, hops): "the digest of the whole"}
	note := func(name string, got Digest) {
		if same := seen[got]; same != "" {
			t.Errorf("%s: it is %s of %s", name, got, same)
		}
		seen[got] = name
	}
	with := func(name string, change func(map[string]*announce.Attributes)) {
		note(name, digest(nil, paths(change), both, hops))
	}
	with("one fewer", func(p map[string]*announce.Attributes) { delete(p, "198.51.100.1/32") })
	with("another one fewer", func(p map[string]*announce.Attributes) { delete(p, "198.51.100.2/32") })
	with("another prefix", func(p map[string]*announce.Attributes) {
		p["198.51.100.3/32"] = p["198.51.100.1/32"]
		delete(p, "198.51.100.1/32")
	})
	with("another length", func(p map[string]*announce.Attributes) {
		p["203.0.113.0/25"] = p["203.0.113.0/24"]
		delete(p, "203.0.113.0/24")
	})
	for name, a := range map[string]*announce.Attributes{
		"prepended": {Prepend: 1}, "with a MED": {MED: new(uint32(0))}, "with another MED": {MED: new(uint32(1))},
		"with a community": {Communities: []lb.Community{{Parts: [3]uint32{0, 64512, 2}}}},
		"with a weight":    {Weight: 1}, "with another weight": {Weight: 2},
		"with a large one": {Communities: []lb.Community{{Kind: lb.LargeCommunity, Parts: [3]uint32{64512, 1, 2}}}},
	} {
		with(name, func(p map[string]*announce.Attributes) { p["203.0.113.0/24"] = a })
	}
	with("attributes exchanged", func(p map[string]*announce.Attributes) {
		p["203.0.113.0/24"], p["198.51.100.1/32"] = p["198.51.100.1/32"], p["203.0.113.0/24"]
	})
	note("IPv4 alone", digest(nil, paths(nil), both[:1], hops))
	note("by another next hop", digest(nil, paths(nil), both, NextHops{hops.IPv4, NextHop{hops.IPv6.Addr, netip.MustParseAddr("fe80::1")}}))
	note("to an internal router", digest(func(s *announce.Session) { s.PeerASN = 64512 }, paths(nil), both, hops))
	note("as another AS", digest(func(s *announce.Session) { s.LocalASN = 65000 }, paths(nil), both, hops))
}

func TestEncoder_WhatIsTooLongIsNotAnnounced(t *testing.T) {
	many := &announce.Attributes{Communities: make([]lb.Community, 2000)}
	path, problem := (&Encoder{ASN: 64512}).Path(many, lb.IPv4, both, hops.IPv4)
	if want := "some IPv4 prefixes are not announced: their attributes take 8022 bytes, and a message has room for 3800"; path != nil || problem != want {
		t.Errorf("%v, %q", path, problem)
	}
	if len(hops.Missing(both)) != 0 || !slices.Equal((&NextHops{}).Missing(both), both) {
		t.Error("families without a next hop are not found")
	}
}

func TestEncoder_WeightIsTheOnlyLinkBandwidth(t *testing.T) {
	configured := []lb.Community{{Parts: [3]uint32{0, 64512, 1}}, lb.LinkBandwidth(64512, lb.WeightOf(3))}
	for _, test := range []struct {
		name   string
		asn    uint32
		weight lb.Weight
		want   []string
	}{
		{"a path without a weight has what is configured", 64512, 0, []string{"64512:1", "bandwidth:64512:375000"}},
		{"a weight takes its place, 1 Mbit/s each", 64512, lb.WeightOf(5), []string{"64512:1", "bandwidth:64512:625000"}},
		{"a third of an endpoint", 64512, lb.WeightOf(1) / 3, []string{"64512:1", "bandwidth:64512:41666"}},
		{"the least", 64512, lb.LeastWeight, []string{"64512:1", "bandwidth:64512:125"}},
		{"an AS number of 32 bits is AS_TRANS", 4200000000, lb.OneWeight, []string{"64512:1", "bandwidth:23456:125000"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := &Encoder{ASN: test.asn}
			if got := lb.Strings(e.Communities(&announce.Attributes{Communities: configured, Weight: test.weight})); !slices.Equal(got, test.want) {
				t.Errorf("%v are sent, want %v", got, test.want)
			}
		})
	}
}

func TestEncoder_WeightOnTheWire(t *testing.T) {
	got := (&Encoder{ASN: 64512}).attributes(&announce.Attributes{Weight: lb.OneWeight}, hops.IPv4)
	// optional and transitive, EXTENDED COMMUNITIES, 8 octets: not transitive, two octets of AS, link bandwidth, AS 64512, 125000.0
	want := []byte{0xc0, 16, 8, 0x40, 0x04, 0xfc, 0x00, 0x47, 0xf4, 0x24, 0x00}
	if !bytes.HasSuffix(got, want) {
		t.Errorf("the attributes are % x, want % x at their end", got, want)
	}
}
