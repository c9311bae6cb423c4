package bgp

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
	"pgregory.net/rapid"

	"github.com/daymark-lb/daymark/internal/core/adjribout"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

var (
	bothFamilies = []lb.Family{lb.IPv4, lb.IPv6}
	someHops     = adjribout.NextHops{IPv4: adjribout.NextHop{Addr: netip.MustParseAddr("192.0.2.1")}, IPv6: adjribout.NextHop{Addr: netip.MustParseAddr("2001:db8::1")}}
	someEncoder  = &adjribout.Encoder{ASN: 64512, FourOctets: true}
)

// split separates messages and checks the length limit of each.
func split(t testing.TB, batches ...[]byte) (messages [][]byte) {
	t.Helper()
	for _, rest := range batches {
		if len(rest) > maxBatchLength {
			t.Errorf("a batch of %d bytes", len(rest))
		}
		for len(rest) > 0 {
			length := int(rest[16])<<8 + int(rest[17])
			if length > bgp.BGP_MAX_MESSAGE_LENGTH || length > len(rest) {
				t.Fatalf("a message has length %d", length)
			}
			messages, rest = append(messages, rest[:length]), rest[length:]
		}
	}
	return messages
}

// learnAll gives messages to a router without a connection.
func (r *router) learnAll(t testing.TB, batches [][]byte) {
	t.Helper()
	for _, message := range split(t, batches...) {
		parsed, err := bgp.ParseBGPMessage(message)
		if err != nil {
			t.Fatalf("the codec does not understand %x: %v", message, err)
		}
		r.take(parsed)
	}
}

// Whatever a router was told before, afterwards it has what is desired, and was sent no path twice.
func TestAdjRIBOut_DiffLeadsFromAnyToAnyOther(t *testing.T) {
	t.Parallel()
	attributes := []*announce.Attributes{med(1), med(1), med(2), {Prepend: 1, MED: ptr(uint32(3))}}
	prefix := rapid.Custom(func(t *rapid.T) netip.Prefix {
		n := rapid.ByteRange(0, 30).Draw(t, "host")
		if rapid.Bool().Draw(t, "six") {
			return netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, 15: n}), rapid.SampledFrom([]int{112, 127, 128}).Draw(t, "bits")).Masked()
		}
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 19, 0, n}), rapid.SampledFrom([]int{24, 31, 32}).Draw(t, "bits")).Masked()
	})
	rapid.Check(t, func(rt *rapid.T) {
		r := &router{t: t}
		r.clear()
		told := &adjRIBOut{}
		for range rapid.IntRange(1, 5).Draw(rt, "steps") {
			want := map[netip.Prefix]uint32{}
			var paths []announce.Path
			for _, p := range rapid.SliceOf(prefix).Draw(rt, "prefixes") {
				a := rapid.SampledFrom(attributes).Draw(rt, "attributes")
				if _, twice := want[p]; !twice {
					want[p] = *a.MED
					paths = append(paths, announce.Path{Prefix: p, Attributes: a})
				}
			}
			next := someHops
			if rapid.Bool().Draw(rt, "no IPv6 hop") {
				next.IPv6 = adjribout.NextHop{}
				maps.DeleteFunc(want, func(p netip.Prefix, _ uint32) bool { return p.Addr().Is6() })
			}
			changed := 0
			for p, value := range want {
				if before, ok := r.meds[p]; !ok || before != value {
					changed++
				}
			}
			wanted := newAdjRIBOut(someEncoder, told, paths, bothFamilies, next)
			todo := wanted.diff(told)
			r.learnAll(t, todo.messages([2]bool{}))
			if !maps.Equal(r.meds, want) {
				rt.Fatalf("the router has %v, want %v", r.meds, want)
			}
			if todo.added != changed {
				rt.Fatalf("%d prefixes were announced, and %d had changed", todo.added, changed)
			}
			if wanted.ipv4+wanted.ipv6 != len(want) {
				rt.Fatalf("%d and %d are counted of %d", wanted.ipv4, wanted.ipv6, len(want))
			}
			told = wanted
		}
	})
}

// many returns sorted host routes of one family, all with the same attributes.
func many(n int, six bool, attributes *announce.Attributes) []announce.Path {
	paths := make([]announce.Path, n)
	for i := range paths {
		addr := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		if six {
			addr = netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 13: byte(i >> 16), 14: byte(i >> 8), 15: byte(i)})
		}
		paths[i] = announce.Path{Prefix: netip.PrefixFrom(addr, addr.BitLen()), Attributes: attributes}
	}
	return paths
}

func TestAdjRIBOut_ManyPrefixesShareFewMessages(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		six  bool
		most int
	}{"IPv4": {false, 13}, "IPv6": {true, 43}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			paths := many(10_000, test.six, med(1))
			full := newAdjRIBOut(someEncoder, &adjRIBOut{}, paths, bothFamilies, someHops)
			r := &router{t: t}
			r.clear()
			r.learnAll(t, full.diff(&adjRIBOut{}).messages([2]bool{}))
			if len(r.meds) != len(paths) || r.updates > test.most {
				t.Errorf("%d messages announce %d prefixes", r.updates, len(r.meds))
			}
			r.updates = 0
			r.learnAll(t, (&adjRIBOut{}).diff(full).messages([2]bool{}))
			if len(r.meds) != 0 || r.updates > test.most {
				t.Errorf("%d messages leave %d prefixes", r.updates, len(r.meds))
			}
		})
	}
}

// A rollout changes the weights of many prefixes at once. Each pass sends one message for each weight, and takes no route away.
func TestAdjRIBOut_WeightsChangeInFewMessagesAndNoWithdrawal(t *testing.T) {
	t.Parallel()
	const prefixes, weights = 1000, 9
	var attributes [weights + 1]*announce.Attributes
	for i := range attributes {
		attributes[i] = &announce.Attributes{Weight: lb.WeightOf(i + 1)}
	}
	ribAfter := func(before *adjRIBOut, more func(i int) int) *adjRIBOut {
		paths := many(prefixes, false, nil)
		for i := range paths {
			paths[i].Attributes = attributes[i%weights+more(i)]
		}
		return newAdjRIBOut(someEncoder, before, paths, bothFamilies, someHops)
	}
	before := ribAfter(&adjRIBOut{}, func(int) int { return 0 })
	for name, test := range map[string]struct {
		more func(i int) int
		want int
	}{
		"one pod more of one Service": {func(i int) int { return map[bool]int{true: 1}[i == 500] }, 1},
		"one pod more of each":        {func(int) int { return 1 }, weights},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			changes := ribAfter(before, test.more).diff(before)
			if got := len(split(t, changes.messages([2]bool{})...)); got != test.want || changes.removed > 0 {
				t.Errorf("%d messages, which withdraw %d prefixes; want %d and none", got, changes.removed, test.want)
			}
		})
	}
}

func TestAdjRIBOut_PathsAreSorted(t *testing.T) {
	t.Parallel()
	in := many(5, false, med(1))
	given := []announce.Path{in[3], in[0], in[0], in[4], in[1], in[2]}
	before := slices.Clone(given)
	if got := sortedPaths(given); !slices.Equal(got, in) {
		t.Errorf("the order is %v", got)
	}
	if !slices.Equal(given, before) {
		t.Error("the plan's own list was changed")
	}
	if got := sortedPaths(in); &got[0] != &in[0] {
		t.Error("a list that is in order was copied")
	}
}

func TestAdjRIBOut_SaysWhatIsNotAnnounced(t *testing.T) {
	t.Parallel()
	huge := med(1)
	for i := range 1000 {
		huge.Communities = append(huge.Communities, lb.Community{Parts: [3]uint32{0, 1, uint32(i)}})
	}
	paths := []announce.Path{path("198.19.0.1/32"), path("198.19.0.2/32", huge), path("2001:db8::1/128")}
	for name, test := range map[string]struct {
		families []lb.Family
		next     adjribout.NextHops
		want     string
	}{
		"too many communities": {bothFamilies[:1], someHops, "some IPv4 prefixes are not announced: their attributes take 4031 bytes, and a message has room for 3800"},
		"no next hop":          {bothFamilies[1:], adjribout.NextHops{}, "IPv6 prefixes are not announced: the interface of this session has no IPv6 address to be their next hop"},
		"nothing to say of a family that is not exchanged": {nil, adjribout.NextHops{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := newAdjRIBOut(someEncoder, &adjRIBOut{}, paths, test.families, test.next); got.notAnnounced != test.want {
				t.Errorf("it says %q", got.notAnnounced)
			}
		})
	}
}

func TestEncoder_Attributes(t *testing.T) {
	t.Parallel()
	all := &announce.Attributes{
		LocalPref: ptr(uint32(250)), MED: ptr(uint32(42)), Prepend: 1,
		Communities: []lb.Community{community(t, "64512:100"), community(t, "no-export"), community(t, "64512:1:2"), community(t, "rt:64512:7")},
	}
	four := adjribout.NextHop{Addr: netip.MustParseAddr("192.0.2.1")}
	for name, test := range map[string]struct {
		encoder adjribout.Encoder
		from    *announce.Attributes
		next    adjribout.NextHop
		want    []string
	}{
		"to an external router": {adjribout.Encoder{Internal: false, ASN: 4200000001, FourOctets: true}, all, four, []string{
			"{Origin: i}", "{AsPath: 4200000001 4200000001}", "{Nexthop: 192.0.2.1}", "{Med: 42}",
			"{Communities: 64512:100, no-export}", "{Extcomms: [64512:7]}", "{LargeCommunity: [ 64512:1:2]}",
		}},
		"to an external router of two octets": {adjribout.Encoder{Internal: false, ASN: 4200000001, FourOctets: false}, &announce.Attributes{}, four, []string{
			"{Origin: i}", "{AsPath: 23456}", "{Nexthop: 192.0.2.1}", "4200000001",
		}},
		"to one of two octets from a small number": {adjribout.Encoder{Internal: false, ASN: 64512, FourOctets: false}, &announce.Attributes{}, four, []string{
			"{Origin: i}", "{AsPath: 64512}", "{Nexthop: 192.0.2.1}",
		}},
		"to an internal router": {adjribout.Encoder{Internal: true, ASN: 64512, FourOctets: true}, all, four, []string{
			"{Origin: i}", "{AsPath: }", "{Nexthop: 192.0.2.1}", "{Med: 42}", "{LocalPref: 250}",
			"{Communities: 64512:100, no-export}", "{Extcomms: [64512:7]}", "{LargeCommunity: [ 64512:1:2]}",
		}},
		"plain to an internal router, with an IPv6 next hop": {
			adjribout.Encoder{Internal: true, ASN: 64512, FourOctets: false},
			&announce.Attributes{},
			adjribout.NextHop{Addr: netip.MustParseAddr("2001:db8::1")},
			[]string{"{Origin: i}", "{AsPath: }", "{LocalPref: 100}"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path, _ := test.encoder.Path(test.from, lb.IPv4, bothFamilies, test.next)
			encoded := path.Attributes
			var got []string
			for len(encoded) > 0 {
				attribute, _ := bgp.GetPathAttribute(encoded)
				if err := attribute.DecodeFromBytes(encoded, &bgp.MarshallingOption{Use2ByteAS: !test.encoder.FourOctets}); err != nil {
					t.Fatal(err)
				}
				got, encoded = append(got, fmt.Sprint(attribute)), encoded[attribute.Len():]
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("attributes\n%q, want\n%q", got, test.want)
			}
		})
	}
}

func TestUpdate_NextHops(t *testing.T) {
	t.Parallel()
	global, local := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("fe80::1")
	for name, test := range map[string]struct {
		next     adjribout.NextHop
		hop, two netip.Addr
	}{
		"global":     {adjribout.NextHop{Addr: global}, global, netip.Addr{}},
		"both":       {adjribout.NextHop{Addr: global, LinkLocal: local}, global, local},
		"link-local": {adjribout.NextHop{LinkLocal: local}, local, netip.Addr{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, paths := range [][]announce.Path{many(2, false, med(1)), many(2, true, med(1))} { // IPv4: RFC 8950.
				all := newAdjRIBOut(someEncoder, &adjRIBOut{}, paths, bothFamilies, adjribout.NextHops{IPv4: test.next, IPv6: test.next})
				message := split(t, all.diff(&adjRIBOut{}).messages([2]bool{})...)[0]
				parsed, err := bgp.ParseBGPMessage(message)
				if err != nil {
					t.Fatal(err)
				}
				reach, ok := parsed.Body.(*bgp.BGPUpdate).PathAttributes[0].(*bgp.PathAttributeMpReachNLRI)
				if !ok || reach.Nexthop != test.hop || reach.LinkLocalNexthop != test.two || len(reach.Value) != 2 {
					t.Errorf("the first attribute is %+v", reach)
				}
				if n, err := countUpdatePrefixes(body(message)); n != 2 || err != nil {
					t.Errorf("it has %d prefixes, error %v", n, err)
				}
			}
		})
	}
}

func TestUpdate_EndOfRIBOfBothFamilies(t *testing.T) {
	t.Parallel()
	var got []bgp.Family
	for _, message := range split(t, endOfRIB(bothFamilies)) {
		parsed, err := bgp.ParseBGPMessage(message)
		if err != nil {
			t.Fatal(err)
		}
		if end, family := parsed.Body.(*bgp.BGPUpdate).IsEndOfRib(); end {
			got = append(got, family)
		}
	}
	if !slices.Equal(got, []bgp.Family{bgp.RF_IPv4_UC, bgp.RF_IPv6_UC}) {
		t.Errorf("markers for %v", got)
	}
}
