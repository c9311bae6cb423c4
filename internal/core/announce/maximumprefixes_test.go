package announce

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// aging adds Services of which each is a second younger than the one before; the youngest has the lowest address.
func (w *World) aging(n int) {
	for i := range n {
		w.add(fmt.Sprint("s", i), fmt.Sprintf("198.19.0.%d", 200-i), "n1", "n2").Created = time.Unix(int64(i), 0)
	}
}

func prefixesOf(paths []Path) (list []string) {
	for i := range paths {
		list = append(list, paths[i].Prefix.String())
	}
	return list
}

func TestMaximumPrefixes_OldestServicesAreSent(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		limit, services int
		want            int
		warns           string
	}{
		"no limit":               {0, 10, 10, ""},
		"far below":              {20, 10, 10, ""},
		"four fifths of it":      {10, 8, 8, "80 % or more of maximumPrefixes, 10, are in use by IPv4 prefixes"},
		"just below four fifths": {10, 7, 7, ""},
		"as many as there may":   {10, 10, 10, "80 % or more of maximumPrefixes, 10, are in use by IPv4 prefixes"},
		"two more": {
			10, 12, 10,
			"maximumPrefixes is 10, and there are 12 IPv4 prefixes: 2 of the youngest Services are held back",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := cluster()
			w.aging(test.services)
			w.Peers[0].MaximumPrefixes = test.limit
			for _, node := range []string{"n1", "n2"} {
				session := Compute(w.on(node)).Sessions[0]
				var want []string
				for i := range test.want {
					want = append(want, fmt.Sprintf("198.19.0.%d/32", 200-i))
				}
				slices.Reverse(want) // Sorted by prefix, as all paths are.
				if got := prefixesOf(session.Paths); !slices.Equal(got, want) {
					t.Errorf("%s sends %v, want %v", node, got, want)
				}
				if got := strings.Join(session.Warnings, "; "); got != test.warns || session.MaximumPrefixes != test.limit {
					t.Errorf("%s warns %q with limit %d, want %q", node, got, session.MaximumPrefixes, test.warns)
				}
			}
		})
	}
}

// What the order of the Services in the cache is must not decide.
func TestMaximumPrefixes_OrderIsStable(t *testing.T) {
	t.Parallel()
	w := cluster()
	w.aging(12)
	for _, s := range w.Services[5:] {
		s.Created = time.Unix(100, 0)
	}
	w.Peers[0].MaximumPrefixes = 7
	want := prefixesOf(Compute(w).Sessions[0].Paths)
	slices.Reverse(w.Services)
	if got := prefixesOf(Compute(w).Sessions[0].Paths); !slices.Equal(got, want) || len(got) != 7 {
		t.Errorf("%v after %v", got, want)
	}
}

func TestMaximumPrefixes_CountsFamiliesApartAndAggregatesOnce(t *testing.T) {
	t.Parallel()
	w := cluster()
	w.aging(6)
	w.Peers[0].Families, w.Peers[0].MaximumPrefixes = []lb.Family{lb.IPv4, lb.IPv6}, 2
	w.BGPAdvertisements[0].AggregationLength = 24
	session := Compute(w).Sessions[0]
	if got := prefixesOf(session.Paths); !slices.Equal(got, []string{"198.19.0.0/24"}) || len(session.Warnings) > 0 {
		t.Errorf("sends %v and warns %v", got, session.Warnings)
	}
}

// The condition of a Service that no node sends must not say that it is announced.
func TestMaximumPrefixes_AreExplained(t *testing.T) {
	t.Parallel()
	w := cluster()
	w.aging(12)
	w.Peers[0].MaximumPrefixes = 10
	e := NewExplainer(w)
	for i, s := range w.Services {
		got := e.Explain(s)
		if got.Announced != (i < 10) {
			t.Errorf("Service %d: %+v", i, got)
		}
		if i >= 10 && !strings.Contains(got.Message, "maximumPrefixes of the BGPPeer is reached, by older Services") {
			t.Errorf("Service %d: %q", i, got.Message)
		}
	}
	another := *w.Peers[0]
	another.Name, another.Address, another.MaximumPrefixes = "other", netip.MustParseAddr("192.0.2.2"), 0
	w.Peers = append(w.Peers, &another)
	for _, established := range w.Established {
		established["other"] = true
	}
	if got := NewExplainer(w).Explain(w.Services[11]); !got.Announced {
		t.Errorf("with a router without limit: %+v", got)
	}
}
