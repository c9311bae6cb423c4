package reconcile

import (
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/status"
	"github.com/daymark-lb/daymark/internal/loop"
)

// countsInterval is the shortest time between two writes of the counts of a pool, however fast they change. What is wrong with
// a pool is written at once.
const countsInterval = time.Second

// objectWrites are the writes of the status of all objects of Daymark's group. Overridden are
// attributes of BGPAdvertisements (announce.Explainer).
func (l *Loop) objectWrites(s *snapshot, plan *ipam.Plan, overridden map[string]string) []*write {
	references := status.NewReferences(&s.Objects)
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
		if desired.SameButCounts(p.Object) && (desired.SameCounts(p.Object) || !l.countsDue(p.Object.Name)) {
			continue
		}
		before := len(writes)
		writes = statusWrite(l, writes, "IPAddressPool", p.Object, func(o *v1beta1.IPAddressPool) { desired.Write(o, l.now()) })
		for _, w := range writes[before:] {
			send := w.send
			w.send = func(ctx context.Context) error {
				l.countsWritten.Store(w.key.name, l.now())
				return send(ctx)
			}
		}
	}
	return writes
}

// countsDue reports whether it is time to write the counts of a pool, and has the loop run again when it is. In a storm of
// changes another pass comes soon after that, so none is made for the counts alone.
func (l *Loop) countsDue(pool string) bool {
	written, ok := l.countsWritten.Load(pool)
	if !ok {
		return true
	}
	if wait := written.(time.Time).Add(countsInterval).Sub(l.now()); wait > 0 {
		l.runAgain(wait + loop.MaxInterval)
		return false
	}
	return true
}

func (l *Loop) reservationWrites(s *snapshot, plan *ipam.Plan) (writes []*write) {
	for i, r := range s.parsedReservations { // both lists are in order of name
		ready := status.Reservation(&plan.Reservations[i])
		writes = statusWrite(l, writes, "IPReservation", r.Object, func(o *v1beta1.IPReservation) {
			o.Status.ObservedGeneration = o.Generation
			ready.Set(&o.Status.Conditions, o.Generation, l.now())
		})
	}
	return writes
}

func (l *Loop) peerWrites(s *snapshot, references *status.References) (writes []*write) {
	speakers := make(map[string]*v1beta1.Speaker, len(s.Speakers))
	for _, speaker := range s.Speakers {
		speakers[speaker.Name] = speaker
	}
	for _, p := range s.ParsedPeers {
		desired := references.Peer(p.Value, speakers)
		writes = statusWrite(l, writes, "BGPPeer", p.Object, func(o *v1beta1.BGPPeer) {
			o.Status.ObservedGeneration = o.Generation
			o.Status.Nodes, o.Status.Established = desired.Nodes, desired.Established
			desired.Ready.Set(&o.Status.Conditions, o.Generation, l.now())
		})
	}
	return writes
}

func (l *Loop) advertisementWrites(s *snapshot, references *status.References, overridden map[string]string) (writes []*write) {
	for _, a := range s.ParsedL2Advertisements {
		ready := references.L2Advertisement(a.Value)
		writes = statusWrite(l, writes, "L2Advertisement", a.Object, func(o *v1beta1.L2Advertisement) {
			o.Status.ObservedGeneration = o.Generation
			ready.Set(&o.Status.Conditions, o.Generation, l.now())
		})
	}
	for _, a := range s.ParsedBGPAdvertisements {
		ready := references.BGPAdvertisement(a.Value, overridden[a.Value.Name])
		writes = statusWrite(l, writes, "BGPAdvertisement", a.Object, func(o *v1beta1.BGPAdvertisement) {
			o.Status.ObservedGeneration = o.Generation
			ready.Set(&o.Status.Conditions, o.Generation, l.now())
		})
	}
	return writes
}

func (l *Loop) profileAndCommunityWrites(s *snapshot, references *status.References) (writes []*write) {
	for _, p := range s.ParsedBFDProfiles {
		writes = statusWrite(l, writes, "BFDProfile", p.Object, func(o *v1beta1.BFDProfile) {
			o.Status.ObservedGeneration = o.Generation
			status.BFDProfile().Set(&o.Status.Conditions, o.Generation, l.now())
		})
	}
	for _, c := range s.Communities {
		writes = statusWrite(l, writes, "Community", c, func(o *v1beta1.Community) {
			o.Status.ObservedGeneration = o.Generation
			references.Community(o.Name).Set(&o.Status.Conditions, o.Generation, l.now())
		})
	}
	return writes
}
