package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// reports makes a Node that is ready, and a Speaker that reports a session with the peer tor and that it knows the others.
func (c *testCluster) reports(t *testing.T, node, address string) *v1beta1.Speaker {
	t.Helper()
	c.node(t, node, address)
	s := &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: node}}
	must(t, c.Create(t.Context(), s))
	c.report(t, s)
	return s
}

// report writes what a speaker says of itself.
func (c *testCluster) report(t *testing.T, s *v1beta1.Speaker) {
	t.Helper()
	edit := func() error {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(s), s); err != nil {
			return err
		}
		s.Status.Version = "v0.2.0"
		s.Status.BGP = []v1beta1.BGPSession{{Peer: "tor", State: v1beta1.BGPEstablished, Since: metav1.Now()}}
		s.Status.Layer2.Held = []v1beta1.HeldAddress{{Address: "192.0.2.0", Interfaces: []string{"eth0"}, Since: metav1.Now()}}
		for _, kind := range []string{v1beta1.ConditionReady, v1beta1.ConditionMembershipKnown} {
			meta.SetStatusCondition(&s.Status.Conditions, metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Reason: "Known"})
		}
		return c.Status().Update(t.Context(), s)
	}
	lab.Eventually(t, timeout, "speaker "+s.Name+" reports", edit)
}

// lease makes the Lease of a monitor, or writes it again.
func (c *testCluster) lease(t *testing.T, node, missing string, seconds int32) {
	t.Helper()
	now := metav1.NowMicro()
	lab.Eventually(t, timeout, "renew the Lease of "+node, func() error {
		l := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: daymarkNamespace, Name: v1beta1.SpeakerObjectName(node)}}
		err := client.IgnoreNotFound(c.Get(t.Context(), client.ObjectKeyFromObject(l), l))
		l.Labels, l.Annotations = map[string]string{v1beta1.LabelSpeaker: ""}, map[string]string{v1beta1.AnnotationMissing: missing}
		l.Spec = coordinationv1.LeaseSpec{HolderIdentity: &node, LeaseDurationSeconds: &seconds, RenewTime: &now}
		if l.ResourceVersion == "" {
			return errors.Join(err, c.Create(t.Context(), l))
		}
		return errors.Join(err, c.Update(t.Context(), l))
	})
}

// counted waits until the peer tor counts some nodes with a session.
func (c *testCluster) counted(t *testing.T, established int32) *v1beta1.BGPPeer {
	t.Helper()
	p := &v1beta1.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: "tor"}}
	lab.Eventually(t, 35*time.Second, fmt.Sprintf("%d nodes count as having a session", established), func() error {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(p), p); err != nil {
			return err
		}
		if p.Status.Established != established {
			return fmt.Errorf("it counts %d of %d", p.Status.Established, p.Status.Nodes)
		}
		return nil
	})
	return p
}

func TestMonitors_ReportsOfSpeakersThatAreGoneAreOld(t *testing.T) {
	c := newCluster(t)
	c.pool(t, "blue", "192.0.2.0/28")
	must(t, c.Create(t.Context(), &v1beta1.L2Advertisement{ObjectMeta: metav1.ObjectMeta{Name: "lan"}}))
	c.peer(t, "tor")
	one, two := c.reports(t, "n1", "203.0.113.1"), c.reports(t, "n2", "203.0.113.2")
	web := c.service(t, "web")
	c.endpoint(t, "web", "203.0.113.7")
	c.lease(t, "n2", "", 60)
	r := c.start(t)
	c.counted(t, 2)
	c.reason(t, web, v1beta1.ConditionAnnounced, announce.ReasonAnnounced.Name)

	c.lease(t, "n2", "n1", 60)
	if p := c.counted(t, 1); !strings.Contains(meta.FindStatusCondition(p.Status.Conditions, v1beta1.ConditionSessionsEstablished).Message, "n1: its speaker is gone") {
		t.Errorf("the peer says %+v", p.Status.Conditions)
	}
	if m := c.reason(t, one, v1beta1.ConditionReady, v1beta1.ReasonSpeakerGone); !strings.Contains(m, "node n1 is ready, and nobody has heard of its speaker") {
		t.Errorf("the Speaker says %q", m)
	}
	if n := r.writes(t, "Speaker", "success"); n != 1 {
		t.Errorf("%d writes for one speaker", n)
	}
	c.reason(t, web, v1beta1.ConditionAnnounced, announce.ReasonAnnounced.Name) // by n2

	c.report(t, one) // It lives, whoever misses it.
	c.counted(t, 2)

	c.lease(t, "n2", "", 1) // This was the last renewal.
	began := time.Now()
	c.counted(t, 0)
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("all are gone after %s", took)
	}
	if m := c.reason(t, web, v1beta1.ConditionAnnounced, announce.ReasonNoNode.Name); !strings.Contains(m, "its speaker is not there") {
		t.Errorf("the Service says %q", m)
	}
	c.lease(t, "n2", "", 60)
	c.report(t, one)
	c.report(t, two)
	c.counted(t, 2)
	c.reason(t, web, v1beta1.ConditionAnnounced, announce.ReasonAnnounced.Name)
}

// reportOfVersion1 is a status as version 1 wrote it over that of a later speaker which was said to be gone. It replaces the
// whole status, and keeps conditions that it does not know.
const reportOfVersion1 = `{
	"bgp": [{"peer": "tor", "state": "Established", "since": "2026-11-26T05:00:00Z", "ipv4": 0, "ipv6": 0}],
	"gossipAddress": "203.0.113.1:7946",
	"layer2": {"ipv4": 0, "ipv6": 0},
	"members": 3,
	"network": {"addresses": ["203.0.113.1/24"], "gateways": ["203.0.113.254"]},
	"conditions": [
		{"type": "Ready", "status": "True", "reason": "Ready", "lastTransitionTime": "2026-11-26T05:00:01Z",
			"message": "all of what this node should announce is announced"},
		{"type": "AnswersLeaveElsewhere", "status": "False", "reason": "No", "message": "none", "lastTransitionTime": "2026-11-26T05:00:00Z"},
		{"type": "MembershipKnown", "status": "True", "reason": "Known", "message": "Known", "lastTransitionTime": "2026-11-26T05:00:01Z"}
	]
}`

// reportAs writes a recorded status.
func (c *testCluster) reportAs(t *testing.T, s *v1beta1.Speaker, recorded string) {
	t.Helper()
	lab.Eventually(t, timeout, "speaker "+s.Name+" reports", func() error {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(s), s); err != nil {
			return err
		}
		s.Status = v1beta1.SpeakerStatus{}
		if err := json.Unmarshal([]byte(recorded), &s.Status); err != nil {
			return err
		}
		return c.Status().Update(t.Context(), s)
	})
}

// A speaker that is put back to version 1 renews no Lease. That is no sign that it is gone.
func TestMonitors_DoNotJudgeWhoRenewsNoLease(t *testing.T) {
	c := newCluster(t)
	c.peer(t, "tor")
	one, two := c.reports(t, "n1", "203.0.113.1"), c.reports(t, "n2", "203.0.113.2")
	c.lease(t, "n2", "n1", 1)
	c.start(t)
	c.reason(t, one, v1beta1.ConditionReady, v1beta1.ReasonSpeakerGone)
	c.reason(t, two, v1beta1.ConditionReady, v1beta1.ReasonSpeakerGone)

	c.reportAs(t, one, reportOfVersion1)
	c.counted(t, 1)
	c.reportAs(t, two, strings.Replace(reportOfVersion1, `"True", "reason": "Ready"`, `"Unknown", "reason": "SpeakerGone"`, 1))
	c.counted(t, 2) // n2 had been marked by a controller that judged all.
	must(t, c.Get(t.Context(), client.ObjectKeyFromObject(two), two))
	if ready := meta.FindStatusCondition(two.Status.Conditions, v1beta1.ConditionReady); ready != nil {
		t.Errorf("n2 is still marked: %+v", ready)
	}
	c.report(t, two) // of this version, and missed by nobody who could
	c.reason(t, two, v1beta1.ConditionReady, v1beta1.ReasonSpeakerGone)
	c.counted(t, 1)
	must(t, c.Get(t.Context(), client.ObjectKeyFromObject(one), one))
	if lb.SpeakerGone(one) {
		t.Error("n1 is gone by Leases that it never had")
	}
}

// unreliable is an API server that fails to list.
type unreliable struct {
	client.Reader
	leases []coordinationv1.Lease
	fails  bool
}

func (u *unreliable) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	if u.fails {
		return errors.New("the API server is away")
	}
	list.(*coordinationv1.LeaseList).Items = u.leases
	return nil
}

// While the API server is away no Lease can be renewed: nobody is judged by that.
func TestMonitors_AnAPIServerThatIsAwaySaysNothing(t *testing.T) {
	api := &unreliable{leases: []coordinationv1.Lease{{ObjectMeta: metav1.ObjectMeta{
		Name: "speaker-n1", ResourceVersion: "1", Annotations: map[string]string{v1beta1.AnnotationMissing: "n2"},
	}}}}
	o := newMonitors(daymarkNamespace, func(f func(context.Context, int) error) (bool, error) { return true, f(t.Context(), 0) })
	o.direct = api
	now := time.Now()
	must(t, o.look(t.Context()))
	if !o.gone("n2", false, true, now) || o.gone("n1", false, true, now) {
		t.Error("n2 is not gone, or n1 is")
	}
	api.fails = true
	if o.look(t.Context()) == nil {
		t.Fatal("no error")
	}
	o.forget()
	if o.gone("n2", false, true, now) || o.gone("n1", false, true, now) {
		t.Error("somebody is gone by what was before")
	}
}

// A speaker that is missed by all and writes its own report is not marked again and again.
func TestMonitors_ASpeakerThatReportsIsNotFought(t *testing.T) {
	api := &unreliable{leases: []coordinationv1.Lease{{ObjectMeta: metav1.ObjectMeta{
		Name: "speaker-n1", ResourceVersion: "1", Annotations: map[string]string{v1beta1.AnnotationMissing: "n2"},
	}}}}
	o := newMonitors(daymarkNamespace, func(f func(context.Context, int) error) (bool, error) { return true, f(t.Context(), 0) })
	o.direct = api
	must(t, o.look(t.Context()))
	now := time.Now()
	if !o.gone("n2", false, true, now) {
		t.Error("n2 is not gone")
	}
	o.gone("n2", true, true, now) // The mark is seen,
	if o.gone("n2", false, true, now) {
		t.Error("it is gone though it has taken the mark back")
	}
	if o.gone("n2", false, true, now) {
		t.Error("it is gone in the next pass")
	}
	must(t, o.look(t.Context()))
	if o.gone("n2", false, true, now) {
		t.Error("it is gone at the next look")
	}
}
