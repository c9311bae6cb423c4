package reconcile

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/ipam"
)

// verdict is a condition without what depends on the object.
type verdict struct {
	ok              bool
	reason, message string
}

// Reasons of the condition Ready that several kinds have.
const (
	reasonValid    = "Valid"
	reasonInvalid  = "Invalid"
	reasonNotFound = "NotFound"
)

// valid says that an object is understood, or why not; err names every problem on a line of its own.
func valid(err error) verdict {
	if err != nil {
		return verdict{false, reasonInvalid, strings.ReplaceAll(err.Error(), "\n", "; ")}
	}
	return verdict{true, reasonValid, ""}
}

// named says that everything an object refers to exists, or what does not.
func named(missing []string) verdict {
	if len(missing) > 0 {
		return verdict{false, reasonNotFound, strings.Join(missing, "; ")}
	}
	return verdict{true, reasonValid, ""}
}

// agrees says that no older object of the kind says otherwise, or which does.
func agrees(contradiction string) verdict {
	if contradiction != "" {
		return verdict{false, "Contradiction", contradiction}
	}
	return verdict{true, reasonValid, ""}
}

// first is the first of several verdicts that is not good, or the last.
func first(verdicts ...verdict) verdict {
	for _, v := range verdicts {
		if !v.ok {
			return v
		}
	}
	return verdicts[len(verdicts)-1]
}

// set puts a verdict into the conditions of an object.
func (l *Loop) set(conditions *[]metav1.Condition, object client.Object, kind string, v verdict) {
	c := l.condition(kind, v.ok, v.reason, v.message)
	c.ObservedGeneration = object.GetGeneration()
	meta.SetStatusCondition(conditions, c)
}

// put writes the status of an object of ours if the change makes a difference. The object given belongs to the cache.
func put[T client.Object](ctx context.Context, l *Loop, kind string, cached T, change func(T)) error {
	want, ok := cached.DeepCopyObject().(T)
	if !ok {
		return fmt.Errorf("a copy of %s is of another type", kind)
	}
	change(want)
	if equality.Semantic.DeepEqual(cached, want) {
		return nil
	}
	err := l.client.Status().Patch(ctx, want, client.MergeFromWithOptions(cached, client.MergeFromWithOptimisticLock{}))
	l.metrics.wrote(kind, err)
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("write the status of %s %s: %w", kind, cached.GetName(), err)
	}
	return nil
}

// reportObjects writes the status of everything of our group: what is wrong with it, and how much of it is used.
func (l *Loop) reportObjects(ctx context.Context, s *snapshot, plan *ipam.Plan, contradictions map[string]string) error {
	names := newDirectory(s)
	errs := []error{l.reportPools(ctx, s, plan), l.reportReservations(ctx, s, plan), l.reportPeers(ctx, s, names)}
	for _, o := range s.ParsedL2Advertisements {
		errs = append(errs, put(ctx, l, "L2Advertisement", o.Object, func(want *v1beta1.L2Advertisement) {
			want.Status.ObservedGeneration = want.Generation
			l.set(&want.Status.Conditions, want, v1beta1.ConditionReady, first(valid(o.Value.Err), named(names.pools.missing("pool", o.Value.Pools))))
		}))
	}
	for _, o := range s.ParsedBGPAdvertisements {
		errs = append(errs, put(ctx, l, "BGPAdvertisement", o.Object, func(want *v1beta1.BGPAdvertisement) {
			want.Status.ObservedGeneration = want.Generation
			_, err := names.aliases.Resolve(o.Value.Communities)
			missing := append(names.pools.missing("pool", o.Value.Pools), names.peers.missing("peer", o.Value.Peers)...)
			l.set(&want.Status.Conditions, want, v1beta1.ConditionReady, first(valid(o.Value.Err), valid(err), named(missing), agrees(contradictions[want.Name])))
		}))
	}
	for _, o := range s.ParsedBFDProfiles {
		errs = append(errs, put(ctx, l, "BFDProfile", o.Object, func(want *v1beta1.BFDProfile) {
			want.Status.ObservedGeneration = want.Generation
			l.set(&want.Status.Conditions, want, v1beta1.ConditionReady, valid(nil))
		}))
	}
	for _, o := range s.Communities {
		errs = append(errs, put(ctx, l, "Community", o, func(want *v1beta1.Community) {
			want.Status.ObservedGeneration = want.Generation
			l.set(&want.Status.Conditions, want, v1beta1.ConditionReady, valid(names.problems[o.Name]))
		}))
	}
	return errors.Join(errs...)
}
