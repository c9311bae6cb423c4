package reconcile

import (
	"maps"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/informer"
)

// acceptedMemory is what this process has accepted of the objects of a kind: an object may become nonsense before it is written.
type acceptedMemory[A any] map[types.UID]*A

// newest returns what to write of an object: what its status should say if it is understood now, else what this process knows if that is
// as new as what is written.
func (m acceptedMemory[A]) newest(uid types.UID, now *A, understood bool, generation func(*A) int64) *A {
	known := m[uid]
	if understood || known == nil || now != nil && generation(now) > generation(known) {
		known = now
	}
	if known != nil {
		m[uid] = known
	}
	return known
}

// keepOnly forgets the objects that are not among these any more.
func keepOnly[A any, O client.Object, V any](m acceptedMemory[A], objects []informer.Parsed[O, V]) {
	if len(m) == 0 {
		return
	}
	present := make(map[types.UID]bool, len(objects))
	for i := range objects {
		present[objects[i].Object.GetUID()] = true
	}
	maps.DeleteFunc(m, func(uid types.UID, _ *A) bool { return !present[uid] })
}

// accepted is an acceptedMemory for each kind that has one.
type accepted struct {
	l2    acceptedMemory[v1beta1.AcceptedL2Advertisement]
	bgp   acceptedMemory[v1beta1.AcceptedBGPAdvertisement]
	peers acceptedMemory[v1beta1.AcceptedBGPPeer]
}

func newAccepted() accepted {
	return accepted{
		acceptedMemory[v1beta1.AcceptedL2Advertisement]{},
		acceptedMemory[v1beta1.AcceptedBGPAdvertisement]{},
		acceptedMemory[v1beta1.AcceptedBGPPeer]{},
	}
}

// forget drops what is remembered of objects that do not exist any more.
func (a *accepted) forget(s *snapshot) {
	keepOnly(a.l2, s.ParsedL2Advertisements)
	keepOnly(a.bgp, s.ParsedBGPAdvertisements)
	keepOnly(a.peers, s.ParsedPeers)
}

func (a *accepted) putL2(o *v1beta1.L2Advertisement, understood bool) {
	o.Status.Accepted = a.l2.newest(o.UID, o.Status.Accepted, understood, func(x *v1beta1.AcceptedL2Advertisement) int64 { return x.Generation })
}

func (a *accepted) putBGP(o *v1beta1.BGPAdvertisement, understood bool) {
	o.Status.Accepted = a.bgp.newest(o.UID, o.Status.Accepted, understood, func(x *v1beta1.AcceptedBGPAdvertisement) int64 { return x.Generation })
}

func (a *accepted) putPeer(o *v1beta1.BGPPeer, understood bool) {
	o.Status.Accepted = a.peers.newest(o.UID, o.Status.Accepted, understood, func(x *v1beta1.AcceptedBGPPeer) int64 { return x.Generation })
}
