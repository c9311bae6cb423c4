package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/soak/wire"
)

// steps are the first of a seed.
func steps(seed uint64, only map[string]bool, count int) (all []string) {
	s := newSchedule(seed, only)
	for range count {
		all = append(all, s.next().String())
	}
	return all
}

func TestSchedule_IsTheSeeds(t *testing.T) {
	first := steps(7, nil, 100)
	if !slices.Equal(first, steps(7, nil, 100)) {
		t.Error("the same seed gives another order")
	}
	if slices.Equal(first, steps(8, nil, 100)) {
		t.Error("another seed gives the same order")
	}
	for _, step := range steps(7, map[string]bool{"deaf": true, "churn": true}, 5) {
		if !slices.Contains(first, step) {
			t.Errorf("%s is none of all", step)
		}
	}
}

func TestSchedule_TriesEachKindInEveryRound(t *testing.T) {
	s := newSchedule(1, nil)
	without := 0
	for range 20 {
		tried := map[string]bool{}
		for range kinds {
			step := s.next()
			tried[step.kind.name] = true
			if step.noAPI {
				without++
			}
			if step.noAPI && step.kind.alone || step.lasts < max(shortest, step.kind.atLeast) || step.lasts > max(longest, step.kind.atLeast) {
				t.Errorf("%s", step)
			}
		}
		if len(tried) != len(kinds) {
			t.Errorf("only %d kinds in a round: %v", len(tried), tried)
		}
	}
	if all := 20 * len(kinds); without < all/10 || without > all/3 {
		t.Errorf("%d of %d without an API server", without, all)
	}
}

func TestParse_RefusesWhatItDoesNotKnow(t *testing.T) {
	for _, arguments := range [][]string{{"-hours", "0"}, {"-only", "flood"}, {"more"}, {"-nothing"}} {
		if _, status, err := parse(arguments); status != 2 || err == nil {
			t.Errorf("%v: status %d, error %v", arguments, status, err)
		}
	}
	s, status, err := parse([]string{"-hours=0.1", "-seed=3", "-only=deaf, mute"})
	if status != 0 || err != nil || s.lasts != 6*time.Minute || s.seed != 3 || !reflect.DeepEqual(s.only, map[string]bool{"deaf": true, "mute": true}) {
		t.Errorf("%+v, %d, %v", s, status, err)
	}
}

// answered plays questions for an address, one each 100 ms; each word is who answers one.
func answered(words ...string) wire.Answers {
	a, client := wire.Answers{}, net.HardwareAddr{2, 0, 0, 0, 0, 9}
	for i, word := range words {
		frame := wire.Frame{At: time.Unix(0, 0).Add(time.Duration(i) * 100 * time.Millisecond)}
		a.Add(wire.Said{Frame: frame, Kind: wire.Question, Address: firstNear, By: client}, client, nil)
		for _, digit := range word {
			by := func(net.HardwareAddr) string { return "n" + string(digit) }
			a.Add(wire.Said{Frame: frame, Kind: wire.Answer, Address: firstNear, By: client}, client, by)
		}
	}
	return a
}

func TestJudge_HoldsAStepToItsPromises(t *testing.T) {
	strict := &kind{name: "strict", unheld: lost, shared: lost, stays: true, routes: untouched}
	kept := &kind{name: "kept", unheld: second, shared: second, routes: stay}
	free := &kind{name: "free", unheld: second, shared: second}
	gone := func(what string) []wire.Withdrawal {
		return []wire.Withdrawal{{At: time.Unix(0, 0), From: netip.MustParseAddr("192.0.2.11"), What: what}}
	}
	for _, test := range []struct {
		name string
		kind *kind
		seen seen
		want string // begins so; "" when nothing is wrong
	}{
		{"nothing happens", strict, seen{answers: answered("1", "1", "1")}, ""},
		{"one answer is missing", strict, seen{answers: answered("1", "", "1")}, ""},
		{"three are missing", strict, seen{answers: answered("1", "", "", "", "1")}, "nobody answered for 192.0.2.200 for 300 ms"},
		{"three are missing where it may be", kept, seen{answers: answered("1", "", "", "", "1")}, ""},
		{"it moves where it must not", strict, seen{answers: answered("1", "2")}, "192.0.2.200 was n1's, and n2 answered for it"},
		{"it moves where it may", free, seen{answers: answered("1", "2")}, ""},
		{"two have it for too long", free, seen{answers: answered(slices.Repeat([]string{"12"}, 12)...)}, "[n1 n2] answered for 192.0.2.200 for 1100 ms"},
		{"a host that is no node has it, too", strict, seen{answers: answered("19", "19")}, ""},
		{"a session ends", strict, seen{withdrawals: gone("FIN")}, "the router got FIN from 192.0.2.11"},
		{"a session ends where routes are kept", kept, seen{withdrawals: gone("FIN")}, ""},
		{"a route goes where routes are kept", kept, seen{withdrawals: gone("198.19.1.0/32 withdrawn")}, "the router got 198.19.1.0/32 withdrawn"},
		{"a route goes where it may", free, seen{withdrawals: gone("198.19.1.0/32 withdrawn")}, ""},
		{"the wire is not read any more", free, seen{answers: answered("1"), blind: errors.New("tap closed")}, "what the wire said was not read: tap closed"},
		{"a route of a Service that is deleted goes", strict, seen{withdrawals: gone("198.19.2.4/32 withdrawn")}, ""},
	} {
		o := outcome{step: step{kind: test.kind}}
		o.judge(test.seen, map[netip.Addr]string{firstNear: "n1"}, nil)
		if got := strings.Join(o.wrong, "; "); !strings.HasPrefix(got, test.want) || test.want == "" && got != "" {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestOutcome_ProgramsEndWithoutAnAPIServerAlone(t *testing.T) {
	for _, test := range []struct {
		step    step
		program string
		wrong   int
	}{
		{step{kind: kindOf("deaf")}, "speaker-n1", 1},
		{step{kind: kindOf("deaf"), noAPI: true}, "speaker-n1", 0},
		{step{kind: kindOf("api-away")}, "controller", 0},
		{step{kind: kindOf("deaf")}, "proxy-n1", 0},
	} {
		o := outcome{step: test.step}
		if o.endedByThemselves([]string{test.program}); len(o.wrong) != test.wrong {
			t.Errorf("%s, %s: %v", test.step, test.program, o.wrong)
		}
	}
}

func TestReport_HasFiguresAndWhatIsWrong(t *testing.T) {
	s := &soak{settings: settings{seed: 5}, first: usage{"controller": {50, 20, 90}, "speaker-n1": {40, 20, 90}}, last: usage{"controller": {50, 99, 90}}}
	for i := range 3 {
		o := outcome{step: step{number: i + 1, kind: kindOf("deaf"), node: "n2"}, unheld: time.Duration(i*100) * time.Millisecond}
		if i == 2 {
			o.wrong = []string{"it broke"}
		}
		s.outcomes = append(s.outcomes, o)
	}
	text, wrong := s.report()
	if wrong != 3 {
		t.Errorf("%d are wrong", wrong)
	}
	for _, want := range []string{
		"Seed 5", "| a node loses all frames that arrive | 3 | 100, 200 ms |", "3. deaf at n2", "it broke", "speaker-n1 does not answer",
		"controller had 50 MB, 20 files, 90 goroutines and has 50 MB, 99 files, 90 goroutines",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if strings.Contains(text, kindOf("mute").what) {
		t.Error("a fault that was not tried has a row")
	}
}

func TestKinds_HaveNamesOfTheirOwn(t *testing.T) {
	names := kindNames()
	slices.Sort(names)
	if len(slices.Compact(names)) != len(kinds) {
		t.Error("two are called alike")
	}
	for _, k := range kinds {
		if k.what == "" || k.inject == nil || k.unheld == 0 || k.shared == 0 {
			t.Errorf("%s is not whole: %s", k.name, fmt.Sprint(k))
		}
	}
}
