package announce

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/detector"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// TestSegmentParts_OfALargeCluster: every node asks about five others, and a switch with some of the nodes is cut off. A
// node that asks none of its own part, and is asked by none of it, counts as a part of its own.
func TestSegmentParts_OfALargeCluster(t *testing.T) {
	const nodes, first = 40, 12
	subnet := netip.MustParsePrefix("198.51.100.0/24")
	links, gossip, number := map[string][]lb.Link{}, map[string]netip.AddrPort{}, map[string]int{}
	for i := range nodes {
		name := fmt.Sprintf("n%d", i)
		links[name], gossip[name], number[name] = edgeNode(i+1), netip.MustParseAddrPort(fmt.Sprintf("192.0.2.%d:7946", i+1)), i
	}
	said := map[string][]election.SegmentEdges{}
	for node, asked := range detector.Observations(membersOf(subnet, links, gossip)) {
		edges := election.SegmentEdges{Subnet: subnet}
		for _, other := range asked {
			if (number[node] < first) != (number[other] < first) {
				edges.Cut = append(edges.Cut, other)
			}
		}
		said[node] = []election.SegmentEdges{edges}
	}
	parts := new(SegmentParts).Update(said, links, gossip)[subnet]
	wrong := 0
	for a, i := range number {
		for b, j := range number {
			switch is, said := (i < first) != (j < first), parts.Apart(a, b); {
			case is && !said:
				t.Fatalf("%s and %s are said to be in one part", a, b)
			case said && !is:
				wrong++
			}
		}
	}
	if wrong > nodes*nodes/20 {
		t.Errorf("%d of %d pairs are said to be apart and are not", wrong, nodes*nodes)
	}
	for node := range said {
		said[node] = []election.SegmentEdges{{Subnet: subnet}}
	}
	if parts := new(SegmentParts).Update(said, links, gossip); len(parts) > 0 {
		t.Errorf("a segment that is whole has the parts %v", parts)
	}
}

func TestPlan_PartsAreThoseOfTheSmallestSubnet(t *testing.T) {
	parts := func(a, b string) *election.Parts {
		return election.NewParts(map[string][]string{a: {b}}, map[string]election.SegmentEdges{a: {Cut: []string{b}}})
	}
	large, small := parts("n1", "n2"), parts("n1", "n3")
	contest := func(addr string, detection v1beta1.ConflictDetection) Contest {
		return Contest{Contest: election.Contest{Addr: netip.MustParseAddr(addr)}, Answering: &Answering{Detection: detection}}
	}
	plan := &Plan{Contests: []Contest{
		contest("198.51.100.1", ""), contest("198.51.100.200", ""), contest("198.51.100.201", v1beta1.ConflictOff), contest("203.0.113.1", ""),
	}}
	plan.SetParts(map[netip.Prefix]*election.Parts{
		netip.MustParsePrefix("198.51.100.0/24"): large, netip.MustParsePrefix("198.51.100.128/25"): small,
	})
	for i, want := range []*election.Parts{large, small, nil, nil} {
		if got := plan.Contests[i].Parts; got != want {
			t.Errorf("%s is given %v", plan.Contests[i].Addr, got)
		}
	}
}

// cutSegment is a segment of some nodes, of which one says that the edge to the next is cut.
func cutSegment(nodes int) (said map[string][]election.SegmentEdges, links map[string][]lb.Link, gossip map[string]netip.AddrPort) {
	said, links, gossip = map[string][]election.SegmentEdges{}, map[string][]lb.Link{}, map[string]netip.AddrPort{}
	subnet := netip.MustParsePrefix("198.51.0.0/16")
	for i := range nodes {
		name := fmt.Sprintf("n%d", i)
		links[name] = []lb.Link{{Name: "eth1", Up: true, MAC: "02:00:00:00:00:01", Addresses: []netip.Prefix{
			netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)}), 16),
		}}}
		gossip[name], said[name] = netip.MustParseAddrPort("192.0.2.1:7946"), []election.SegmentEdges{{Subnet: subnet}}
	}
	said["n0"] = []election.SegmentEdges{{Subnet: subnet, Cut: []string{detector.Observed("n0", membersOf(subnet, links, gossip))[0]}}}
	return said, links, gossip
}

// What is kept from pass to pass gives what is worked out anew, whatever has changed.
func TestSegmentParts_KeptAreAsNew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		said, links, gossip := cutSegment(rapid.IntRange(2, 12).Draw(t, "nodes"))
		name := rapid.SampledFrom(slices.Sorted(maps.Keys(links)))
		names := rapid.SliceOfNDistinct(name, 0, 3, rapid.ID[string])
		kept := &SegmentParts{}
		for range rapid.IntRange(1, 10).Draw(t, "passes") {
			switch node := name.Draw(t, "node"); rapid.SampledFrom([]string{"says", "is silent", "comes", "goes", "stays"}).Draw(t, "change") {
			case "says":
				edges := election.SegmentEdges{Subnet: netip.MustParsePrefix("198.51.0.0/16"), Cut: names.Draw(t, "cut"), Heard: names.Draw(t, "heard")}
				said[node] = []election.SegmentEdges{edges}
			case "is silent":
				delete(said, node)
			case "goes":
				links[node] = nil
			case "comes":
				_, links, _ = cutSegment(len(links))
			}
			want, got := new(SegmentParts).Update(said, links, gossip), kept.Update(said, links, gossip)
			for subnet := range want {
				if got[subnet] == nil || len(got) != len(want) {
					t.Fatalf("parts of %v, want %v", got, want)
				}
				for a := range links {
					for b := range links {
						if got[subnet].Apart(a, b) != want[subnet].Apart(a, b) {
							t.Fatalf("%s and %s: apart %v, want %v", a, b, got[subnet].Apart(a, b), want[subnet].Apart(a, b))
						}
					}
				}
			}
		}
	})
}

func BenchmarkSegmentParts_1000Nodes(b *testing.B) {
	said, links, gossip := cutSegment(1000)
	for name, kept := range map[string]*SegmentParts{"new": nil, "kept": {}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				parts := kept
				if parts == nil {
					parts = &SegmentParts{}
				}
				parts.Update(said, links, gossip)
			}
		})
	}
}
