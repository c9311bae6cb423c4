package forecast

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/cluster"
	"github.com/daymark-lb/daymark/internal/core/election"
)

// TestOutcome_HoldersThatNoReportNames are those of the one node whose report is full, or else nothing is said of them.
func TestOutcome_HoldersThatNoReportNames(t *testing.T) {
	group := election.NewGroup([]election.Candidate{election.NewCandidate("n1", 0), election.NewCandidate("n2", 0)})
	var contests []election.Contest
	for i := range 3 {
		contests = append(contests, election.Contest{Addr: netip.MustParseAddr(fmt.Sprintf("192.0.2.%d", 200+i)), Group: group})
	}
	for _, test := range []struct {
		name           string
		holds1, holds2 int32
		unknown        int
		claims         int
	}{
		{"the others are new", 1, 0, 0, 1},
		{"the others are of one node", 3, 0, 0, 3},
		{"the report of one node does not fit", 2, 0, 2, 1},
		{"the reports of two nodes are full", 2, 1, 2, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			n1, n2 := &v1beta1.Speaker{}, &v1beta1.Speaker{}
			n1.Name, n2.Name = "n1", "n2"
			n1.Status.Layer2 = v1beta1.SpeakerLayer2{IPv4: test.holds1, Held: []v1beta1.HeldAddress{{Address: "192.0.2.200"}}}
			n2.Status.Layer2.IPv4 = test.holds2
			o := &Outcome{objects: &cluster.Objects{Speakers: []*v1beta1.Speaker{n1, n2}}}
			o.claims, _ = reportedClaims(o.objects.Speakers)
			o.findUnlisted(contests)
			if o.Unknown() != test.unknown || len(o.claims) != test.claims {
				t.Errorf("%d are unknown, claims are %v", o.Unknown(), o.claims)
			}
		})
	}
}

// TestReportedClaims_AreThoseOfHolders: who stands in, or answers some clients of a shared address, has claimed nothing.
func TestReportedClaims_AreThoseOfHolders(t *testing.T) {
	held := map[string][]v1beta1.HeldAddress{
		"n1": {{Address: "192.0.2.200"}, {Address: "192.0.2.201", Shares: 30, SharedBy: "n1"}, {Address: "192.0.2.202", SharedBy: "n1"}},
		"n2": {{Address: "192.0.2.201", Shares: 30, SharedBy: "n1"}, {Address: "192.0.2.203", Shares: 60}, {Address: "192.0.2.204", StandsInFor: "n1"}},
	}
	var speakers []*v1beta1.Speaker
	for _, name := range []string{"n1", "n2"} {
		s := &v1beta1.Speaker{}
		s.Name, s.Status.Layer2.Held = name, held[name]
		speakers = append(speakers, s)
	}
	claims, _ := reportedClaims(speakers)
	if len(claims) != 3 {
		t.Errorf("claims are %v", claims)
	}
	for addr, claim := range claims {
		if claim.Node != "n1" {
			t.Errorf("%v is claimed by %s", addr, claim.Node)
		}
	}
}
