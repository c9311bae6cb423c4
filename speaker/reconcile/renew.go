package reconcile

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/liveness"
	"github.com/daymark-lb/daymark/internal/progress"
)

const (
	// maxMissingBytes bounds the names in a Lease.
	maxMissingBytes = 128 << 10
	// renewRetryInterval is the wait after a renewal that failed.
	renewRetryInterval = 2 * time.Second
	// maxObservationAge is the age from which on an observation is not passed on: the loop does not come to its end any more.
	maxObservationAge = 3 * liveness.LookInterval
)

// Observation is what a pass of a monitor has seen of the others.
type Observation struct {
	// Observing: this speaker is a monitor; if it is not, no Lease is renewed.
	Observing bool
	// Alone: it knows of no other speaker.
	Alone bool
	// Missing are the nodes whose speakers it misses.
	Missing []string
	// Owner of the Lease; nil: there is no Node of this name.
	Owner *lb.Node
}

// Renewer renews the Lease of a speaker that is a monitor: at the interval of internal/core/liveness, sooner when somebody else is
// missing. It does not when no pass has told it anything for some time.
type Renewer struct {
	node, namespace string
	client          client.Client
	steps           progress.Steps
	log             *slog.Logger

	mu     sync.Mutex
	newest Observation
	// at is when newest was told.
	at   time.Time
	wake chan struct{}
}

// NewRenewer makes a Renewer that writes with a client; nothing is written before Start.
func NewRenewer(node, namespace string, c client.Client, log *slog.Logger) *Renewer {
	return &Renewer{node: node, namespace: namespace, client: c, log: log, wake: make(chan struct{}, 1)}
}

// Set says what has been observed. It does not wait until it is written.
func (r *Renewer) Set(o Observation) {
	r.mu.Lock()
	r.newest, r.at = o, time.Now()
	r.mu.Unlock()
	notify(r.wake)
}

// Start renews until ctx ends.
func (r *Renewer) Start(ctx context.Context) error {
	var (
		lease *coordinationv1.Lease // as it was last written; nil: it has to be read
		due   time.Time
		timer = time.NewTimer(0)
	)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.wake:
		case <-timer.C:
		}
		o, ok := r.observation()
		if !ok {
			continue // until the next pass
		}
		if lease != nil && missingText(o.Missing) != lease.Annotations[v1beta1.AnnotationMissing] {
			due = minTime(due, lease.Spec.RenewTime.Add(reportInterval))
		}
		if time.Now().Before(due) {
			timer.Reset(time.Until(due))
			continue
		}
		renewed, err := r.renew(ctx, lease, o)
		lease, due = renewed, time.Now().Add(renewInterval(o))
		if err != nil {
			lease, due = nil, time.Now().Add(renewRetryInterval)
			r.log.Warn("Lease not renewed, trying again", "error", err)
		}
		timer.Reset(time.Until(due))
	}
}

// observation returns what has been observed; false: there is nothing to renew.
func (r *Renewer) observation() (Observation, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.newest, r.newest.Observing && r.newest.Owner != nil && time.Since(r.at) < maxObservationAge
}

// renew writes the Lease, given as it was last written, and returns it as it is now.
func (r *Renewer) renew(ctx context.Context, last *coordinationv1.Lease, o Observation) (*coordinationv1.Lease, error) {
	defer r.steps.Begin("renews the Lease")()
	ctx, cancel := context.WithTimeout(ctx, liveness.RenewInterval)
	defer cancel()
	next := last.DeepCopy()
	if next == nil {
		next = &coordinationv1.Lease{}
		key := client.ObjectKey{Namespace: r.namespace, Name: v1beta1.SpeakerObjectName(r.node)}
		err := r.client.Get(ctx, key, next)
		if err != nil && !apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("get Lease %s: %w", key.Name, err)
		}
		next.Namespace, next.Name = key.Namespace, key.Name
	}
	r.fill(next, o)
	write := func() error { return r.client.Update(ctx, next) }
	if next.ResourceVersion == "" {
		write = func() error { return r.client.Create(ctx, next) }
	}
	if err := write(); err != nil {
		return nil, fmt.Errorf("write Lease %s: %w", next.Name, err)
	}
	return next, nil
}

// fill sets what a Lease says.
func (r *Renewer) fill(lease *coordinationv1.Lease, o Observation) {
	duration := liveness.Duration
	if o.Alone {
		duration = liveness.LonelyDuration
	}
	seconds, now := int32(duration/time.Second), metav1.NowMicro()
	lease.Labels = map[string]string{v1beta1.LabelSpeaker: ""}
	lease.OwnerReferences = []metav1.OwnerReference{o.Owner.Owner()}
	lease.Annotations = nil
	if text := missingText(o.Missing); text != "" {
		lease.Annotations = map[string]string{v1beta1.AnnotationMissing: text}
	}
	lease.Spec = coordinationv1.LeaseSpec{HolderIdentity: &r.node, LeaseDurationSeconds: &seconds, RenewTime: &now}
}

// missingText names nodes, as many as there is room for.
func missingText(nodes []string) string {
	text := strings.Join(nodes, ",")
	if len(text) > maxMissingBytes {
		text = text[:strings.LastIndexByte(text[:maxMissingBytes], ',')]
	}
	return text
}

func renewInterval(o Observation) time.Duration {
	if o.Alone {
		return liveness.LonelyRenewInterval
	}
	return liveness.RenewInterval
}

func minTime(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
