package layer2

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

// TestResponder_SearchFindsTheOtherHolder: two nodes hold the same addresses, as after a cut of the segment and of the gossip. Both
// announcements were before they were connected again.
func TestResponder_SearchFindsTheOtherHolder(t *testing.T) {
	s := newSegment(t, "near0")
	s.host.Run(t, "ip", "link", "set", s.far, "arp", "off")
	a, b := begin(t, Config{}), begin(t, Config{})
	a.UpdateClusterMACs([]announce.NodeMAC{{MAC: s.farMAC(t).String(), Node: "n2", Interface: "far0"}})
	b.UpdateClusterMACs([]announce.NodeMAC{{MAC: s.mac(t).String(), Node: "n1", Interface: "near0"}})
	s.host.Do(t, func() { mustSet(t, b, on([]string{"far0"}, vip4, vip6)) })
	netnstest.Eventually(t, "all is announced on the other side", func() error { return announcedOften(b, 4) })
	mustSet(t, a, on([]string{"near0"}, vip4, vip6))
	netnstest.Eventually(t, "all is announced here", func() error { return announcedOften(a, 4) })
	rivals := func(r *Responder, of string) error {
		var known []netip.Addr
		for _, rival := range r.Rivals() {
			if rival.Node == of && time.Since(rival.Last) < time.Second {
				known = append(known, rival.Addr)
			}
		}
		if !slices.Equal(known, []netip.Addr{vip4, vip6}) {
			return fmt.Errorf("%s is heard to use %v", of, known)
		}
		return nil
	}
	netnstest.Eventually(t, "each forgets the other's announcements", func() error {
		if len(a.Rivals())+len(b.Rivals()) > 0 {
			return fmt.Errorf("rivals %v and %v", a.Rivals(), b.Rivals())
		}
		return nil
	})
	a.Search([]election.Search{{Addr: vip4, Interval: time.Second}, {Addr: vip6, Interval: time.Second}})
	netnstest.Eventually(t, "who searches hears who answers", func() error { return rivals(a, "n2") })
	netnstest.Eventually(t, "who answers hears who searches", func() error { return rivals(b, "n1") })
	a.Search(nil)
	if due, wait := a.searcher.next(time.Now().Add(time.Hour)); len(due) > 0 || wait < time.Minute {
		t.Errorf("nothing is searched for, and %v is due, in %v", due, wait)
	}
}

// TestResponder_SearchFindsTheHolderOfWhatIsNotHeld: a node that asks for the holder of addresses searches for them as well. Each hears
// the other one, though nothing is held here.
func TestResponder_SearchFindsTheHolderOfWhatIsNotHeld(t *testing.T) {
	s := newSegment(t, "near0")
	s.host.Run(t, "ip", "link", "set", s.far, "arp", "off")
	a, b := begin(t, Config{}), begin(t, Config{})
	a.UpdateClusterMACs([]announce.NodeMAC{{MAC: s.farMAC(t).String(), Node: "n2", Interface: "far0"}})
	b.UpdateClusterMACs([]announce.NodeMAC{{MAC: s.mac(t).String(), Node: "n1", Interface: "near0"}})
	s.host.Do(t, func() { mustSet(t, b, on([]string{"far0"}, vip4, vip6)) })
	heard := func(r *Responder, of string, addresses ...netip.Addr) func() error {
		return func() error {
			var known []netip.Addr
			for _, rival := range r.Rivals() {
				if rival.Node == of {
					known = append(known, rival.Addr)
				}
			}
			if !slices.Equal(known, addresses) {
				return fmt.Errorf("%s is heard to use %v", of, known)
			}
			return nil
		}
	}
	var questions []announce.Layer2Question
	var searches []election.Search
	for _, addr := range []netip.Addr{vip4, vip6} {
		searches = append(searches, election.Search{Addr: addr, Interval: 100 * time.Millisecond})
		questions = append(questions, announce.Layer2Question{
			Question: election.Question{Node: "n2", Addr: addr},
			Paths:    []announce.Layer2Path{{Interface: "near0", MAC: s.farMAC(t).String(), Source: ourLinkLocal}},
		})
	}
	a.Search(searches[:1]) // Without a question there is no interface to search on.
	a.Ask(questions)
	netnstest.Eventually(t, "who searches hears who answers", heard(a, "n2", vip4))
	netnstest.Eventually(t, "who answers hears who searches", heard(b, "n1", vip4))
	a.Search(searches)
	netnstest.Eventually(t, "and so with both addresses", heard(a, "n2", vip4, vip6))
	netnstest.Eventually(t, "on both sides", heard(b, "n1", vip4, vip6))
	if conflicts := a.Conflicts(); len(conflicts) > 0 {
		t.Errorf("what is not held here is in conflict: %+v", conflicts)
	}
	a.Search(nil)
	if rivals := a.Rivals(); len(rivals) > 0 {
		t.Errorf("rivals about addresses that are of no interest: %+v", rivals)
	}
}

// announcedOften reports whether a Responder has sent all the first announcements of its addresses.
func announcedOften(r *Responder, times int) error {
	r.announcer.mu.Lock()
	defer r.announcer.mu.Unlock()
	for _, turns := range r.announcer.schedules {
		for addr, turn := range turns {
			if turn.sent < times {
				return fmt.Errorf("%v was announced %d times", addr, turn.sent)
			}
		}
	}
	return nil
}

func TestSearcher_AsksLessOftenAfterSomeMinutes(t *testing.T) {
	begins, s := time.Unix(1e9, 0), newSearcher()
	s.jitter = func() float64 { return 0.5 }
	s.set(begins, []election.Search{{Addr: vip4, Interval: time.Second}, {Addr: vip6, Interval: 30 * time.Second}})
	asked := map[netip.Addr]int{}
	run := func(from, to time.Duration) map[netip.Addr]int {
		clear(asked)
		for at := from; at < to; {
			due, wait := s.next(begins.Add(at))
			for _, addr := range due {
				asked[addr]++
			}
			at += max(wait, time.Millisecond)
		}
		return asked
	}
	if got := run(0, searchedClosely); got[vip4] != 120 || got[vip6] != 4 {
		t.Errorf("asked %v at first", got)
	}
	if got := run(searchedClosely, 2*searchedClosely); got[vip4] > 13 || got[vip4] < 11 || got[vip6] != 4 {
		t.Errorf("asked %v later", got)
	}
}
