package cluster

import (
	"net/netip"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

func TestReportedHoldings(t *testing.T) {
	const addr = "192.0.2.200"
	holds := func(h v1beta1.HeldAddress) func(*v1beta1.SpeakerStatus) {
		return func(s *v1beta1.SpeakerStatus) {
			h.Address = addr
			s.Layer2.Held, s.Layer2.IPv4 = append(s.Layer2.Held, h), s.Layer2.IPv4+1
		}
	}
	alone := holds(v1beta1.HeldAddress{})
	for _, test := range []struct {
		name     string
		down     string
		speakers []*v1beta1.Speaker
		holders  int
		known    bool
	}{
		{"nobody names it", "", []*v1beta1.Speaker{speaker("n1", known)}, 0, true},
		{"one holds it", "", []*v1beta1.Speaker{speaker("n1", alone), speaker("n2", known)}, 1, true},
		{"two hold it", "", []*v1beta1.Speaker{speaker("n1", alone), speaker("n2", alone)}, 2, true},
		{"who is gone holds nothing", "", []*v1beta1.Speaker{speaker("n1", func(s *v1beta1.SpeakerStatus) { alone(s); gone(s) })}, 0, true},
		{
			"who stands in is not the holder", "",
			[]*v1beta1.Speaker{speaker("n1", alone), speaker("n2", holds(v1beta1.HeldAddress{StandsInFor: "n1"}))},
			1, true,
		},
		{
			"of those that share it one holds it", "",
			[]*v1beta1.Speaker{
				speaker("n1", holds(v1beta1.HeldAddress{Shares: 30, SharedBy: "n1"})), speaker("n2", holds(v1beta1.HeldAddress{Shares: 30, SharedBy: "n1"})),
			},
			1, true,
		},
		{
			"one that lists less than it holds may hold it", "",
			[]*v1beta1.Speaker{speaker("n1", func(s *v1beta1.SpeakerStatus) { s.Layer2.IPv4 = 129 })},
			0, false,
		},
		{"so may the speaker of a node that is down, if it named it last", "n1", []*v1beta1.Speaker{speaker("n1", alone)}, 0, false},
		{"who holds it in its place is the one", "n1", []*v1beta1.Speaker{speaker("n1", alone), speaker("n2", alone)}, 1, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			nodes := []*lb.Node{{Name: "n1", Down: test.down == "n1"}, {Name: "n2"}}
			if holders, known := ReportedHoldings(nodes, test.speakers).Of(netip.MustParseAddr(addr)); holders != test.holders || known != test.known {
				t.Errorf("%d hold it, known: %v", holders, known)
			}
		})
	}
}

func TestHoldingsReader_ReadsWhatChanged(t *testing.T) {
	addr := netip.MustParseAddr("192.0.2.200")
	holds := func(name string) *v1beta1.Speaker {
		s := &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: name}}
		s.Status.Layer2.Held, s.Status.Layer2.IPv4 = []v1beta1.HeldAddress{{Address: addr.String()}}, 1
		return s
	}
	var r HoldingsReader
	first, second := []*v1beta1.Speaker{holds("n1")}, []*v1beta1.Speaker{holds("n1"), holds("n2")}
	for _, test := range []struct {
		nodes    []*lb.Node
		speakers []*v1beta1.Speaker
		holders  int
	}{{nil, nil, 0}, {nil, first, 1}, {nil, second, 2}, {[]*lb.Node{{Name: "n2", Down: true}}, second, 1}, {nil, first, 1}} {
		if holders, _ := r.Read(test.nodes, test.speakers).Of(addr); holders != test.holders {
			t.Errorf("%d nodes hold it, not %d", holders, test.holders)
		}
	}
	same := []*v1beta1.Speaker{first[0]}
	if allocations := testing.AllocsPerRun(10, func() { r.Read(nil, same) }); allocations > 0 {
		t.Errorf("the same objects are read again: %.0f allocations", allocations)
	}
}
