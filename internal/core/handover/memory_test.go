package handover

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

var (
	moved = netip.MustParseAddr("192.0.2.200")
	start = time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
)

const draining = 10 * time.Minute

// address4 of a node n1, n2 and so on.
func address4(node string) netip.Addr {
	var n byte
	_, _ = fmt.Sscanf(node, "n%d", &n)
	return netip.AddrFrom4([4]byte{192, 0, 2, 10 + n})
}

// vias are addresses of a node on a segment that eth0 of all is on.
func vias(addr netip.Addr) []Via { return []Via{{netip.PrefixFrom(addr, 24), []string{"eth0"}}} }

// cluster is what all nodes agree on, and the memory of each.
type cluster struct {
	now      time.Time
	nodes    []string
	memories map[string]*Memory
	// away are nodes whose speakers restart, and dead those that crashed.
	away, dead, disturbed map[string]bool
	// off are nodes that do not answer on the segment.
	off []string
	// unable are nodes that do not pass on.
	unable map[string]bool
	// only are families of which those do.
	only map[string]lb.Family
	// partial are nodes whose speakers have just begun: the others have only heard part of what they say.
	partial map[string]bool
	// found is what a speaker that begins finds in its kernel, in its next decision only.
	found    map[string][]Counted
	suspects []string
	// silent are nodes that are not heard, and answered those of them that answer on the segment.
	silent, answered []string
	holders          []string
	draining         time.Duration
	// left are the connections of each node, -1: not counted; and said is who said that there are some.
	left map[string]int
	said map[string]bool
	// last decision of each node.
	last map[string]Decision
}

func newCluster(nodes ...string) *cluster {
	c := &cluster{
		now: start, nodes: nodes, memories: map[string]*Memory{}, away: map[string]bool{}, dead: map[string]bool{}, disturbed: map[string]bool{}, unable: map[string]bool{}, only: map[string]lb.Family{}, partial: map[string]bool{}, found: map[string][]Counted{},
		draining: draining, left: map[string]int{}, said: map[string]bool{}, last: map[string]Decision{},
	}
	for _, node := range nodes {
		c.memories[node] = &Memory{}
	}
	return c
}

// hold has some nodes attract the packets, and all nodes decide twice, so that all have heard what the others say.
func (c *cluster) hold(holders ...string) {
	c.holders = holders
	c.decide()
	c.decide()
}

// after lets time pass.
func (c *cluster) after(d time.Duration) {
	c.now = c.now.Add(d)
	c.hold(c.holders...)
}

func (c *cluster) decide() {
	for _, node := range c.nodes {
		if !c.away[node] && !c.dead[node] {
			c.last[node] = c.memories[node].Next(c.input(node))
			c.said[node] = slices.Contains(c.last[node].Left, moved)
		}
	}
}

func (c *cluster) input(node string) Input {
	in := Input{
		Now: c.now, Node: node, Addresses: []Address{{Addr: moved, Holders: c.holders, Draining: c.draining}}, Peers: map[string]Peer{}, Left: map[netip.Addr]int{},
		Dead: func(node string) bool { return c.dead[node] }, Disturbed: c.disturbed, Suspects: c.suspects, Found: c.found[node],
	}
	delete(c.found, node)
	counted := slices.ContainsFunc(c.last[node].Plan.Counted, func(counted Counted) bool { return counted.Addr == moved })
	if left, set := c.left[node]; set && left >= 0 && counted {
		in.Left[moved] = left
	}
	in.Silent = c.silent
	for _, node := range c.answered {
		in.Answered = append(in.Answered, address4(node))
	}
	for _, off := range c.off {
		in.Unreachable = append(in.Unreachable, address4(off))
	}
	for _, other := range c.nodes {
		if other != node && !c.away[other] && !c.dead[other] {
			peer := Peer{Vias: vias(address4(other)), Complete: true, PassesOn: !c.unable[other], Only: c.only[other]}
			if c.said[other] {
				peer.Left = []netip.Addr{moved}
			}
			if c.partial[other] {
				peer = Peer{Vias: peer.Vias, Partial: true}
			}
			in.Peers[other] = peer
		}
	}
	return in
}

// way is where a packet goes that comes in by a node and that nobody knows.
func (c *cluster) way(t interface{ Fatalf(string, ...any) }, in string) []string {
	way, left := []string{in}, MaxMembers
	for {
		passages := c.last[way[len(way)-1]].Plan.Passages
		if len(passages) == 0 || c.unable[way[len(way)-1]] && c.only[way[len(way)-1]] != lb.FamilyOf(moved) {
			return way
		}
		if left = min(left, passages[0].Hops); left == 0 {
			return way
		}
		left--
		i := slices.IndexFunc(c.nodes, func(node string) bool { return address4(node) == passages[0].Via })
		if i >= 0 && c.nodes[i] == in {
			return way // Where views differ for a moment it may come back to where it came in, which is as if nobody had passed it on.
		}
		if i < 0 || slices.Contains(way, c.nodes[i]) {
			t.Fatalf("from %v a packet goes on to %s", way, passages[0].Via)
		}
		way = append(way, c.nodes[i])
	}
}

func (c *cluster) expectWay(t *testing.T, what string, want ...string) {
	t.Helper()
	if got := c.way(t, want[0]); !slices.Equal(got, want) {
		t.Errorf("%s: the way is %v, not %v", what, got, want)
	}
}

func TestMemory_OneHolder(t *testing.T) {
	for _, test := range []struct {
		name string
		do   func(c *cluster)
		want []string
	}{
		{"an address that never moved is not passed on", func(*cluster) {}, []string{"n1"}},
		{"the new holder passes on to the former one", func(c *cluster) { c.hold("n2") }, []string{"n2", "n1"}},
		{"two moves make a way of three", func(c *cluster) { c.hold("n2"); c.hold("n3") }, []string{"n3", "n1", "n2"}},
		{"back at the first, the second is asked", func(c *cluster) { c.hold("n2"); c.hold("n1") }, []string{"n1", "n2"}},
		{"to and fro keeps all three", func(c *cluster) { c.hold("n2"); c.hold("n3"); c.hold("n2") }, []string{"n2", "n3", "n1"}},
		{"nobody holds it for a while", func(c *cluster) { c.hold(); c.after(time.Second); c.hold("n3") }, []string{"n3", "n1"}},
		{"a former that has crashed is left out", func(c *cluster) { c.hold("n2"); c.dead["n1"] = true; c.hold("n2") }, []string{"n2"}},
		{"a holder that has crashed is no former", func(c *cluster) { c.dead["n1"] = true; c.hold("n2") }, []string{"n2"}},
		{"a former whose speaker restarts stays", func(c *cluster) { c.hold("n2"); c.away["n1"] = true; c.after(time.Minute) }, []string{"n2", "n1"}},
		{"a former that is switched off is left out", func(c *cluster) { c.hold("n2"); c.away["n1"] = true; c.off = []string{"n1"}; c.hold("n2") }, []string{"n2"}},
		{"and so is one in the middle, others behind it are asked", func(c *cluster) {
			c.hold("n2")
			c.hold("n3")
			c.away["n1"], c.off = true, []string{"n1"}
			c.hold("n3")
		}, []string{"n3", "n2"}},
		{"one that boots is not asked before its speaker is back", func(c *cluster) {
			c.hold("n2")
			c.away["n1"], c.off = true, []string{"n1"}
			c.hold("n2")
			c.after(lostDelay)
			c.off = nil
			c.after(time.Second)
		}, []string{"n2"}},
		{"one whose speaker restarts while it does not answer for a moment is asked again", func(c *cluster) {
			c.hold("n2")
			c.away["n1"], c.off = true, []string{"n1"}
			c.hold("n2")
			c.after(lostDelay - 1)
			c.off = nil
			c.after(time.Second)
			c.off = []string{"n1"}
			c.after(time.Second)
			c.off = nil
			c.after(time.Second)
		}, []string{"n2", "n1"}},
		{"one that lives and does not answer is left out", func(c *cluster) { c.hold("n2"); c.hold("n3"); c.off = []string{"n1"}; c.hold("n3") }, []string{"n3", "n2"}},
		{"until it answers", func(c *cluster) { c.hold("n2"); c.off = []string{"n1"}; c.hold("n2"); c.off = nil; c.hold("n2") }, []string{"n2", "n1"}},
		{"one that does not pass on comes last", func(c *cluster) { c.hold("n2"); c.unable["n1"] = true; c.hold("n3") }, []string{"n3", "n2", "n1"}},
		{"of two that do not the first is asked", func(c *cluster) {
			c.hold("n2")
			c.unable["n1"], c.unable["n2"] = true, true
			c.hold("n3")
		}, []string{"n3", "n1"}},
		{"it ends with the last connection", func(c *cluster) { c.hold("n2"); c.left["n1"] = 0; c.after(settleTime) }, []string{"n2"}},
		{"not before the former has counted", func(c *cluster) { c.hold("n2"); c.after(settleTime) }, []string{"n2", "n1"}},
		{"not while late ones may come", func(c *cluster) { c.hold("n2"); c.left["n1"] = 0; c.after(settleTime - 1) }, []string{"n2", "n1"}},
		{"one connection is enough", func(c *cluster) { c.hold("n2"); c.left["n1"] = 1; c.after(draining - 1) }, []string{"n2", "n1"}},
		{"after connectionDraining it ends", func(c *cluster) { c.hold("n2"); c.left["n1"] = 1; c.after(draining) }, []string{"n2"}},
		{"and does not begin again", func(c *cluster) { c.hold("n2"); c.left["n1"] = 1; c.after(draining); c.after(time.Second) }, []string{"n2"}},
		{"0 is none", func(c *cluster) { c.draining = 0; c.hold("n2") }, []string{"n2"}},
		{"0 ends what runs", func(c *cluster) { c.hold("n2"); c.draining = 0; c.hold("n2") }, []string{"n2"}},
		{"a middle node without connections is left out", func(c *cluster) {
			c.hold("n2")
			c.hold("n3")
			c.left["n2"], c.left["n1"] = 0, 5
			c.after(settleTime)
		}, []string{"n3", "n1"}},
		{"a new holder that knows nothing hears it from the former", func(c *cluster) {
			c.hold("n2")
			c.memories["n3"] = &Memory{}
			c.hold("n3")
		}, []string{"n3", "n1", "n2"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCluster("n1", "n2", "n3")
			c.hold("n1")
			test.do(c)
			c.expectWay(t, test.name, test.want...)
		})
	}
}

// A client, or a switch, that has not heard of the move yet sends to one that held the address before.
func TestMemory_AFormerPassesOnToTheHolder(t *testing.T) {
	c := newCluster("n1", "n2", "n3")
	c.hold("n1")
	c.hold("n2")
	c.hold("n1")
	c.expectWay(t, "it moved back", "n2", "n1")
	c.hold("n3")
	c.expectWay(t, "the last one on the way", "n2", "n3", "n1")
	c.expectWay(t, "the first one", "n1", "n2", "n3")
	c.unable["n1"] = true
	c.hold("n3")
	c.expectWay(t, "who does not pass on is the last", "n3", "n2", "n1")
	c.unable["n1"], c.unable["n3"] = false, true
	c.hold("n3")
	c.expectWay(t, "the holder does not pass on", "n2", "n1")
}

// While nobody holds an address, those that it moved away from pass on as before: the next holder may begin before they know it.
func TestMemory_WithoutAHolderTheWaysGoOn(t *testing.T) {
	for _, test := range []struct {
		name string
		do   func(c *cluster)
		want []string
	}{
		{"the holder has crashed", func(c *cluster) { c.dead["n1"] = true; c.hold() }, []string{"n2", "n3"}},
		{"it is silent", func(c *cluster) { c.hold() }, []string{"n2", "n3"}},
		{"the way ended here", func(c *cluster) { c.dead["n1"] = true; c.hold() }, []string{"n3"}},
		{"the next one has crashed, too", func(c *cluster) { c.dead["n1"], c.dead["n3"] = true, true; c.hold() }, []string{"n2"}},
		{"the next one has none left", func(c *cluster) { c.left["n3"] = 0; c.after(settleTime); c.dead["n1"] = true; c.hold() }, []string{"n2"}},
		{"the time is up", func(c *cluster) { c.dead["n1"] = true; c.hold(); c.after(draining) }, []string{"n2"}},
		{"several held it last", func(c *cluster) { c.hold("n1", "n4"); c.hold() }, []string{"n2"}},
	} {
		c := newCluster("n1", "n2", "n3", "n4")
		c.hold("n3")
		c.hold("n2")
		c.hold("n1")
		test.do(c)
		c.expectWay(t, test.name, test.want...)
	}
}

func TestMemory_AFormerCountsUntilItHasNone(t *testing.T) {
	c := newCluster("n1", "n2")
	c.hold("n1")
	counted := func() bool { return slices.Contains(addrsOf(c.last["n1"].Plan.Counted), moved) }
	if counted() || c.said["n1"] {
		t.Error("the holder counts")
	}
	c.hold("n2")
	if !counted() || !c.said["n1"] || !slices.Equal(c.last["n1"].Until, []time.Time{start.Add(draining)}) {
		t.Errorf("after the move: %+v", c.last["n1"])
	}
	if c.last["n1"].Wait != settleTime || c.last["n2"].Wait != settleTime {
		t.Errorf("wait %s and %s", c.last["n1"].Wait, c.last["n2"].Wait)
	}
	c.left["n1"] = 7
	c.after(time.Minute)
	if !counted() || !c.said["n1"] || c.last["n1"].Wait != draining-time.Minute {
		t.Errorf("with connections: %+v", c.last["n1"])
	}
	c.left["n1"] = 0
	c.after(time.Second)
	if counted() || c.said["n1"] {
		t.Error("it counts though nothing is left")
	}
}

func TestMemory_ASpeakerThatRestartsFindsWhatItCounted(t *testing.T) {
	c := newCluster("n1", "n2")
	c.hold("n2")
	in := c.input("n1")
	in.Found = []Counted{{moved, time.Minute}}
	if d := new(Memory).Next(in); !reflect.DeepEqual(d.Plan.Counted, in.Found) || !reflect.DeepEqual(d.Left, []netip.Addr{moved}) {
		t.Errorf("decided %+v", d)
	}
	late := Memory{}
	late.Next(c.input("n1"))
	if d := late.Next(in); !reflect.DeepEqual(d.Plan.Counted, in.Found) {
		t.Errorf("told in the second pass, it decided %+v", d)
	}
	if d := new(Memory).Next(c.input("n1")); len(d.Plan.Counted) != 0 {
		t.Errorf("without, decided %+v", d)
	}
}

// A former that does not say how many it has, as one of an earlier version, counts until the time is up.
func TestMemory_AnEarlierVersionIsPassedOnTo(t *testing.T) {
	m, now := Memory{}, start
	next := func(holder string) int {
		return len(m.Next(Input{
			Now: now, Node: "n2", Addresses: []Address{{Addr: moved, Holders: []string{holder}, Draining: draining}}, Dead: func(string) bool { return false },
			Peers: map[string]Peer{"n1": {Vias: vias(address4("n1"))}},
		}).Plan.Passages)
	}
	next("n1")
	now = now.Add(time.Second)
	next("n2")
	now = now.Add(draining - time.Second)
	if next("n2") != 1 {
		t.Error("not passed on any more")
	}
	now = now.Add(time.Second)
	if next("n2") != 0 {
		t.Error("still passed on")
	}
}

// A node that does not answer on one segment is not lost while packets go on to it on another.
func TestMemory_ANodeIsLostWhenItAnswersNowhere(t *testing.T) {
	first, second := netip.MustParseAddr("192.0.2.11"), netip.MustParseAddr("198.51.100.11")
	peer := Peer{Vias: append(vias(first), Via{netip.PrefixFrom(second, 24), []string{"eth1"}}), Left: []netip.Addr{moved}, Complete: true, PassesOn: true}
	for _, test := range []struct {
		name string
		off  []netip.Addr
		back netip.Addr
	}{
		{"the other segment does not answer", []netip.Addr{second}, first},
		{"the first does not", []netip.Addr{first}, first},
		{"none does", []netip.Addr{first, second}, netip.Addr{}},
	} {
		m := &Memory{}
		in := Input{
			Now: start, Node: "n2", Dead: func(string) bool { return false }, Peers: map[string]Peer{"n1": peer},
			Addresses: []Address{{Addr: moved, Holders: []string{"n1"}, Draining: draining}},
		}
		m.Next(in)
		in.Addresses[0].Holders = []string{"n2"}
		m.Next(in)
		in.Peers, in.Unreachable = nil, test.off
		for pass := range 3 { // the second address is asked only when the first does not answer
			d := m.Next(in)
			if pass == 0 && len(test.off) == 2 && (d.Wait <= 0 || d.Wait > lostDelay) {
				t.Errorf("%s: again in %s", test.name, d.Wait)
			}
			in.Now = in.Now.Add(lostDelay)
		}
		in.Unreachable = nil
		var via netip.Addr
		if d := m.Next(in); len(d.Plan.Passages) > 0 {
			via = d.Plan.Passages[0].Via
		}
		if via != test.back {
			t.Errorf("%s: when all answer, packets go on to %v", test.name, via)
		}
	}
}

// Strict rp_filter drops what comes in by another interface than the one to the client, so packets stay on the segment that they came by.
func TestPeer_PacketsStayOnTheirSegment(t *testing.T) {
	near, far, six := vias(address4("n1"))[0], Via{netip.MustParsePrefix("198.51.100.1/24"), []string{"eth1"}}, Via{netip.MustParsePrefix("2001:db8::1/64"), []string{"eth0"}}
	for _, test := range []struct {
		name  string
		vias  []Via
		links []string
		off   []netip.Addr
		want  netip.Addr
	}{
		{"the address's own subnet comes first", []Via{far, near}, []string{"eth0", "eth1"}, nil, near.Prefix.Addr()},
		{"by BGP, too", []Via{far, near}, nil, nil, near.Prefix.Addr()},
		{"else where it is announced", []Via{near, far}, []string{"eth1"}, nil, far.Prefix.Addr()},
		{"never by another segment", []Via{near}, []string{"eth1"}, nil, netip.Addr{}},
		{"what does not answer is left out", []Via{near, far}, nil, []netip.Addr{near.Prefix.Addr()}, far.Prefix.Addr()},
		{"by the family of the address", []Via{six, near}, nil, nil, near.Prefix.Addr()},
	} {
		peer := Peer{Vias: test.vias}
		if got := peer.via(&Address{Addr: moved, Links: test.links}, &Input{Unreachable: test.off}); got != test.want {
			t.Errorf("%s: %s, not %s", test.name, got, test.want)
		}
	}
}

// Whatever happens: where the views agree, a packet visits every member once, and as many as it may; and there is no passage where
// nothing has changed for the time.
func TestMemory_EveryMemberIsVisitedOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := []string{"n1", "n2", "n3", "n4", "n5"}
		c := newCluster(nodes...)
		node := rapid.SampledFrom(nodes)
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			switch n := node.Draw(t, "node"); rapid.IntRange(0, 5).Draw(t, "what") {
			case 0, 1:
				c.hold(living(c, n)...)
			case 2:
				c.hold(living(c, n, node.Draw(t, "second"), node.Draw(t, "third"))...)
			case 3:
				c.after(time.Duration(rapid.IntRange(0, 400).Draw(t, "seconds")) * time.Second)
			case 4:
				c.left[n] = rapid.IntRange(-1, 2).Draw(t, "left")
				c.after(time.Second)
			case 5:
				c.dead[n] = !c.dead[n]
				if c.dead[n] {
					c.said[n] = false
				} else {
					c.memories[n] = &Memory{}
				}
				c.hold(living(c, c.holders...)...)
			}
			for _, holder := range c.holders {
				way := c.way(t, holder)
				for _, visited := range way[1:] {
					if c.dead[visited] {
						t.Fatalf("the way %v leads by %s, which is dead", way, visited)
					}
				}
				for _, n := range c.nodes {
					if len(c.holders) == 1 && !c.dead[n] && n != holder && len(c.last[n].Plan.Counted) > 0 && !slices.Contains(way, n) {
						t.Fatalf("%s counts connections, and the way %v does not lead by it", n, way)
					}
				}
			}
		}
		c.after(draining)
		c.after(draining)
		for _, n := range nodes {
			if d := c.last[n]; !c.dead[n] && (len(d.Plan.Passages) > 0 || len(d.Plan.Counted) > 0) {
				t.Fatalf("long after, %s still has %+v", n, d.Plan)
			}
		}
	})
}

// living are those of some nodes that live, sorted.
func living(c *cluster, nodes ...string) []string {
	slices.Sort(nodes)
	return slices.DeleteFunc(slices.Compact(slices.Clone(nodes)), func(n string) bool { return c.dead[n] })
}

// BenchmarkMemory_Quiet is what a pass costs in which nothing has moved.
func BenchmarkMemory_Quiet(b *testing.B) {
	in := Input{Now: start, Node: "n0", Peers: map[string]Peer{}, Dead: func(string) bool { return false }}
	for i := range 100 {
		in.Peers[fmt.Sprint("n", i)] = Peer{Vias: vias(moved), Complete: true}
	}
	for i := range 10_000 {
		in.Addresses = append(in.Addresses, Address{Addr: netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)}), Holders: []string{"n0"}, Draining: draining})
	}
	m := Memory{}
	for b.Loop() {
		m.Next(in)
	}
}

// addrsOf are the addresses that are counted.
func addrsOf(counted []Counted) (addrs []netip.Addr) {
	for _, c := range counted {
		addrs = append(addrs, c.Addr)
	}
	return addrs
}
