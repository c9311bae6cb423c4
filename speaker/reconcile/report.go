package reconcile

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/bfdsession"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/status"
	"github.com/daymark-lb/daymark/speaker/bfd"
	"github.com/daymark-lb/daymark/speaker/bgp"
	"github.com/daymark-lb/daymark/speaker/gossip"
	"github.com/daymark-lb/daymark/speaker/layer2"
)

const (
	// reportPace is the shortest time between two writes of the Speaker object.
	reportPace = time.Second
	// reportTimeout of one write; a speaker lives on without the API server.
	reportTimeout = 10 * time.Second
	// reportRetry is the wait after a write that failed.
	reportRetry = 3 * time.Second
)

// status is what to say of this speaker: the plan as it truly went.
func (l *Loop) status(now *cluster, failed error) Report {
	held, view := l.exec.Layer2.Held(), now.view
	report := Report{Status: v1beta1.SpeakerStatus{
		Members: int32(len(view.Alive)), //nolint:gosec // the number of nodes
		Layer2:  heldStatus(held, l.exec.Layer2.Conflicts()),
		BGP:     l.sessionStatus(l.exec.BGP.Status(), l.exec.BFD.Status()),
	}}
	if address := l.exec.Gossip.Address(); address.IsValid() {
		report.Status.GossipAddress = address.String()
	}
	report.conditions = []metav1.Condition{
		readyCondition(failed),
		membership(now.world.Members.Known, view),
	}
	_, reported := now.speakers[l.cfg.Node]
	report.owner, report.missing = now.node(l.cfg.Node), !reported
	return report
}

func membership(known bool, view gossip.View) metav1.Condition {
	c := metav1.Condition{Type: v1beta1.ConditionMembershipKnown, Status: truth(known), Reason: status.Known.Name, Message: shorten(view.Why, mostMessage)}
	if !known {
		c.Reason = status.Unknown.Name
	}
	if view.Known && !known {
		c.Message = "the other speakers cannot know of this one before its Speaker object says where it gossips"
	}
	return c
}

func truth(is bool) metav1.ConditionStatus {
	if is {
		return metav1.ConditionTrue
	}
	return metav1.ConditionFalse
}

// readyCondition is True when there is no error, and otherwise False with the error.
func readyCondition(err error) metav1.Condition {
	c := metav1.Condition{
		Type: v1beta1.ConditionReady, Status: metav1.ConditionTrue, Reason: status.Ready.Name,
		Message: "all of what this node should announce is announced",
	}
	if err != nil {
		c.Status, c.Reason, c.Message = metav1.ConditionFalse, status.Failed.Name, shorten(err.Error(), mostMessage)
	}
	return c
}

func heldStatus(held []layer2.Held, conflicts []layer2.Conflict) v1beta1.SpeakerLayer2 {
	var status v1beta1.SpeakerLayer2
	for _, c := range conflicts[:min(len(conflicts), v1beta1.SpeakerConflictLimit)] {
		status.Conflicts = append(status.Conflicts, v1beta1.AddressConflict{
			Address: c.Addr.String(), MAC: c.MAC, Interface: c.Interface, Since: metav1.NewTime(c.Since).Rfc3339Copy(), Announced: c.Announced,
		})
	}
	for _, h := range held {
		if lb.FamilyOf(h.Addr) == lb.IPv6 {
			status.IPv6++
		} else {
			status.IPv4++
		}
		if len(status.Held) < v1beta1.SpeakerListLimit {
			status.Held = append(status.Held, v1beta1.HeldAddress{
				Address: h.Addr.String(), Interfaces: h.Interfaces, Since: metav1.NewTime(h.Since).Rfc3339Copy(),
			})
		}
	}
	return status
}

func (l *Loop) sessionStatus(sessions []bgp.Status, watches []bfd.Status) []v1beta1.BGPSession {
	states := make(map[string]string, len(watches))
	for i := range watches {
		for _, session := range l.paths.sharers(watches[i].Name) {
			states[session] = bfdState(&watches[i])
			if l.paths.isParting(session) {
				states[session] += ", and not heeded: BFD is taken from this session, and waits for the router to do the same"
			}
		}
	}
	var list []v1beta1.BGPSession
	trying := make(map[string]time.Time, len(sessions))
	for _, s := range sessions[:min(len(sessions), v1beta1.SpeakerListLimit)] {
		entry := v1beta1.BGPSession{
			Peer: s.Peer, Address: s.Address, State: s.State, Since: metav1.NewTime(s.Since).Rfc3339Copy(),
			LastError: shorten(s.LastError, mostWords), IPv4: int32(s.IPv4), IPv6: int32(s.IPv6), //nolint:gosec // numbers of Services
			HoldTime: metav1.Duration{Duration: s.HoldTime}, KeepaliveTime: metav1.Duration{Duration: s.KeepaliveTime},
			Warning: shorten(strings.Join(s.Warnings, "; "), mostWords), BFD: shorten(states[s.Name], mostWords),
		}
		if s.State != v1beta1.BGPEstablished {
			// A router that refuses us again and again is no news, and all others read what is written here.
			since, known := l.trying[s.Name]
			if !known {
				since = s.Since
			}
			trying[s.Name] = since
			entry.State, entry.Since = v1beta1.BGPActive, metav1.NewTime(since).Rfc3339Copy()
		}
		for _, family := range s.Families {
			entry.Families = append(entry.Families, v1beta1.AddressFamily(family.String()))
		}
		list = append(list, entry)
	}
	l.trying = trying
	return list
}

// bfdState is the state of a BFD session, with what is wrong when it is not up.
func bfdState(s *bfd.Status) string {
	text := s.State.String()
	if why := cmp.Or(s.Problem, s.LastDown); why != "" && s.State != bfdsession.Up {
		text += ": " + why
	}
	return text
}

// What the schema allows for a text about a session, in characters, and what a person would read of a condition.
const (
	mostWords   = 512
	mostMessage = 4096
)

// shorten keeps a text within a number of characters.
func shorten(text string, most int) string {
	runes := []rune(text)
	return string(runes[:min(len(runes), most)])
}

// Report is what there is to say of this speaker.
type Report struct {
	Status     v1beta1.SpeakerStatus
	conditions []metav1.Condition
	owner      *lb.Node
	// missing: the object was not there when the cluster was looked at.
	missing bool
}

// Reporter writes the Speaker object of one node: when it changed, and at most once a second.
type Reporter struct {
	node   string
	client client.Client
	log    *slog.Logger

	mu     sync.Mutex
	newest *Report
	wake   chan struct{}
}

// NewReporter makes a Reporter that writes with a client; nothing is written before Start.
func NewReporter(node string, c client.Client, log *slog.Logger) *Reporter {
	return &Reporter{node: node, client: c, log: log, wake: make(chan struct{}, 1)}
}

// Set says what to write. It does not wait for the write.
func (r *Reporter) Set(report Report) {
	r.mu.Lock()
	r.newest = &report
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Start writes until ctx ends.
func (r *Reporter) Start(ctx context.Context) error {
	written := &v1beta1.Speaker{}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.wake:
		}
		wait := reportPace
		if err := r.write(ctx, written); err != nil && ctx.Err() == nil {
			r.log.Warn("Speaker object not written, trying again", "error", err)
			wait = reportRetry
			written = &v1beta1.Speaker{} // look again at what is there
			r.again()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// NeedLeaderElection is false: every speaker writes its own object.
func (r *Reporter) NeedLeaderElection() bool { return false }

func (r *Reporter) again() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// write brings the object up to date; written is the object as it was last seen, empty when it was not.
func (r *Reporter) write(ctx context.Context, written *v1beta1.Speaker) error {
	ctx, cancel := context.WithTimeout(ctx, reportTimeout)
	defer cancel()
	r.mu.Lock()
	report := *r.newest
	r.mu.Unlock()
	if written.UID == "" || report.missing {
		if err := r.open(ctx, written, report.owner); err != nil {
			return err
		}
	}
	desired := report.Status
	desired.Conditions = append([]metav1.Condition(nil), written.Status.Conditions...)
	for _, condition := range report.conditions {
		condition.Message = cmp.Or(condition.Message, condition.Reason)
		meta.SetStatusCondition(&desired.Conditions, condition)
	}
	if equality.Semantic.DeepEqual(desired, written.Status) {
		return nil
	}
	next := written.DeepCopy()
	next.Status = desired
	if err := r.client.Status().Update(ctx, next); err != nil {
		return fmt.Errorf("update the status of Speaker %s: %w", r.node, err)
	}
	*written = *next
	return nil
}

// open reads the object, and makes it where there is none. The Node owns it, so that it goes with the Node.
func (r *Reporter) open(ctx context.Context, speaker *v1beta1.Speaker, owner *lb.Node) error {
	err := r.client.Get(ctx, client.ObjectKey{Name: r.node}, speaker)
	if err == nil {
		return nil
	}
	if !apierrors.IsNotFound(err) {
		return fmt.Errorf("get Speaker %s: %w", r.node, err)
	}
	if owner == nil {
		return fmt.Errorf("create Speaker %s: there is no Node of this name", r.node)
	}
	*speaker = v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{
		Name:            r.node,
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: owner.Name, UID: owner.UID}},
	}}
	if err := r.client.Create(ctx, speaker); err != nil {
		return fmt.Errorf("create Speaker %s: %w", r.node, err)
	}
	return nil
}
