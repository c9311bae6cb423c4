package reconcile

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/internal/bubble"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/liveness"
	"github.com/daymark-lb/daymark/speaker/gossip"
)

// observing is a pass of the speaker of n1 in a cluster of ten, n5 of which is missing and has been for long.
func observing(t *testing.T, self string) (o Observation, written *Report) {
	t.Helper()
	f := newFixture(t)
	f.cfg.Node = self
	seen, err := f.cluster(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	seen.published, seen.speakers = map[string]netip.AddrPort{}, map[string]netip.AddrPort{}
	seen.world.Nodes, seen.view = nil, f.gossip.view
	seen.view.Alive, seen.view.Why = nil, "n5 cannot be reached"
	seen.world.Members.Known = true
	for i := range 9 {
		node := fmt.Sprintf("n%d", i+1)
		seen.published[node] = netip.AddrPort{}
		seen.speakers[node] = netip.AddrPort{}
		seen.world.Nodes = append(seen.world.Nodes, &lb.Node{Name: node})
		if node != "n5" {
			seen.view.Alive = append(seen.view.Alive, node)
		}
	}
	f.observe(seen)
	time.Sleep(liveness.Grace)
	f.report(seen, nil, nil, f.observe(seen))
	return f.renewer.newest, f.reporter.newest
}

func TestMonitor_MissingSpeakerIsNamedByMonitors(t *testing.T) {
	for self, observes := range map[string]bool{"n1": true, "n3": true, "n4": false, "n9": false} {
		bubble.Test(t, func(t *testing.T) {
			o, written := observing(t, self)
			if o.Observing != observes || !slices.Equal(o.Missing, []string{"n5"}) {
				t.Errorf("%s: %+v", self, o)
			}
			membership := meta.FindStatusCondition(written.conditions, v1beta1.ConditionMembershipKnown)
			if named := strings.Contains(membership.Message, "n5"); named != observes {
				t.Errorf("%s says %q", self, membership.Message)
			}
			if counted := written.Status.Members == 8; counted != observes || !counted && written.Status.Members != 0 {
				t.Errorf("%s counts %d members", self, written.Status.Members)
			}
		})
	}
}

// A node that sees too little says so itself: the monitors of its own side may be others that are cut off as it is.
func TestMonitor_WhoIsCutOffTellsWhomItSees(t *testing.T) {
	for _, test := range []struct {
		name  string
		alive []string
		known bool
		// cannotConnect: it reaches nobody by TCP.
		cannotConnect bool
		tells         bool
	}{
		{"it sees all", []string{"n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8", "n9"}, true, false, false},
		{"it sees all by datagrams alone", []string{"n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8", "n9"}, true, true, true},
		{"it sees more than half", []string{"n1", "n2", "n3", "n4", "n9"}, true, false, false},
		{"it sees less than half", []string{"n1", "n2", "n3", "n9"}, true, false, true},
		{"it does not know whom it should see", []string{"n1", "n2", "n3", "n4", "n5", "n9"}, false, false, true},
	} {
		bubble.Test(t, func(t *testing.T) {
			f := newFixture(t)
			f.cfg.Node = "n9"
			seen, err := f.cluster(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			seen.speakers, seen.world.Nodes = map[string]netip.AddrPort{}, nil
			for i := range 9 {
				node := fmt.Sprintf("n%d", i+1)
				seen.speakers[node] = netip.AddrPort{}
				seen.world.Nodes = append(seen.world.Nodes, &lb.Node{Name: node})
			}
			seen.world.Members.Known = test.known
			seen.view = gossip.View{Alive: test.alive, Known: test.known, CannotConnect: test.cannotConnect, Why: "the others cannot be reached"}
			f.report(seen, nil, nil, false)
			written := f.reporter.newest
			why := meta.FindStatusCondition(written.conditions, v1beta1.ConditionMembershipKnown).Message
			if got := written.Status.Members; (got == int32(len(test.alive))) != test.tells || !test.tells && got != 0 {
				t.Errorf("%s: it counts %d members", test.name, got)
			}
			if named := strings.Contains(why, "cannot be reached"); named != test.tells {
				t.Errorf("%s: it says %q", test.name, why)
			}
		})
	}
}

// Speakers that were put back to version 1 leave their EndpointSlices behind, and are no monitors.
func TestMonitor_WhoWasPutBackToVersion1IsNone(t *testing.T) {
	f := newFixture(t)
	f.cfg.Node = "n4"
	seen, err := f.cluster(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	seen.world.Members.Known = true
	seen.view.Alive = []string{"n1", "n2", "n3", "n4"}
	seen.published = map[string]netip.AddrPort{"n1": {}, "n2": {}, "n3": {}, "n4": {}}
	for version, want := range map[int]bool{0: false, 1: true, 2: false, 3: false} {
		seen.view.Peers = map[string]gossip.Peer{"n1": {Version: version}, "n4": {Version: 2}}
		if got := f.observe(seen); got != want {
			t.Errorf("behind three, one of them of version %d, it is a monitor: %v", version, got)
		}
	}
}

// The others do not hear it, and it hears them: it speaks for itself from then on.
func TestMonitor_WhoIsSaidToBeGoneSpeaksForItself(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.cfg.Node = "n9"
		seen, err := f.cluster(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		seen.world.Members.Known = true
		seen.view.Alive = []string{"n1", "n2", "n3", "n9"}
		seen.published = map[string]netip.AddrPort{"n1": {}, "n2": {}, "n3": {}, "n9": {}}
		if f.observe(seen) {
			t.Error("it is a monitor before")
		}
		seen.own = &v1beta1.Speaker{Status: v1beta1.SpeakerStatus{Conditions: []metav1.Condition{
			{Type: v1beta1.ConditionReady, Status: metav1.ConditionUnknown, Reason: v1beta1.ReasonSpeakerGone},
		}}}
		if !f.observe(seen) {
			t.Error("it is no monitor")
		}
		f.report(seen, nil, nil, true)
		if !f.reporter.newest.reread {
			t.Error("the report is not written again")
		}
		seen.own = nil
		time.Sleep(liveness.AccusedInterval - time.Second)
		if !f.observe(seen) {
			t.Error("it is no monitor any more")
		}
		time.Sleep(time.Second)
		if f.observe(seen) {
			t.Error("it is a monitor for ever")
		}
	})
}

func TestMonitor_ASpeakerThatHasNotMetTheOthersIsNone(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := newFixture(t)
		seen, err := f.cluster(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if f.observe(seen) {
			t.Error("it observes at the start")
		}
		time.Sleep(membershipTimeout)
		if !f.observe(seen) || len(f.renewer.newest.Missing) > 0 {
			t.Errorf("where the gossip is cut it says %+v", f.renewer.newest)
		}
	})
}

func TestLoop_MonitorLooksAgain(t *testing.T) {
	f := newFixture(t)
	f.addNode()
	f.pass(t)
	f.pass(t)
	if wait := f.pass(t); wait == 0 || wait > liveness.LookInterval {
		t.Errorf("the next pass is in %s", wait)
	}
}

func TestRenewer_RenewsWhileTheLoopGoesOn(t *testing.T) {
	c := speakerAPI(t)
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}
	for _, object := range []client.Object{node, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}} {
		if err := c.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	r := NewRenewer("n1", namespace, c, slog.New(slog.DiscardHandler))
	go func() { _ = r.Start(t.Context()) }()
	lease := &coordinationv1.Lease{}
	says := func(missing string) {
		t.Helper()
		lab.Eventually(t, time.Minute, fmt.Sprintf("the Lease says %q", missing), func() error {
			if err := c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "speaker-n1"}, lease); err != nil {
				return err
			}
			if got := lease.Annotations[v1beta1.AnnotationMissing]; got != missing {
				return errors.New(got)
			}
			return nil
		})
	}
	owner := &lb.Node{Name: "n1", UID: node.UID}
	r.Set(Observation{Observing: true, Owner: owner})
	says("")
	first := lease.Spec.RenewTime.Time
	began := time.Now()
	r.Set(Observation{Observing: true, Missing: []string{"n2", "n3"}, Owner: owner})
	says("n2,n3")
	if took := time.Since(began); took > liveness.RenewInterval {
		t.Errorf("who is missing is said after %s", took)
	}
	if !lease.Spec.RenewTime.After(first) || *lease.Spec.LeaseDurationSeconds != 15 || len(lease.OwnerReferences) != 1 {
		t.Errorf("lease %+v", lease)
	}
	if _, labelled := lease.Labels[v1beta1.LabelSpeaker]; !labelled {
		t.Error("the controller does not find it")
	}
	if err := c.Delete(t.Context(), lease); err != nil {
		t.Fatal(err)
	}
	r.Set(Observation{Observing: true, Owner: owner})
	says("")
}

// Nobody is spoken for by a loop that does not come to its end any more, nor by one that is no monitor.
func TestRenewer_StopsWithTheLoop(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		r := NewRenewer("n1", namespace, nil, slog.New(slog.DiscardHandler))
		owner := &lb.Node{Name: "n1"}
		for _, step := range []struct {
			o    Observation
			wait time.Duration
			want bool
		}{
			{Observation{Observing: true, Owner: owner}, 0, true},
			{Observation{Observing: true, Owner: owner}, maxObservationAge - 1, true},
			{Observation{Observing: true, Owner: owner}, maxObservationAge, false},
			{Observation{Owner: owner}, 0, false},
			{Observation{Observing: true}, 0, false},
		} {
			r.Set(step.o)
			time.Sleep(step.wait)
			if _, ok := r.observation(); ok != step.want {
				t.Errorf("%+v after %s: renewed is %v", step.o, step.wait, ok)
			}
		}
	})
}

func TestMissingText_IsBounded(t *testing.T) {
	var nodes []string
	for i := range 10_000 {
		nodes = append(nodes, fmt.Sprintf("node-%05d.example.net", i))
	}
	text := missingText(nodes)
	if len(text) > maxMissingBytes || len(text) < maxMissingBytes-100 || !slices.Contains(nodes, text[strings.LastIndexByte(text, ',')+1:]) {
		t.Errorf("%d bytes that end in %q", len(text), text[len(text)-40:])
	}
}
