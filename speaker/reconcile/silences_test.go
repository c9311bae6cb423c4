package reconcile

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/speaker/gossip"
	"github.com/daymark-lb/daymark/speaker/layer2"
)

// TestLoop_ASilentHolderIsAskedOnTheSegment: n2 holds the address and is silent in the gossip.
func TestLoop_ASilentHolderIsAskedOnTheSegment(t *testing.T) {
	inTime(t, func(t *testing.T, f *fixture) {
		f.addNode()
		f.gossip.view.Claims.Learn(election.Claim{Addr: vip, Node: "n2", Incarnation: 1, Term: 9, Announced: true})
		f.gossip.view.Suspects = []string{"n2"}
		f.pass(t)
		if len(f.layer2.asked) != 1 || f.layer2.asked[0].Question != (election.Question{Node: "n2", Addr: vip}) || len(f.layer2.asked[0].Paths) != 0 {
			t.Fatalf("while it is suspected, asked are %+v; n2 has our own MAC here, so there is no path", f.layer2.asked)
		}
		other := links()
		other[0].MAC = "02:00:00:00:00:02"
		f.gossip.view.Suspects, f.gossip.view.Alive = nil, []string{"n1"}
		f.gossip.view.Silent = map[string]gossip.Peer{"n2": {Incarnation: 1, LastHeard: time.Now(), StateKnown: true, State: gossip.State{Known: true, Links: other}}}
		delete(f.gossip.view.Peers, "n2")
		f.pass(t)
		if len(f.layer2.asked) != 1 || len(f.layer2.asked[0].Paths) != 1 || f.layer2.asked[0].Paths[0].MAC != other[0].MAC {
			t.Fatalf("asked are %+v", f.layer2.asked)
		}
		f.layer2.answers = map[election.Question]election.Answer{f.layer2.asked[0].Question: election.Answered}
		for range 10 {
			f.pass(t)
			time.Sleep(time.Second)
		}
		const text = "n2 does not answer the gossip but answers ARP for 192.0.2.200: is port 7946 blocked?"
		if got := f.reporter.newest.conditions[1].Message; len(f.layer2.desired) > 0 || !strings.Contains(got, text) {
			t.Errorf("held are %v, and the condition says %q", f.layer2.desired, got)
		}
		f.layer2.answers[f.layer2.asked[0].Question] = election.NoAnswer
		f.pass(t)
		if got := f.reporter.newest.conditions[1].Message; len(f.layer2.desired) != 1 || strings.Contains(got, text) {
			t.Errorf("without an answer, held are %v, and the condition says %q", f.layer2.desired, got)
		}
		f.gossip.view.Claims.Learn(election.Claim{Addr: vip, Node: "n2", Incarnation: 1, Term: 99, Announced: true})
		f.pass(t) // n2 has answered again, and has the address back until it misses another question
		if len(f.layer2.desired) != 1 || len(f.layer2.failedOver) > 0 {
			t.Errorf("held are %v; n2 answered until now, and is told to have been silent since %v", f.layer2.desired, f.layer2.failedOver)
		}
	})
}

func TestLoop_OfTwoHoldersOneGoesOn(t *testing.T) {
	inTime(t, func(t *testing.T, f *fixture) {
		f.addNode()
		f.gossip.view.Claims.Learn(election.Claim{Addr: vip, Node: "n1", Incarnation: 1, Term: 9, Announced: true})
		f.pass(t)
		f.gossip.view.Alive, f.gossip.view.Silent = []string{"n1"}, map[string]gossip.Peer{"n2": f.gossip.view.Peers["n2"]}
		f.layer2.held = []layer2.Held{{Addr: vip}}
		f.layer2.rivals = []election.Rival{{Addr: vip, Node: "n2", Since: time.Now(), Last: time.Now()}}
		f.layer2.answers = map[election.Question]election.Answer{{Node: "n2", Addr: vip}: election.Answered}
		f.pass(t)
		wins := (election.Claim{Addr: vip, Node: "n1"}).Beats(election.Claim{Addr: vip, Node: "n2"})
		if defended := len(f.layer2.defended) == 1; len(f.layer2.asked) != 1 || defended != wins || (len(f.layer2.desired) == 1) != wins {
			t.Errorf("n1 is to win: %t; it defends %v, holds %v, asks %v", wins, f.layer2.defended, f.layer2.desired, f.layer2.asked)
		}
	})
}

// n2 has left, and is back beyond a cut of the gossip: it is neither alive nor silent.
func TestLoop_OfAHolderAndOneThatIsBackOneGoesOn(t *testing.T) {
	inTime(t, func(t *testing.T, f *fixture) {
		f.addNode()
		f.gossip.view.Peers["n2"].State.Links[0].MAC = "02:00:00:00:00:02"
		f.gossip.view.Claims.Learn(election.Claim{Addr: vip, Node: "n1", Incarnation: 1, Term: 9, Announced: true})
		f.pass(t)
		f.removeNode()
		f.layer2.held = []layer2.Held{{Addr: vip}}
		f.pass(t)
		back := time.Now()
		time.Sleep(2 * time.Second)
		f.layer2.rivals = []election.Rival{{Addr: vip, Node: "n2", Since: back, Last: time.Now(), HeldSince: back, Held: time.Now()}}
		f.pass(t)
		q := election.Question{Node: "n2", Addr: vip}
		if len(f.layer2.asked) != 1 || f.layer2.asked[0].Question != q || len(f.layer2.asked[0].Paths) != 1 || f.layer2.asked[0].Paths[0].MAC != "02:00:00:00:00:02" {
			t.Fatalf("asked are %+v", f.layer2.asked)
		}
		f.layer2.answers = map[election.Question]election.Answer{q: election.Answered}
		f.pass(t)
		wins := (election.Claim{Addr: vip, Node: "n1"}).Beats(election.Claim{Addr: vip, Node: "n2"})
		if defended := len(f.layer2.defended) == 1; defended != wins || (len(f.layer2.desired) == 1) != wins {
			t.Errorf("n1 is to win: %t; it defends %v, and holds %v", wins, f.layer2.defended, f.layer2.desired)
		}
	})
}

func TestSilences_KeepTheAddressTheyWereFoundBy(t *testing.T) {
	var s silences
	first := []election.Silence{{Node: "n2", Addr: vip}}
	if !s.update(first, 7946) || s.update([]election.Silence{{Node: "n2", Addr: vip.Next()}}, 7946) {
		t.Error("news is not what it should be")
	}
	if got := s.texts(); len(got) != 1 || !strings.Contains(got[0], vip.String()+":") {
		t.Errorf("texts %q", got)
	}
	if both := append(first, election.Silence{Node: "n1", Addr: vip}); !s.update(both, 7946) || !slices.IsSorted(s.texts()) || len(s) != 2 {
		t.Errorf("texts %q", s.texts())
	}
	if !s.update(nil, 7946) || len(s.texts()) != 0 {
		t.Errorf("in the end, texts %q", s.texts())
	}
}
