package bgp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/daymark-lb/daymark/internal/core/adjribout"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// TestSession_DigestIsOfWhatWasSent: whatever is desired one after the other, and whatever the router can do, the digest in the status is
// that of the routes in the messages, and that which others compute from the plan.
func TestSession_DigestIsOfWhatWasSent(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	digests := map[adjribout.Digest]bool{}
	for range 30 {
		router := routerSettings(func(s *settings) {
			s.ipv6 = random.IntN(3) > 0
			if random.IntN(3) == 0 {
				s.withheld = fourOctetASN
			}
		})
		var desired announce.Session
		withFakeClock(t, func(s *announce.Session) {
			randomSession(random, s)
			desired = *s
		}, func(c *fakeClockSession) {
			_, heard := c.accept(router.mustEncodeOpen(t), keepaliveMessage)
			told := toldRoutes{}
			for range 10 {
				status := c.status()
				told.take(t, heard)
				fourOctets := router.withheld == 0
				plan := adjribout.DigestOf(&desired, fourOctets, status.Families, status.NextHops)
				if got := told.digest(); status.Digest != got || plan != got {
					t.Fatalf("the digest of %d and %d routes is %s; that of the %d that were sent %s, that of the plan %s",
						status.IPv4, status.IPv6, status.Digest, len(told), got, plan)
				}
				digests[status.Digest] = true
				next := desired
				next.Paths = randomPaths(random)
				if random.IntN(4) == 0 {
					next.NextHop6 = netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: byte(random.IntN(200))})
				}
				desired = next
				c.setDesired(&next)
			}
		})
	}
	if len(digests) < 100 {
		t.Errorf("there are only %d digests of 300 sets of routes", len(digests))
	}
}

// randomSession is one with an internal or an external router, of both families.
func randomSession(random *rand.Rand, s *announce.Session) {
	s.Families, s.NextHop6, s.Paths = bothFamilies, netip.MustParseAddr("2001:db8::2"), randomPaths(random)
	switch random.IntN(3) {
	case 0:
		s.MyASN = 64513
	case 1:
		s.LocalASN = 4200000001
	}
}

// randomPaths are some of a few prefixes, with attributes of which some are equal and not the same.
func randomPaths(random *rand.Rand) (paths []announce.Path) {
	all := make([]*announce.Attributes, 1+random.IntN(4))
	for i := range all {
		all[i] = &announce.Attributes{Prepend: random.IntN(2) * 300}
		if random.IntN(2) == 0 {
			all[i].MED, all[i].LocalPref = new(uint32(random.IntN(3))), new(uint32(random.IntN(3)))
		}
		for range random.IntN(3) {
			all[i].Communities = append(all[i].Communities, lb.Community{Kind: lb.CommunityKind(random.IntN(3)), Parts: [3]uint32{2, 64512, uint32(random.IntN(9))}})
		}
	}
	for i := range 60 {
		prefix := netip.MustParsePrefix(fmt.Sprintf("203.0.113.%d/32", i))
		if i%2 == 0 {
			prefix = netip.MustParsePrefix(fmt.Sprintf("2001:db8:1:%x::/64", i))
		}
		if random.IntN(2) == 0 {
			paths = append(paths, announce.Path{Prefix: prefix, Attributes: all[random.IntN(len(all))]})
		}
	}
	return paths
}

// toldRoutes are the routes that a router has been sent.
type toldRoutes map[netip.Prefix]*adjribout.Path

func (r toldRoutes) digest() (d adjribout.Digest) {
	for prefix, path := range r {
		d.Add(path, prefix)
	}
	return d
}

// take the UPDATE messages that have come.
func (r toldRoutes) take(t *testing.T, heard <-chan message) {
	t.Helper()
	for len(heard) > 0 {
		m := <-heard
		if m.messageType != bgp.BGP_MSG_UPDATE {
			continue
		}
		withdrawn := int(binary.BigEndian.Uint16(m.body))
		r.withdraw(prefixes(m.body[2:2+withdrawn], lb.IPv4))
		rest := m.body[2+withdrawn:]
		length := int(binary.BigEndian.Uint16(rest))
		r.takeAttributes(rest[2:2+length], prefixes(rest[2+length:], lb.IPv4))
	}
}

func (r toldRoutes) withdraw(list []netip.Prefix) {
	for _, prefix := range list {
		delete(r, prefix)
	}
}

// takeAttributes takes the routes of a message: IPv4 prefixes at its end, and those in MP_REACH_NLRI and MP_UNREACH_NLRI.
func (r toldRoutes) takeAttributes(attributes []byte, four []netip.Prefix) {
	if len(attributes) > 4 && attributes[1] == byte(bgp.BGP_ATTR_TYPE_MP_UNREACH_NLRI) {
		r.withdraw(prefixes(attributes[7:], familyOfAFI(attributes[4:])))
		return
	}
	family, list, next := lb.IPv4, four, adjribout.NextHop{}
	if len(attributes) > 4 && attributes[1] == byte(bgp.BGP_ATTR_TYPE_MP_REACH_NLRI) {
		length := 4 + int(binary.BigEndian.Uint16(attributes[2:]))
		family, next.Addr = familyOfAFI(attributes[4:]), netip.AddrFrom16([16]byte(attributes[8:24]))
		list = prefixes(attributes[8+int(attributes[7])+1:length], family)
		attributes = attributes[length:]
	} else if at := bytes.Index(attributes, []byte{0x40, 3, 4}); at >= 0 {
		next.Addr = netip.AddrFrom4([4]byte(attributes[at+3 : at+7]))
	}
	for _, prefix := range list {
		r[prefix] = adjribout.NewPath(family, next, bytes.Clone(attributes))
	}
}

func familyOfAFI(from []byte) lb.Family {
	if binary.BigEndian.Uint16(from) == bgp.AFI_IP6 {
		return lb.IPv6
	}
	return lb.IPv4
}

// prefixes as they are encoded (RFC 4271 section 4.3).
func prefixes(from []byte, family lb.Family) (list []netip.Prefix) {
	for len(from) > 0 {
		bits, size := int(from[0]), (int(from[0])+7)/8
		var octets [16]byte
		copy(octets[:], from[1:1+size])
		addr := netip.AddrFrom16(octets)
		if family == lb.IPv4 {
			addr = netip.AddrFrom4([4]byte(octets[:4]))
		}
		list, from = append(list, netip.PrefixFrom(addr, bits)), from[1+size:]
	}
	return list
}
