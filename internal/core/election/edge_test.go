package election

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

func TestEdgeWatch_AnEdgeIsCutWhenItsAnswersEnd(t *testing.T) {
	a, b := Edge{"n2", netip.MustParsePrefix("198.51.100.0/24")}, Edge{"n3", netip.MustParsePrefix("198.51.100.0/24")}
	w := &EdgeWatch{}
	for _, step := range []struct {
		name    string
		at      time.Duration
		answers map[Edge]Answer
		cut     []Edge
		wait    time.Duration
	}{
		{"one answers, the other one never does", 0, map[Edge]Answer{a: Answered, b: NoAnswer}, nil, 0},
		{"a question that is open says nothing", sec, map[Edge]Answer{a: 0, b: 0}, nil, 0},
		{"the answers end", 2 * sec, map[Edge]Answer{a: NoAnswer, b: NoAnswer}, nil, edgeTimeout},
		{"not long enough ago", 2*sec + edgeTimeout/2, map[Edge]Answer{a: NoAnswer, b: NoAnswer}, nil, edgeTimeout / 2},
		{"for long enough", 2*sec + edgeTimeout, map[Edge]Answer{a: NoAnswer, b: NoAnswer}, []Edge{a}, 0},
		{"the other node's speaker is restarted", 10 * sec, nil, nil, 0},
		{"and is asked again", time.Minute, map[Edge]Answer{a: NoAnswer}, []Edge{a}, 0},
		{"it answers again", 2 * time.Minute, map[Edge]Answer{a: Answered}, nil, 0},
		{"nothing is asked for long", time.Hour, nil, nil, 0},
		{"then nothing is remembered", time.Hour + sec, map[Edge]Answer{a: NoAnswer}, nil, 0},
		{"and it is new", 2 * time.Hour, map[Edge]Answer{a: NoAnswer}, nil, 0},
	} {
		cut, wait := w.Observe(epoch.Add(step.at), step.answers)
		if !slices.Equal(cut, step.cut) || wait != step.wait {
			t.Errorf("%s: cut are %v, wait %v", step.name, cut, wait)
		}
	}
}
