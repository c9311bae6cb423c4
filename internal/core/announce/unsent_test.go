package announce

import (
	"slices"
	"testing"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// TestUnsent_AttributesOfTheOtherKindOfSession are named with the peers that are not sent them.
func TestUnsent_AttributesOfTheOtherKindOfSession(t *testing.T) {
	const (
		preference = "198.19.0.1, attributes: localPref 200 is for internal sessions, and not sent to external routers: "
		longer     = "198.19.0.1, attributes: asPathPrepend 3 is for external sessions, and not sent to internal routers: "
	)
	for _, test := range []struct {
		name   string
		change func(*v1beta1.BGPAdvertisementSpec)
		want   []string
	}{
		{"nothing is set", func(*v1beta1.BGPAdvertisementSpec) {}, nil},
		{"med is sent to all", func(s *v1beta1.BGPAdvertisementSpec) { s.MED = number(7) }, nil},
		{"localPref", func(s *v1beta1.BGPAdvertisementSpec) { s.LocalPref = number(200) }, []string{preference + "external, third"}},
		{"asPathPrepend", func(s *v1beta1.BGPAdvertisementSpec) { s.ASPathPrepend = 3 }, []string{longer + "internal"}},
		{
			"both", func(s *v1beta1.BGPAdvertisementSpec) { s.LocalPref, s.ASPathPrepend = number(200), 3 },
			[]string{preference + "external, third", longer + "internal"},
		},
		{"for another peer", func(s *v1beta1.BGPAdvertisementSpec) {
			s.LocalPref, s.Peers = number(200), []string{"internal"}
		}, nil},
	} {
		w := cluster()
		s := w.add("web", "198.19.0.1", "n1")
		external := *w.Peers[0]
		external.Name, external.PeerASN = "external", external.MyASN+1
		internal, third := external, external
		internal.Name, internal.PeerASN, third.Name = "internal", internal.MyASN, "third"
		internal.Address, third.Address = external.Address.Next(), external.Address.Next().Next()
		w.Peers = []*lb.Peer{&external, &internal, &third}
		for node := range w.Established {
			w.Established[node] = map[string]bool{"external": true, "internal": true, "third": true}
		}
		w.BGPAdvertisements = []*lb.BGPAdvertisement{bgpAdvertisement("wan", 1, test.change)}
		if got := NewExplainer(w).Unsent(s); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
