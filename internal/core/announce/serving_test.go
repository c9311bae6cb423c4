package announce

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/shares"
)

// TestContests_AreSharedWhenAllTheirAdvertisementsSaySo and when nobody has to be asked who does not understand it.
func TestContests_AreSharedWhenAllTheirAdvertisementsSaySo(t *testing.T) {
	for _, test := range []struct {
		name   string
		first  bool
		second *bool
		want   bool
	}{
		{"no advertisement says so", false, nil, false},
		{"the only one does", true, nil, true},
		{"one of two does", true, new(bool), false},
		{"both do", true, func() *bool { yes := true; return &yes }(), true},
	} {
		w := cluster()
		w.add("web", "192.0.2.200", "n1")
		w.L2Advertisements[0].Shared = test.first
		if test.second != nil {
			second := *w.L2Advertisements[0]
			second.Name, second.Shared = "second", *test.second
			w.L2Advertisements = append(w.L2Advertisements, &second)
		}
		plan := Compute(w)
		if len(plan.Contests) == 0 || plan.Contests[0].Shared != test.want || plan.ElectionContests()[0].Shared != test.want {
			t.Errorf("%s: shared is not %v", test.name, test.want)
		}
		text := NewExplainer(w).Explain(w.Services[0]).Message
		if got := strings.Contains(text, ", each client of the segment by one of up to 8 nodes; a router is one client"); got != test.want {
			t.Errorf("%s: the condition says %s", test.name, text)
		}
		disagree := test.second != nil && *test.second != test.first
		if got := strings.Contains(text, "not all of these advertisements say sharing: PerClient"); got != disagree {
			t.Errorf("%s: the condition says %s", test.name, text)
		}
		if got := plan.Unshare(); got != test.want || plan.Contests[0].Shared {
			t.Errorf("%s: taken back %v", test.name, got)
		}
	}
}

// TestContests_UnderLocalTheNodesWithEndpointsShare and the condition says so.
func TestContests_UnderLocalTheNodesWithEndpointsShare(t *testing.T) {
	w := cluster()
	s := w.add("web", "192.0.2.200", "n1", "n3")
	w.L2Advertisements[0].Shared, s.Local = true, true
	want := func(nodes ...string) {
		t.Helper()
		contest, got := Compute(w).Contests[0], []string{}
		for _, c := range contest.Group.Candidates() {
			got = append(got, c.Node)
		}
		if !contest.Shared || !slices.Equal(got, nodes) {
			t.Errorf("shared %v by %v, want %v", contest.Shared, got, nodes)
		}
	}
	want("n1", "n3")
	explanation := NewExplainer(w).Explain(s)
	if says := ", each client of the segment by one of up to 8 nodes with ready endpoints; a router is one client"; !strings.Contains(explanation.Message, says) {
		t.Errorf("the condition says %s", explanation.Message)
	}
	w.endpoints(s, "n3")
	want("n3")
	s.Local = false
	want("n1", "n2", "n3")
}

// TestLayer2Addresses_OfASharedAddress says what each node answers, in order of address, and how to reach the others.
func TestLayer2Addresses_OfASharedAddress(t *testing.T) {
	addr := func(last byte) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, last}) }
	plan := &Plan{}
	for last := range byte(5) {
		c := Contest{Contest: election.Contest{Addr: addr(last), Shared: last < 3}, Answering: &Answering{Interfaces: []string{"eth0"}}}
		plan.Contests = append(plan.Contests, c)
	}
	table := shares.Divide(shares.Table{}, []string{"n1", "n2", "n3"})
	decision := &election.Decision{
		Hold:  []election.Hold{{Addr: addr(0), First: true}, {Addr: addr(2), Shares: table}, {Addr: addr(4), OnTrial: true}},
		Serve: []election.Service{{Addr: addr(1), Shares: table, Holder: "n2"}, {Addr: addr(3), Shares: table}},
	}
	ways := &Ways{
		Node: "n1", Own: []lb.Link{{Name: "eth0", MAC: "02:00:00:00:00:01"}},
		Links: map[string][]lb.Link{"n2": {{Name: "ens3", MAC: "02:00:00:00:00:02"}}},
	}
	got := plan.Layer2Addresses(decision, ways)
	toOthers := []Layer2Server{{"n2", []Layer2Path{{Interface: "eth0", MAC: "02:00:00:00:00:02"}}}, {"n3", nil}}
	want := []Layer2Address{
		{Addr: addr(0), Probe: true, Sharing: &Sharing{Holder: true}},
		{Addr: addr(1), Sharing: &Sharing{Table: table, Own: table.Of("n1"), HeldBy: "n2", Servers: toOthers}},
		{Addr: addr(2), Sharing: &Sharing{Table: table, Own: table.Of("n1"), Holder: true, HeldBy: "n1", Servers: toOthers}},
		{Addr: addr(3), Sharing: &Sharing{Table: table, Own: table.Of("n1"), Servers: toOthers}},
		{Addr: addr(4), OnTrial: true},
	}
	if len(got) != len(want) {
		t.Fatalf("%d addresses", len(got))
	}
	for i := range want {
		if got[i].Addr != want[i].Addr || got[i].Probe != want[i].Probe || got[i].OnTrial != want[i].OnTrial || !slices.Equal(got[i].Interfaces, []string{"eth0"}) ||
			!got[i].Sharing.Equal(want[i].Sharing) {
			t.Errorf("%d is %+v", i, got[i])
		}
	}
}

// TestSharing_DiffersInEachPart: the executor must not miss a change.
func TestSharing_DiffersInEachPart(t *testing.T) {
	table := shares.Divide(shares.Table{}, []string{"n1", "n2"})
	base := Sharing{Table: table, Own: table.Of("n1"), Servers: []Layer2Server{{"n2", nil}}}
	for i, change := range []func(s *Sharing){
		func(s *Sharing) { s.Table = shares.Table{} }, func(s *Sharing) { s.Own = 0 },
		func(s *Sharing) { s.Holder = true }, func(s *Sharing) { s.HeldBy = "n2" }, func(s *Sharing) { s.Servers = nil },
		func(s *Sharing) { s.Servers = []Layer2Server{{"n2", []Layer2Path{{Interface: "eth0"}}}} },
	} {
		changed := base
		if !changed.Equal(&base) {
			t.Fatal("equal ones differ")
		}
		if change(&changed); changed.Equal(&base) {
			t.Errorf("change %d is not seen", i)
		}
	}
}
