package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/status"
)

// countsInterval is the shortest time between two writes of the counts of a pool, however fast they change. What is wrong with
// a pool is written at once.
const countsInterval = time.Second

// writeObjects writes the status of all objects of Daymark's group, except for the Speakers. Contradictions are those between
// BGPAdvertisements (announce.Explainer).
func (l *Loop) writeObjects(ctx context.Context, s *snapshot, plan *ipam.Plan, contradictions map[string]string) error {
	references := status.NewReferences(&s.Objects)
	return errors.Join(
		l.writePools(ctx, s, plan), l.writeReservations(ctx, s, plan), l.writePeers(ctx, s, references),
		l.writeAdvertisements(ctx, s, references, contradictions), l.writeProfilesAndCommunities(ctx, s, references),
	)
}

// updateStatus writes the status of an object if the change makes a difference. The object given belongs to the cache.
func updateStatus[T client.Object](ctx context.Context, l *Loop, kind string, cached T, change func(T)) error {
	desired, ok := cached.DeepCopyObject().(T)
	if !ok {
		return fmt.Errorf("a copy of %s is of another type", kind)
	}
	change(desired)
	if equality.Semantic.DeepEqual(cached, desired) {
		return nil
	}
	err := l.client.Status().Patch(ctx, desired, client.MergeFromWithOptions(cached, client.MergeFromWithOptimisticLock{}))
	l.metrics.countWrite(kind, err)
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("write the status of %s %s: %w", kind, cached.GetName(), err)
	}
	return nil
}

func (l *Loop) writePools(ctx context.Context, s *snapshot, plan *ipam.Plan) error {
	errs := make([]error, len(s.ParsedPools))
	for i, p := range s.ParsedPools { // both lists are in order of name
		desired := status.NewPool(plan.Pools[i])
		if desired.SameButCounts(p.Object) && (desired.SameCounts(p.Object) || !l.countsDue(p.Object.Name)) {
			continue
		}
		errs[i] = updateStatus(ctx, l, "IPAddressPool", p.Object, func(o *v1beta1.IPAddressPool) { desired.Write(o, l.now()) })
	}
	return errors.Join(errs...)
}

// countsDue reports whether it is time to write the counts of a pool, and has the loop run again when it is.
func (l *Loop) countsDue(pool string) bool {
	now := l.now()
	if next := l.countsWritten[pool].Add(countsInterval); now.Before(next) {
		l.runAgain(next.Sub(now))
		return false
	}
	l.countsWritten[pool] = now
	return true
}

func (l *Loop) writeReservations(ctx context.Context, s *snapshot, plan *ipam.Plan) error {
	errs := make([]error, len(s.parsedReservations))
	for i, r := range s.parsedReservations { // both lists are in order of name
		ready := status.Reservation(&plan.Reservations[i])
		errs[i] = updateStatus(ctx, l, "IPReservation", r.Object, func(o *v1beta1.IPReservation) {
			o.Status.ObservedGeneration = o.Generation
			ready.Set(&o.Status.Conditions, o.Generation, l.now())
		})
	}
	return errors.Join(errs...)
}

func (l *Loop) writePeers(ctx context.Context, s *snapshot, references *status.References) error {
	speakers := make(map[string]*v1beta1.Speaker, len(s.Speakers))
	for _, speaker := range s.Speakers {
		speakers[speaker.Name] = speaker
	}
	errs := make([]error, len(s.ParsedPeers))
	for i, p := range s.ParsedPeers {
		desired := references.Peer(p.Value, speakers)
		errs[i] = updateStatus(ctx, l, "BGPPeer", p.Object, func(o *v1beta1.BGPPeer) {
			o.Status.ObservedGeneration = o.Generation
			o.Status.Nodes, o.Status.Established = desired.Nodes, desired.Established
			desired.Ready.Set(&o.Status.Conditions, o.Generation, l.now())
		})
	}
	return errors.Join(errs...)
}

func (l *Loop) writeAdvertisements(ctx context.Context, s *snapshot, references *status.References, contradictions map[string]string) error {
	var errs []error
	for _, a := range s.ParsedL2Advertisements {
		ready := references.L2Advertisement(a.Value)
		errs = append(errs, updateStatus(ctx, l, "L2Advertisement", a.Object, func(o *v1beta1.L2Advertisement) {
			o.Status.ObservedGeneration = o.Generation
			ready.Set(&o.Status.Conditions, o.Generation, l.now())
		}))
	}
	for _, a := range s.ParsedBGPAdvertisements {
		ready := references.BGPAdvertisement(a.Value, contradictions[a.Value.Name])
		errs = append(errs, updateStatus(ctx, l, "BGPAdvertisement", a.Object, func(o *v1beta1.BGPAdvertisement) {
			o.Status.ObservedGeneration = o.Generation
			ready.Set(&o.Status.Conditions, o.Generation, l.now())
		}))
	}
	return errors.Join(errs...)
}

func (l *Loop) writeProfilesAndCommunities(ctx context.Context, s *snapshot, references *status.References) error {
	var errs []error
	for _, p := range s.ParsedBFDProfiles {
		errs = append(errs, updateStatus(ctx, l, "BFDProfile", p.Object, func(o *v1beta1.BFDProfile) {
			o.Status.ObservedGeneration = o.Generation
			status.BFDProfile().Set(&o.Status.Conditions, o.Generation, l.now())
		}))
	}
	for _, c := range s.Communities {
		errs = append(errs, updateStatus(ctx, l, "Community", c, func(o *v1beta1.Community) {
			o.Status.ObservedGeneration = o.Generation
			references.Community(o.Name).Set(&o.Status.Conditions, o.Generation, l.now())
		}))
	}
	return errors.Join(errs...)
}
