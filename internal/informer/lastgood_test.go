package informer

import (
	"errors"
	"slices"
	"testing"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/cluster"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

func TestLastGood_Substitute(t *testing.T) {
	good, bad, other := &lb.Pool{Name: "a"}, &lb.Pool{Name: "a", Err: errors.New("bad")}, &lb.Pool{Name: "b"}
	remembered := LastGood[*lb.Pool]{check: (*lb.Pool).Check, instead: lastPool}
	for _, step := range []struct {
		name      string
		now, want []*lb.Pool
	}{
		{"bad from the start stays bad", []*lb.Pool{bad}, []*lb.Pool{bad}},
		{"good is taken", []*lb.Pool{good, other}, []*lb.Pool{good, other}},
		{"bad now, good before: as before", []*lb.Pool{bad, other}, []*lb.Pool{good, other}},
		{"deleted is gone", []*lb.Pool{other}, []*lb.Pool{other}},
		{"and forgotten", []*lb.Pool{bad, other}, []*lb.Pool{bad, other}},
	} {
		if got := remembered.Substitute(step.now); !slices.Equal(got, step.want) {
			t.Errorf("%s: got %v, want %v", step.name, got, step.want)
		}
	}
}

func TestLastGoodObjects_RememberPoolsThatAreGone(t *testing.T) {
	remembered := NewLastGoodObjects()
	pool := &lb.Pool{Name: "a", Labels: map[string]string{"zone": "a"}}
	remembered.Substitute(cluster.Objects{Pools: lb.NewPools([]*lb.Pool{pool})})
	got := remembered.Substitute(cluster.Objects{Pools: lb.NewPools(nil)}).Pools
	if got.Named("a") != nil || !got.Missing("a") || got.Gone("a") != pool {
		t.Errorf("the pool is %v, and was %v", got.Named("a"), got.Gone("a"))
	}
}

func TestLastGoodObjects_KeepCommunitiesWhoseNameWentAway(t *testing.T) {
	remembered := NewLastGoodObjects()
	object := &v1beta1.BGPAdvertisement{Spec: v1beta1.BGPAdvertisementSpec{Communities: []string{"blue"}}}
	names := &v1beta1.Community{Spec: v1beta1.CommunitySpec{Communities: []v1beta1.CommunityAlias{{Name: "blue", Value: "64512:1"}}}}
	pass := func(communities ...*v1beta1.Community) *lb.BGPAdvertisement {
		t.Helper()
		return remembered.Substitute(cluster.Objects{
			Pools: lb.NewPools(nil), BGPAdvertisements: []*lb.BGPAdvertisement{lb.ParseBGPAdvertisement(object)}, Communities: communities,
		}).BGPAdvertisements[0]
	}
	if got := pass(); got.Unresolved == nil {
		t.Error("a name that never was there is resolved")
	}
	for name, got := range map[string]*lb.BGPAdvertisement{"there": pass(names), "gone": pass()} {
		if got.Unresolved != nil || len(got.Communities) != 1 || got.Communities[0].String() != "64512:1" {
			t.Errorf("the name is %s: communities %v, unresolved: %v", name, got.Communities, got.Unresolved)
		}
	}
	// The next pass changes what the name stands for.
	names.Spec.Communities[0].Value = "64512:2"
	if got := pass(names); got.Communities[0].String() != "64512:2" {
		t.Errorf("communities %v", got.Communities)
	}
}

// A process that has just started remembers nothing, and finds in the status what counted before.
func TestLastGoodObjects_AfterARestartWhatWasAcceptedGoesOn(t *testing.T) {
	bgp := &v1beta1.BGPAdvertisement{Spec: v1beta1.BGPAdvertisementSpec{Communities: []string{"no_export"}}}
	bgp.Status.Accepted = &v1beta1.AcceptedBGPAdvertisement{Generation: 1, Spec: v1beta1.BGPAdvertisementSpec{Communities: []string{"65535:65281"}}}
	nonsense := []v1beta1.LabelSelector{{MatchExpressions: []v1beta1.LabelSelectorRequirement{{Key: "rack", Operator: "Near"}}}}
	l2 := &v1beta1.L2Advertisement{}
	l2.Spec.NodeSelectors = nonsense
	l2.Status.Accepted = &v1beta1.AcceptedL2Advertisement{Generation: 1, Spec: v1beta1.L2AdvertisementSpec{Interfaces: []string{"eth0"}}}
	spec := v1beta1.BGPPeerSpec{MyASN: 64512, PeerASN: new(int64(64513)), PeerAddress: "192.0.2.1"}
	peer := &v1beta1.BGPPeer{Spec: spec}
	peer.Spec.NodeSelectors = nonsense
	peer.Status.Accepted = &v1beta1.AcceptedBGPPeer{Generation: 1, Spec: spec}
	got := NewLastGoodObjects().Substitute(cluster.Objects{
		Pools: lb.NewPools(nil), BGPAdvertisements: []*lb.BGPAdvertisement{lb.ParseBGPAdvertisement(bgp)},
		L2Advertisements: []*lb.L2Advertisement{lb.ParseL2Advertisement(l2)}, Peers: []*lb.Peer{lb.ParsePeer(peer)},
	})
	if a := got.BGPAdvertisements[0]; a.Unresolved != nil || len(a.Communities) != 1 || a.Communities[0].String() != "65535:65281" {
		t.Errorf("communities %v, unresolved: %v", a.Communities, a.Unresolved)
	}
	if a := got.L2Advertisements[0]; a.Err != nil || len(a.Interfaces) != 1 || !a.NodeSelectors.Match(nil) {
		t.Errorf("layer-2 advertisement %+v", a)
	}
	if p := got.Peers[0]; p.Err != nil || p.MyASN != 64512 {
		t.Errorf("peer %+v", p)
	}
}
