package reconcile

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/liveness"
)

// leasesInterval is the time between two looks at the Leases of the monitors.
const leasesInterval = 4 * time.Second

// maxLeaseDuration bounds what a Lease says of itself.
const maxLeaseDuration = time.Minute

// monitors finds out which speakers are gone, by the Leases of the few that speak for all. It asks the API server for them in place
// of watching: only the leader needs them, and an API server that does not answer is not taken for speakers that are gone.
type monitors struct {
	namespace string
	// direct reads from the API server and not from the cache.
	direct client.Reader
	// work calls a function if this process leads, as Leader.Work does.
	work  func(func(ctx context.Context, term int) error) (led bool, err error)
	wakes chan struct{}

	mu      sync.Mutex
	judge   liveness.Judge
	verdict liveness.Verdict
	// marked are the nodes whose Speaker object has been seen to say that the speaker is gone.
	marked map[string]bool
}

func newMonitors(namespace string, work func(func(ctx context.Context, term int) error) (bool, error)) *monitors {
	return &monitors{namespace: namespace, work: work, wakes: make(chan struct{}, 1), marked: map[string]bool{}}
}

// Start looks until ctx ends.
func (o *monitors) Start(ctx context.Context) error {
	ticker := time.NewTicker(leasesInterval)
	defer ticker.Stop()
	for {
		led, err := o.work(func(leading context.Context, _ int) error { return o.look(leading) })
		if !led || err != nil {
			o.forget()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// NeedLeaderElection is false: who leads is asked each time.
func (o *monitors) NeedLeaderElection() bool { return false }

// look takes in all Leases, and wakes the loop when another speaker is gone or back.
func (o *monitors) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, leasesInterval)
	defer cancel()
	var list coordinationv1.LeaseList
	if err := o.direct.List(ctx, &list, client.InNamespace(o.namespace), client.HasLabels{v1beta1.LabelSpeaker}); err != nil {
		return fmt.Errorf("list the Leases of the speakers: %w", err)
	}
	leases := make([]liveness.Lease, 0, len(list.Items))
	for i := range list.Items {
		if node, ok := strings.CutPrefix(list.Items[i].Name, v1beta1.SpeakerObjectName("")); ok {
			leases = append(leases, parseLease(node, &list.Items[i]))
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	before := o.verdict
	if o.verdict = o.judge.Look(time.Now(), leases); !o.verdict.Equal(&before) {
		notify(o.wakes)
	}
	return nil
}

// parseLease reads a Lease. Whose it is is not what it says, but its name: which one a speaker may write goes by that.
func parseLease(node string, from *coordinationv1.Lease) liveness.Lease {
	lease := liveness.Lease{Node: node, Renewed: from.ResourceVersion, Duration: liveness.Duration}
	if seconds := from.Spec.LeaseDurationSeconds; seconds != nil && *seconds > 0 {
		lease.Duration = min(time.Duration(*seconds)*time.Second, maxLeaseDuration)
	}
	if text := from.Annotations[v1beta1.AnnotationMissing]; text != "" {
		lease.Missing = strings.Split(text, ",")
	}
	return lease
}

// forget drops all that was seen: others may have been at work since.
func (o *monitors) forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.judge, o.verdict = liveness.Judge{}, liveness.Verdict{}
}

// gone reports whether a speaker is gone. Marked: its Speaker object says so. Who takes that back is not gone: only the speaker does.
// Renews: it is of a version that does; of another one nothing is known.
func (o *monitors) gone(node string, marked, renews bool, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	gone := renews && o.verdict.Gone(node)
	if gone && !marked && o.marked[node] {
		o.verdict, gone = o.judge.Heard(now, node), false
	}
	o.marked[node] = marked
	return gone
}

// speakerWrites mark the Speaker objects of speakers that are gone though their node is ready, and take the mark from those that are of
// a version of which that cannot be known. What the others of them say is theirs.
func (l *Loop) speakerWrites(s *snapshot) (writes []*write) {
	up := make(map[string]bool, len(s.Nodes))
	for _, node := range s.Nodes {
		up[node.Name] = !node.Down
	}
	gone := 0
	for _, speaker := range s.Speakers {
		marked := lb.SpeakerGone(speaker)
		if marked && up[speaker.Name] {
			gone++
		}
		renews := lb.SpeakerRenews(speaker)
		if marked && !renews {
			writes = statusWrite(l, writes, "Speaker", speaker, unmarkGone)
		}
		if up[speaker.Name] && l.monitors.gone(speaker.Name, marked, renews, l.now()) && !marked {
			writes = statusWrite(l, writes, "Speaker", speaker, func(o *v1beta1.Speaker) { markGone(o, l.now()) })
		}
	}
	l.counted.speakersGone = gone
	return writes
}

// markGone makes a Speaker object say that its speaker is gone.
func markGone(o *v1beta1.Speaker, now time.Time) {
	meta.SetStatusCondition(&o.Status.Conditions, metav1.Condition{
		Type: v1beta1.ConditionReady, Status: metav1.ConditionUnknown, Reason: v1beta1.ReasonSpeakerGone,
		LastTransitionTime: metav1.NewTime(now),
		Message: fmt.Sprintf("node %s is ready, and nobody has heard of its speaker for %v or longer: what else stands here is what it said last",
			o.Name, liveness.Grace),
	})
}

// unmarkGone takes that back. What stood there before is not known any more, and the speaker writes it with its next change.
func unmarkGone(o *v1beta1.Speaker) {
	meta.RemoveStatusCondition(&o.Status.Conditions, v1beta1.ConditionReady)
}
