package announce

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// What an Elector remembers by a segment's number would else be held against the nodes of another segment.
func TestComputer_SegmentKeepsItsNumber(t *testing.T) {
	link := func(name, address string) lb.Link {
		l := linkWith(name, address)
		l.Up = true
		return l
	}
	eth0, eth1, eth2 := link("eth0", "192.0.2.201/29"), link("eth1", "192.0.2.209/29"), link("eth2", "192.0.2.217/29")
	w := cluster()
	w.Reading, w.Node = 1, "n1"
	second := w.add("second", "192.0.2.210", everyNode...)
	third := w.add("third", "192.0.2.218", everyNode...)
	setLinks := func(links ...lb.Link) {
		w.OwnLinks, w.Links = links, map[string][]lb.Link{"n1": links, "n2": {eth0, eth1, eth2}, "n3": {eth0, eth1, eth2}}
	}
	setLinks(eth1, eth2)
	computer := &Computer{}
	number := func(s *lb.Service) int {
		for _, c := range computer.Compute(w).Contests {
			if c.Addr == s.Ingress[0] {
				return c.Segment
			}
		}
		t.Fatalf("%s is not contested", s.Key)
		return 0
	}
	of2, of3 := number(second), number(third)
	if of2 == 0 || of3 == 0 || of2 == of3 {
		t.Fatalf("the segments have the numbers %d and %d", of2, of3)
	}
	expect := func(after string) {
		t.Helper()
		if got2, got3 := number(second), number(third); got2 != of2 || got3 != of3 {
			t.Errorf("%s: the segments had the numbers %d and %d and have %d and %d", after, of2, of3, got2, got3)
		}
	}

	setLinks(eth0, eth1, eth2)
	expect("an interface came that is first by name")

	first := w.add("first", "192.0.2.202", everyNode...)
	w.Reading++
	expect("an address came that is first in order")
	given := []int{of2, of3}
	if got := number(first); slices.Contains(given, got) {
		t.Errorf("the new segment has number %d, and %d were given", got, given)
	}

	given = append(given, number(first))
	setLinks(eth0, eth2)
	if got2, got3 := number(second), number(third); slices.Contains(given, got2) || got3 != of3 {
		t.Errorf("an interface went: it is as if the segments were those of %d and %d", got2, got3)
	}
	setLinks(eth0, eth1, eth2)
	expect("the interface returned")

	own := w.OwnLinks
	w.Links = map[string][]lb.Link{"n1": own, "n2": own, "n3": {eth0, link("eth1", "192.0.2.209/28"), eth2}}
	expect("another node has another mask")

	w.Members.Known = false
	if contests := computer.Compute(w).Contests; len(contests) > 0 {
		t.Fatal("there are contests without members")
	}
	w.Members.Known = true
	expect("the members were unknown for a while")

	w.Services = slices.DeleteFunc(w.Services, func(s *lb.Service) bool { return s == first })
	w.Reading++
	expect("an address went")

	eth1.Addresses = []netip.Prefix{netip.MustParsePrefix("192.0.2.211/29")}
	setLinks(eth0, eth1, eth2)
	expect("an interface has another address there")
}
