package cluster

import (
	"maps"
	"testing"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
)

func TestOverridden_ArePeersWithoutAnyOtherSession(t *testing.T) {
	const older = "BGPPeer old names the same router, 192.0.2.1:179, and is older"
	report := speaker("n1", func(s *v1beta1.SpeakerStatus) {
		s.BGP = []v1beta1.BGPSession{
			{Peer: "old", State: v1beta1.BGPEstablished},
			{Peer: "young", State: v1beta1.BGPActive, LastError: older},
			{Peer: "young", State: v1beta1.BGPActive, LastError: older},
			{Peer: "half", State: v1beta1.BGPActive, LastError: older},
			{Peer: "half", State: v1beta1.BGPActive, LastError: "connection refused"},
			{Peer: "other half", State: v1beta1.BGPActive, LastError: "connection refused"},
			{Peer: "other half", State: v1beta1.BGPActive, LastError: older},
			{Peer: "up", State: v1beta1.BGPEstablished, LastError: older},
		}
	})
	want := map[announce.NodePeer]bool{{Node: "n1", Peer: "young"}: true}
	if got := overridden([]*v1beta1.Speaker{report, speaker("n2", func(*v1beta1.SpeakerStatus) {})}); !maps.Equal(got, want) {
		t.Errorf("overridden are %v", got)
	}
}
