package election

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

func TestEdgeWatch_AnEdgeIsCutWhenItsAnswersEnd(t *testing.T) {
	subnet := netip.MustParsePrefix("198.51.100.0/24")
	a, b := Edge{"n2", subnet}, Edge{"n3", subnet}
	w := &EdgeWatch{}
	for _, step := range []struct {
		name      string
		at        time.Duration
		answers   map[Edge]Answer
		apart     bool
		cut, open []string
		wait      time.Duration
	}{
		{"one answers, the other one never does", 0, map[Edge]Answer{a: Answered, b: NoAnswer}, false, nil, []string{"n3"}, 0},
		{"a question that is open says nothing", sec, map[Edge]Answer{a: 0, b: 0}, false, nil, []string{"n3"}, 0},
		{"the answers end", 2 * sec, map[Edge]Answer{a: NoAnswer, b: NoAnswer}, false, nil, []string{"n3"}, edgeTimeout},
		{"not long enough ago", 2*sec + edgeTimeout/2, map[Edge]Answer{a: NoAnswer}, false, nil, nil, edgeTimeout / 2},
		{"for long enough", 2*sec + edgeTimeout, map[Edge]Answer{a: NoAnswer}, false, []string{"n2"}, nil, 0},
		{"the other node's speaker is restarted", 10 * sec, nil, false, nil, nil, 0},
		{"and is asked again", time.Minute, map[Edge]Answer{a: NoAnswer}, false, []string{"n2"}, nil, 0},
		{"it answers again", 2 * time.Minute, map[Edge]Answer{a: Answered}, false, nil, nil, 0},
		{"nothing is asked for long", time.Hour, nil, false, nil, nil, 0},
		{"then nothing is remembered", time.Hour + sec, map[Edge]Answer{a: NoAnswer}, false, nil, []string{"n2"}, 0},
		{"and it is new", 2 * time.Hour, map[Edge]Answer{a: NoAnswer}, false, nil, []string{"n2"}, 0},
		{"others say that it is cut, and its question is open", 2*time.Hour + sec, map[Edge]Answer{a: 0}, true, nil, []string{"n2"}, 0},
		{"others say that it is cut, and it does not answer", 2*time.Hour + sec, map[Edge]Answer{a: NoAnswer}, true, []string{"n2"}, nil, 0},
		{"it does", 2*time.Hour + 2*sec, map[Edge]Answer{a: Answered}, true, nil, nil, 0},
	} {
		parts := map[netip.Prefix]*Parts{}
		if step.apart {
			parts[subnet] = NewParts(map[string][]string{"n1": {"n2"}, "n2": {"n1"}}, map[string]SegmentEdges{
				"n1": {Subnet: subnet, Open: []string{"n2"}}, "n2": {Subnet: subnet, Cut: []string{"n1"}},
			})
		}
		said, wait := w.Observe(epoch.Add(step.at), "n1", step.answers, parts)
		if len(said) == 0 {
			said = []SegmentEdges{{}}
		}
		if !slices.Equal(said[0].Cut, step.cut) || !slices.Equal(said[0].Open, step.open) || wait != step.wait {
			t.Errorf("%s: it says %+v, wait %v", step.name, said, wait)
		}
	}
}
