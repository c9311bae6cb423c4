package reconcile

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/status"
)

// objectWrites are the writes of the status of all objects of Daymark's group. Overridden are
// attributes of BGPAdvertisements (announce.Explainer).
func (l *Loop) objectWrites(s *snapshot, plan *ipam.Plan, overridden map[string]string) []*write {
	l.accepted.forget(s)
	references, next := status.NewReferences(&s.Objects, l.now())
	if !next.IsZero() {
		l.runAgain(next.Sub(l.now()))
	}
	return slices.Concat(
		l.poolWrites(s, plan), l.reservationWrites(s, plan), l.peerWrites(s, references),
		l.advertisementWrites(s, references, overridden), l.profileAndCommunityWrites(s, references),
		l.speakerWrites(s),
	)
}

// statusWrite adds a write of the status of an object if the change makes a difference. The object given belongs to the cache.
func statusWrite[T client.Object](l *Loop, writes []*write, kind string, cached T, change func(T)) []*write {
	desired, ok := cached.DeepCopyObject().(T)
	if !ok {
		return writes // cannot be: a copy is of the same type
	}
	change(desired)
	if equality.Semantic.DeepEqual(cached, desired) {
		return writes
	}
	return append(writes, &write{
		key: objectKey{kind, cached.GetNamespace(), cached.GetName()}, version: cached.GetResourceVersion(), urgency: objectText, term: l.term,
		send: func(ctx context.Context) error {
			return l.client.Status().Patch(ctx, desired, client.MergeFromWithOptions(cached, client.MergeFromWithOptimisticLock{}))
		},
	})
}

func (l *Loop) poolWrites(s *snapshot, plan *ipam.Plan) (writes []*write) {
	for i, p := range s.ParsedPools { // both lists are in order of name
		desired := status.NewPool(plan.Pools[i])
		key := objectKey{kind: "IPAddressPool", name: p.Object.Name}
		if desired.SameButCounts(p.Object) && (desired.SameCounts(p.Object) || !l.due(key, countsInterval)) {
			continue
		}
		before := len(writes)
		writes = statusWrite(l, writes, key.kind, p.Object, func(o *v1beta1.IPAddressPool) { desired.Write(o, l.now()) })
		l.timed(writes[before:])
	}
	return writes
}

func (l *Loop) reservationWrites(s *snapshot, plan *ipam.Plan) (writes []*write) {
	for i, r := range s.parsedReservations { // both lists are in order of name
		ready := status.Reservation(&plan.Reservations[i])
		writes = statusWrite(l, writes, "IPReservation", r.Object, func(o *v1beta1.IPReservation) {
			o.Status.ObservedGeneration = o.Generation
			status.Write(&o.Status.Conditions, o.Generation, l.now(), ready)
		})
	}
	return writes
}

func (l *Loop) peerWrites(s *snapshot, references *status.References) (writes []*write) {
	profiles := make(map[string]*v1beta1.BFDProfileSpec, len(s.ParsedBFDProfiles))
	for _, profile := range s.ParsedBFDProfiles {
		profiles[profile.Value.Name] = &profile.Object.Spec
	}
	for _, p := range s.ParsedPeers {
		desired, interval := references.Peer(p.Value), textInterval
		before := len(writes)
		writes = statusWrite(l, writes, "BGPPeer", p.Object, func(o *v1beta1.BGPPeer) {
			l.accepted.putPeer(o, false) // What was accepted before decides whether this is, and the cache may not have it yet.
			l.accepted.putPeer(o, references.AcceptPeer(o, p.Value, profiles[p.Value.BFDProfile]))
			if !desired.SameButText(o) || !equality.Semantic.DeepEqual(o.Status.Accepted, p.Object.Status.Accepted) {
				interval = countsInterval
			}
			desired.Write(o, l.now())
		})
		if len(writes) > before && !l.due(writes[before].key, interval) {
			writes = writes[:before]
		}
		l.timed(writes[before:])
	}
	return writes
}

func (l *Loop) advertisementWrites(s *snapshot, references *status.References, overridden map[string]string) (writes []*write) {
	for _, a := range s.ParsedL2Advertisements {
		ready := references.L2Advertisement(a.Value)
		writes = statusWrite(l, writes, "L2Advertisement", a.Object, func(o *v1beta1.L2Advertisement) {
			o.Status.ObservedGeneration = o.Generation
			l.accepted.putL2(o, false) // what is known of before
			l.accepted.putL2(o, references.AcceptL2Advertisement(o, a.Value))
			status.Write(&o.Status.Conditions, o.Generation, l.now(), ready)
		})
	}
	for _, a := range s.ParsedBGPAdvertisements {
		ready := references.BGPAdvertisement(a.Value, overridden[a.Value.Name])
		writes = statusWrite(l, writes, "BGPAdvertisement", a.Object, func(o *v1beta1.BGPAdvertisement) {
			o.Status.ObservedGeneration = o.Generation
			l.accepted.putBGP(o, false)
			l.accepted.putBGP(o, references.AcceptBGPAdvertisement(o, a.Value))
			status.Write(&o.Status.Conditions, o.Generation, l.now(), ready)
		})
	}
	return writes
}

func (l *Loop) profileAndCommunityWrites(s *snapshot, references *status.References) (writes []*write) {
	for _, p := range s.ParsedBFDProfiles {
		writes = statusWrite(l, writes, "BFDProfile", p.Object, func(o *v1beta1.BFDProfile) {
			o.Status.ObservedGeneration = o.Generation
			status.Write(&o.Status.Conditions, o.Generation, l.now(), status.BFDProfile())
		})
	}
	for _, c := range s.Communities {
		writes = statusWrite(l, writes, "Community", c, func(o *v1beta1.Community) {
			o.Status.ObservedGeneration, o.Status.Names = o.Generation, references.CommunityNames(o.Name)
			status.Write(&o.Status.Conditions, o.Generation, l.now(), references.Community(o.Name))
		})
	}
	return writes
}
