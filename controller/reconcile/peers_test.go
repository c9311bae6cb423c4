package reconcile

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/e2e/lab"
)

func TestLoop_Peers(t *testing.T) {
	c := newCluster(t)
	r := c.start(t)
	for _, test := range []struct {
		name string
		test func(*testing.T, *testCluster, *running)
	}{
		{"a peer is ready while sessions fail, and names the nodes that have none", peerSessions},
		{"nodes where no speaker can run make no condition False", nodesWithoutSpeaker},
		{"an object that nobody has looked at is in progress, one that is not understood fails, and one in use is current", statesOfObjects},
		{"sessions that flap cost a bounded number of writes", flapsAreBounded},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Cleanup(func() { c.deleteAll(t) })
			test.test(t, c, r)
		})
	}
}

// speaker makes the Speaker object of a node, or changes it, to have one session.
func (c *testCluster) session(t *testing.T, node string, session v1beta1.BGPSession) {
	t.Helper()
	session.Since = metav1.Now()
	lab.Eventually(t, timeout, "the speaker of "+node+" reports", func() error {
		s := &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: node}}
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(s), s); client.IgnoreNotFound(err) != nil {
			return err
		}
		if s.UID == "" {
			if err := c.Create(t.Context(), s); err != nil {
				return err
			}
		}
		s.Status.BGP, s.Status.Layer2.Held = []v1beta1.BGPSession{session}, []v1beta1.HeldAddress{}
		return c.Status().Update(t.Context(), s)
	})
}

// says waits until a condition of an object has a status, a reason and a message.
func (c *testCluster) says(t *testing.T, object client.Object, kind, want string) {
	t.Helper()
	lab.Eventually(t, timeout, fmt.Sprintf("%s of %s is %s", kind, object.GetName(), want), func() error {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		condition := meta.FindStatusCondition(*conditionsOf(object), kind)
		if condition == nil {
			return errors.New("it has no such condition")
		}
		if got := fmt.Sprintf("%s %s: %s", condition.Status, condition.Reason, condition.Message); got != want {
			return errors.New(got)
		}
		return nil
	})
}

func peerSessions(t *testing.T, c *testCluster, _ *running) {
	p := c.peer(t, "tor", func(spec *v1beta1.BGPPeerSpec) {
		spec.NodeSelectors = []v1beta1.LabelSelector{{MatchExpressions: []v1beta1.LabelSelectorRequirement{
			{Key: "name", Operator: metav1.LabelSelectorOpNotIn, Values: []string{"n4"}},
		}}}
	})
	for i, name := range []string{"n1", "n2", "n3", "n4"} {
		c.node(t, name, fmt.Sprintf("198.51.100.%d", i+1))
	}
	c.session(t, "n1", v1beta1.BGPSession{Peer: "other", State: v1beta1.BGPEstablished})
	c.says(t, p, v1beta1.ConditionReady, "False NotInUse: no speaker has taken it up")
	c.computes(t, p, kstatusInProgress)
	c.session(t, "n2", v1beta1.BGPSession{Peer: "tor", State: v1beta1.BGPActive, LastError: "connect to 192.0.2.254:179: connection refused"})
	c.says(t, p, v1beta1.ConditionSessionsEstablished, "False NotEstablished: 0 of 2 nodes have their sessions; "+
		"n1: its speaker has not started a session yet; n2: connect to 192.0.2.254:179: connection refused; not ready: n3")
	c.computes(t, p, kstatusCurrent)
	if p.Status.Nodes != 2 || p.Status.Established != 0 {
		t.Errorf("it counts %d of %d", p.Status.Established, p.Status.Nodes)
	}
	c.session(t, "n1", v1beta1.BGPSession{Peer: "tor", State: v1beta1.BGPEstablished})
	c.session(t, "n2", v1beta1.BGPSession{Peer: "tor", State: v1beta1.BGPEstablished})
	c.says(t, p, v1beta1.ConditionSessionsEstablished, "True Established: 2 of 2 nodes have their sessions; not ready: n3")
}

func nodesWithoutSpeaker(t *testing.T, c *testCluster, _ *running) {
	p := c.peer(t, "tor")
	now := metav1.NewTime(time.Now().Truncate(time.Second))
	for _, n := range []struct {
		name, system string
		ready        corev1.ConditionStatus
		since        time.Duration
	}{
		{"n1", "linux", corev1.ConditionTrue, time.Hour},
		{"edge", "linux", corev1.ConditionTrue, time.Hour},
		{"new", "linux", corev1.ConditionTrue, 5*time.Minute - 4*time.Second}, // It is said in 4 s, without being woken.
		{"off", "linux", corev1.ConditionUnknown, time.Hour},
		{"w1", "windows", corev1.ConditionTrue, time.Hour},
	} {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: n.name, Labels: map[string]string{corev1.LabelOSStable: n.system}}}
		must(t, c.Create(t.Context(), node))
		node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: n.ready, LastTransitionTime: metav1.NewTime(now.Add(-n.since))}}
		must(t, c.Status().Update(t.Context(), node))
	}
	c.session(t, "n1", v1beta1.BGPSession{Peer: "tor", State: v1beta1.BGPEstablished})
	c.says(t, p, v1beta1.ConditionSessionsEstablished, "True Established: 1 of 1 nodes have their sessions; no speaker runs on edge, new; not ready: off")
	c.says(t, p, v1beta1.ConditionReady, "True InUse: ")
	c.computes(t, p, kstatusCurrent)
}

// statesOfObjects goes through the states that Flux and others tell apart.
func statesOfObjects(t *testing.T, c *testCluster, r *running) {
	longPrefix := strings.Repeat("a", 254) + "/no-key" // which the schema cannot tell
	near := []v1beta1.LabelSelector{{MatchLabels: map[string]v1beta1.LabelValue{longPrefix: "x"}}}
	r.stop()
	pool := c.pool(t, "blue", "192.0.2.0/30")
	peer := c.peer(t, "tor")
	l2 := &v1beta1.L2Advertisement{ObjectMeta: metav1.ObjectMeta{Name: "l2"}}
	bgp := &v1beta1.BGPAdvertisement{ObjectMeta: metav1.ObjectMeta{Name: "bgp"}}
	profile := &v1beta1.BFDProfile{ObjectMeta: metav1.ObjectMeta{Name: "fast"}}
	community := &v1beta1.Community{ObjectMeta: metav1.ObjectMeta{Name: "c"}}
	reservation := &v1beta1.IPReservation{ObjectMeta: metav1.ObjectMeta{Name: "r"}}
	community.Spec.Communities = []v1beta1.CommunityAlias{{Name: "blue", Value: "64512:1"}}
	reservation.Spec.Addresses = []v1beta1.AddressRange{"192.0.2.1"}
	reservation.Spec.ServiceRef = &v1beta1.ServiceReference{Namespace: "default", Name: "web"}
	all := []client.Object{pool, peer, l2, bgp, profile, community, reservation}
	for _, object := range all {
		if object.GetUID() == "" {
			must(t, c.Create(t.Context(), object))
		}
		c.computes(t, object, kstatusInProgress)
	}
	c.start(t)
	for _, object := range all {
		c.computes(t, object, kstatusCurrent)
	}
	edit(t, c, l2, func(a *v1beta1.L2Advertisement) { a.Spec.NodeSelectors = near })
	edit(t, c, bgp, func(a *v1beta1.BGPAdvertisement) { a.Spec.NodeSelectors = near })
	edit(t, c, peer, func(p *v1beta1.BGPPeer) { p.Spec.NodeSelectors = near })
	for _, object := range []client.Object{l2, bgp, peer} {
		c.computes(t, object, kstatusFailed)
	}
	edit(t, c, l2, func(a *v1beta1.L2Advertisement) { a.Spec.NodeSelectors, a.Spec.IPAddressPools = nil, []string{"gone"} })
	c.computes(t, l2, kstatusInProgress) // A pool of this name may come.
	edit(t, c, l2, func(a *v1beta1.L2Advertisement) { a.Spec.IPAddressPools = nil })
	c.computes(t, l2, kstatusCurrent)
}

func flapsAreBounded(t *testing.T, c *testCluster, _ *running) {
	r := c.start(t) // The one before has ended.
	p := c.peer(t, "tor")
	const nodes, flaps = 20, 5
	for i := range nodes {
		c.node(t, fmt.Sprintf("n%02d", i), fmt.Sprintf("198.51.100.%d", i+1))
	}
	began := time.Now()
	for flap := range flaps {
		state := []v1beta1.BGPSessionState{v1beta1.BGPEstablished, v1beta1.BGPActive}[flap%2]
		for i := range nodes {
			c.session(t, fmt.Sprintf("n%02d", i), v1beta1.BGPSession{Peer: "tor", State: state, LastError: fmt.Sprintf("error %d", flap)})
		}
	}
	c.says(t, p, v1beta1.ConditionSessionsEstablished, "True Established: 20 of 20 nodes have their sessions")
	most := int(time.Since(began)/countsInterval) + 2
	if n := r.writes(t, "BGPPeer", "success"); n == 0 || n > most {
		t.Errorf("%d reports of speakers cost %d writes in %s, want %d at most", nodes*flaps, n, time.Since(began).Round(time.Millisecond), most)
	}
}
