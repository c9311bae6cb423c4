package status

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/cluster"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// peerNow is the time in these tests, and longAgo one before every grace.
var (
	peerNow = time.Unix(1_000_000, 0)
	longAgo = peerNow.Add(-time.Hour)
)

// peerScene is a cluster with the peer tor.
type peerScene struct {
	cluster.Objects
	peer *lb.Peer
}

// node adds a node whose condition Ready is as it is since a time, the zero time for none, with labels.
func (s *peerScene) node(name string, ready bool, since time.Time, labels ...string) *peerScene {
	n := &lb.Node{Name: name, Down: !ready && !since.IsZero(), ReadyChanged: since, Labels: map[string]string{"name": name}}
	for i := 0; i < len(labels); i += 2 {
		n.Labels[labels[i]] = labels[i+1]
	}
	s.Nodes = append(s.Nodes, n)
	return s
}

// speaks adds a node that is ready, and the Speaker object of its speaker.
func (s *peerScene) speaks(name string, sessions ...v1beta1.BGPSession) *peerScene {
	return s.node(name, true, longAgo).object(name, sessions...)
}

// object adds a Speaker object.
func (s *peerScene) object(name string, sessions ...v1beta1.BGPSession) *peerScene {
	speaker := &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: name}}
	speaker.Status.BGP = sessions
	s.Speakers = append(s.Speakers, speaker)
	return s
}

// gone has the last Speaker object say that its speaker is gone.
func (s *peerScene) gone() *peerScene {
	meta.SetStatusCondition(&s.Speakers[len(s.Speakers)-1].Status.Conditions, metav1.Condition{
		Type: v1beta1.ConditionReady, Status: metav1.ConditionUnknown, Reason: v1beta1.ReasonSpeakerGone,
	})
	return s
}

// with changes the peer.
func (s *peerScene) with(change func(*lb.Peer)) *peerScene {
	change(s.peer)
	return s
}

// secret adds a Secret of one key, and has the peer refer to a key of it.
func (s *peerScene) secret(key, value, wanted string) *peerScene {
	s.Secrets = append(s.Secrets, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "tor"}, Data: map[string][]byte{key: []byte(value)}})
	s.peer.Password = &lb.SecretKey{Name: "tor", Key: wanted}
	return s
}

func (s *peerScene) status() Peer {
	references, _ := NewReferences(&s.Objects, peerNow)
	return references.Peer(s.peer)
}

func newPeerScene() *peerScene {
	return &peerScene{Objects: cluster.Objects{Pools: lb.NewPools(nil), BFDProfiles: []*lb.BFDProfile{{Name: "fast"}}}, peer: parsePeer(nil)}
}

// up and refused are sessions with the peer tor.
var (
	up      = v1beta1.BGPSession{Peer: "tor", Address: "192.0.2.1", State: v1beta1.BGPEstablished}
	refused = v1beta1.BGPSession{Peer: "tor", Address: "192.0.2.2", State: v1beta1.BGPActive, LastError: "connect to 192.0.2.2:179: refused"}
)

func text(c Condition) string {
	return strings.TrimSuffix(fmt.Sprintf("%s %s: %s", c.status(), c.Reason.Name, c.Message), ": ")
}

func TestPeer_ReadyMeansUnderstoodAndInUse(t *testing.T) {
	for _, test := range []struct {
		name  string
		scene *peerScene
		want  string
	}{
		{"its session is established", newPeerScene().speaks("n1", up), "True InUse"},
		{"no session is established, and a speaker tries", newPeerScene().speaks("n1", refused), "True InUse"},
		{"one of two speakers has taken it up", newPeerScene().speaks("n1").speaks("n2", up), "True InUse"},
		{"a speaker that had taken it up is gone", newPeerScene().speaks("n1", up).gone(), "True InUse"},
		{"it is new", newPeerScene().speaks("n1"), "False NotInUse: no speaker has taken it up"},
		{"it is new, and the speaker is gone", newPeerScene().speaks("n1").gone(), "False NotInUse: no speaker has taken it up; n1: its speaker is gone"},
		{"no speaker runs anywhere", newPeerScene().node("n1", true, longAgo), "False NotInUse: no speaker has taken it up; no speaker runs on n1"},
		{
			"no speaker runs anywhere yet", newPeerScene().node("n1", true, peerNow),
			"False NotInUse: no speaker has taken it up; no speaker runs yet on n1",
		},
		{"the cluster has no node", newPeerScene(), "True Accepted: no node is there that could have a session"},
		{
			"the only node was never ready", newPeerScene().node("n1", false, longAgo),
			"True Accepted: no node is there that could have a session; not ready: n1",
		},
		{
			"the only node was switched off an hour ago", newPeerScene().node("n1", false, longAgo).object("n1"),
			"True Accepted: no node is there that could have a session; not ready: n1",
		},
		{
			"a Node that nobody ever reported of", newPeerScene().node("n1", false, time.Time{}),
			"True Accepted: no node is there that could have a session; not ready: n1",
		},
		{
			"it selects no node", newPeerScene().speaks("n1", up).with(func(p *lb.Peer) { p.NodeSelectors = nowhere() }),
			"False NoNode: nodeSelectors match no node on which a speaker can run",
		},
		{
			"it selects a Windows node alone",
			newPeerScene().speaks("n1", up).node("w1", true, longAgo, corev1.LabelOSStable, "windows").with(selectName("w1")),
			"False NoNode: nodeSelectors match no node on which a speaker can run; no speaker can run on w1 (its system is windows)",
		},
		{"it is invalid", newPeerScene().speaks("n1", up).with(func(p *lb.Peer) { p.Err = errors.New("a\nb") }), "False Invalid: a; b; its sessions stay as they are, and new ones wait"},
		{
			"its profile does not exist", newPeerScene().speaks("n1", up).with(func(p *lb.Peer) { p.BFDProfile = "slow" }),
			"False NotFound: BFDProfile slow does not exist: the default parameters of BFD count",
		},
		{
			"its Secret does not exist",
			newPeerScene().speaks("n1", up).with(func(p *lb.Peer) { p.Password = &lb.SecretKey{Name: "gone", Key: "x"} }),
			"False NotFound: Secret gone does not exist in the namespace of Daymark",
		},
		{
			"its Secret has another key", newPeerScene().speaks("n1", up).secret("pass", "lighthouse", "password"),
			"False NotFound: Secret tor has no key password; it has pass",
		},
		{
			"its password is empty", newPeerScene().speaks("n1", up).secret("password", "\n", "password"),
			"False BadPassword: the password in Secret tor, key password, is empty",
		},
		{
			"its password is odd", newPeerScene().speaks("n1", up).secret("password", "lighthouse ", "password"),
			"True InUse: the password in Secret tor, key password, ends in white space; it is used as it is",
		},
		{"its password is the content of a file", newPeerScene().speaks("n1", up).secret("password", "lighthouse\n", "password"), "True InUse"},
	} {
		t.Run(test.name, func(t *testing.T) {
			status := test.scene.status()
			if got := text(status.Ready); got != test.want {
				t.Errorf("got %s", got)
			}
			expectDeclared(t, status)
		})
	}
}

func selectName(name string) func(*lb.Peer) {
	return func(p *lb.Peer) {
		p.NodeSelectors = parsePeer(&v1beta1.LabelSelector{MatchLabels: map[string]v1beta1.LabelValue{"name": v1beta1.LabelValue(name)}}).NodeSelectors
	}
}

// expectDeclared checks that the reasons are in the reference.
func expectDeclared(t *testing.T, status Peer) {
	t.Helper()
	conditions := []Condition{status.Ready, status.Sessions}
	if status.BFD != nil {
		conditions = append(conditions, *status.BFD)
	}
	for _, c := range conditions {
		if !declared("BGPPeer", c.Type, c.Reason) {
			t.Errorf("reason %s is not declared for %s", c.Reason.Name, c.Type)
		}
	}
}

func TestPeer_SessionsEstablishedNamesNodes(t *testing.T) {
	warned, unwanted := up, refused
	warned.Warning = "no IPv6"
	unwanted.LastError, unwanted.NextTry = "cease, administrative shutdown", metav1.Date(2026, 11, 26, 10, 5, 30, 0, time.UTC)
	for _, test := range []struct {
		name  string
		scene *peerScene
		want  string
	}{
		{"all are", newPeerScene().speaks("n1", up).speaks("n2", up), "True Established: 2 of 2 nodes have their sessions"},
		{
			"one is refused", newPeerScene().speaks("n1", up).speaks("n2", refused),
			"False NotEstablished: 1 of 2 nodes have their sessions; n2: connect to 192.0.2.2:179: refused",
		},
		{
			"one that the router does not want", newPeerScene().speaks("n1", unwanted).speaks("n2", up),
			"False NotEstablished: 1 of 2 nodes have their sessions; n1: cease, administrative shutdown, next try at 10:05:30 UTC",
		},
		{
			"one of two with a node is refused", newPeerScene().speaks("n1", up, refused),
			"False NotEstablished: 0 of 1 nodes have their sessions; n1: 1 of 2 sessions, connect to 192.0.2.2:179: refused",
		},
		{
			"of two with a node none has said why", newPeerScene().speaks("n1", v1beta1.BGPSession{Peer: "tor", Address: "192.0.2.1", State: v1beta1.BGPActive}, refused),
			"False NotEstablished: 0 of 1 nodes have their sessions; n1: 0 of 2 sessions, 192.0.2.1: the session is in state Active, " +
				"connect to 192.0.2.2:179: refused",
		},
		{
			"a speaker has none", newPeerScene().speaks("n1", up).speaks("n2"),
			"False NotEstablished: 1 of 2 nodes have their sessions; n2: its speaker has not started a session yet",
		},
		{
			"a speaker is gone", newPeerScene().speaks("n1", up).speaks("n2", up).gone(),
			"False NotEstablished: 1 of 2 nodes have their sessions; n2: its speaker is gone",
		},
		{
			"a node has just gone down", newPeerScene().speaks("n1", up).node("n2", false, peerNow).object("n2", up),
			"False NotEstablished: 1 of 2 nodes have their sessions; n2: the node is not ready",
		},
		{
			"a node has been down for an hour", newPeerScene().speaks("n1", up).node("n2", false, longAgo).object("n2", up),
			"True Established: 1 of 1 nodes have their sessions; not ready: n2",
		},
		{
			"nodes that never had a speaker", newPeerScene().speaks("n1", up).node("w1", true, longAgo, corev1.LabelOSStable, "windows").
				node("off", false, longAgo).node("new", true, peerNow).node("edge", true, longAgo),
			"True Established: 1 of 1 nodes have their sessions; no speaker runs on edge; not ready: off",
		},
		{"no node has a speaker", newPeerScene().node("n1", true, longAgo), "Unknown NoSpeaker: 0 of 0 nodes have their sessions; no speaker runs on n1"},
		{"one lacks something", newPeerScene().speaks("n1", warned), "False Incomplete: 1 of 1 nodes have their sessions; n1: no IPv6"},
		{
			"of one that is not selected nothing is said", newPeerScene().speaks("n1", up).speaks("n2", refused).with(selectName("n1")),
			"True Established: 1 of 1 nodes have their sessions",
		},
		{
			"a session that fails with an odd password", newPeerScene().speaks("n1", refused).secret("password", " x", "password"),
			"False NotEstablished: 0 of 1 nodes have their sessions; n1: connect to 192.0.2.2:179: refused; " +
				"the password in Secret tor, key password, begins with white space; it is used as it is",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			status := test.scene.status()
			if got := text(status.Sessions); got != test.want {
				t.Errorf("got %s", got)
			}
			expectDeclared(t, status)
		})
	}
}

func TestPeer_AdminStateIsOnPurpose(t *testing.T) {
	warned := up
	warned.Warning = "no IPv6"
	state := func(state v1beta1.AdminState) func(*lb.Peer) {
		return func(p *lb.Peer) { p.AdminState, p.BFDProfile = state, "fast" }
	}
	for _, test := range []struct {
		name  string
		scene *peerScene
		want  string
	}{
		{
			"it is shut down", newPeerScene().speaks("n1", refused).speaks("n2", up).with(state(v1beta1.AdminDown)),
			"False AdministrativelyDown: adminState is Down: 1 of 2 nodes have their sessions",
		},
		{
			"it is in maintenance", newPeerScene().speaks("n1", up).with(state(v1beta1.AdminMaintenance)),
			"True Maintenance: adminState is Maintenance: nothing is announced; 1 of 1 nodes have their sessions",
		},
		{
			"it is in maintenance, and one is refused", newPeerScene().speaks("n1", refused).with(state(v1beta1.AdminMaintenance)),
			"False NotEstablished: adminState is Maintenance: nothing is announced; 0 of 1 nodes have their sessions; n1: connect to 192.0.2.2:179: refused",
		},
		{
			"it is in maintenance, and one lacks something", newPeerScene().speaks("n1", warned).with(state(v1beta1.AdminMaintenance)),
			"False Incomplete: adminState is Maintenance: nothing is announced; 1 of 1 nodes have their sessions; n1: no IPv6",
		},
		{
			"an edit that is not understood does not end it", newPeerScene().speaks("n1", refused).with(func(p *lb.Peer) {
				p.Err, p.Accepted = errors.New("nonsense"), &lb.Peer{AdminState: v1beta1.AdminDown}
			}),
			"False AdministrativelyDown: adminState is Down: 0 of 1 nodes have their sessions",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			status := test.scene.status()
			if got := text(status.Sessions); got != test.want {
				t.Errorf("got %s", got)
			}
			if down := test.scene.peer.AdminState == v1beta1.AdminDown; down && (status.BFD != nil || !status.Ready.True) {
				t.Errorf("BFD is %+v, and Ready %s", status.BFD, text(status.Ready))
			}
			expectDeclared(t, status)
		})
	}
}

func TestPeer_MessagesNameTenNodes(t *testing.T) {
	scene := newPeerScene()
	for i := range 1000 {
		scene.speaks(fmt.Sprintf("n%03d", i), refused)
	}
	status := scene.status()
	if got := status.Sessions.Message; strings.Count(got, "refused") != 10 || !strings.HasSuffix(got, "and 990 more") || status.Nodes != 1000 {
		t.Errorf("of %d nodes: %s", status.Nodes, got)
	}
}

func TestPeer_BFDThatIsConfiguredAndNotUpIsSaid(t *testing.T) {
	with := func(state string) v1beta1.BGPSession {
		session := up
		session.BFD = state
		return session
	}
	asks := func(p *lb.Peer) { p.BFDProfile = "fast" }
	for _, test := range []struct {
		name  string
		scene *peerScene
		want  string
	}{
		{"it is up", newPeerScene().speaks("n1", with("Up")).with(asks), "True Up: BFD is up on 1 of 1 nodes"},
		{
			"it is forgotten at the router", newPeerScene().speaks("n1", with("Up")).speaks("n2", with("Down: no packet has come")).with(asks),
			"False Down: BFD is up on 1 of 2 nodes; n2: Down: no packet has come",
		},
		{"it has not begun", newPeerScene().speaks("n1", up).with(asks), "False Down: BFD is up on 0 of 1 nodes; n1: it has no BFD session yet"},
		{"the speaker is gone", newPeerScene().speaks("n1", with("Up")).gone().with(asks), "False Down: BFD is up on 0 of 1 nodes; n1: its speaker is gone"},
		{
			"an edit that is not accepted takes it away", newPeerScene().speaks("n1", with("Up")).with(func(p *lb.Peer) {
				p.Err, p.Accepted = errors.New("nonsense"), &lb.Peer{BFDProfile: "fast"}
			}), "True Up: BFD is up on 1 of 1 nodes",
		},
		{"no node has a speaker", newPeerScene().with(asks), "Unknown NoSpeaker: BFD is up on 0 of 0 nodes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			status := test.scene.status()
			if status.BFD == nil || text(*status.BFD) != test.want {
				t.Errorf("got %+v", status.BFD)
			}
			expectDeclared(t, status)
		})
	}
	if status := newPeerScene().speaks("n1", up).status(); status.BFD != nil {
		t.Errorf("without a profile it says %+v", status.BFD)
	}
}

// What the time alone changes is decided anew at that time.
func TestNewReferences_NextIsWhenAGraceEnds(t *testing.T) {
	down, started := peerNow.Add(-time.Minute), peerNow.Add(-2*time.Minute)
	for _, test := range []struct {
		name  string
		scene *peerScene
		want  time.Time
	}{
		{"nothing is waited for", newPeerScene().speaks("n1", up).node("w1", true, peerNow, corev1.LabelOSStable, "windows"), time.Time{}},
		{"a node that has gone down", newPeerScene().node("n1", false, down).object("n1", up), down.Add(offGrace)},
		{"a node that has started", newPeerScene().node("n1", true, started), started.Add(startGrace)},
		{"the earlier of both", newPeerScene().node("n1", false, down).object("n1", up).node("n2", true, started), started.Add(startGrace)},
	} {
		if _, next := NewReferences(&test.scene.Objects, peerNow); !next.Equal(test.want) {
			t.Errorf("%s: %s, want %s", test.name, next, test.want)
		}
	}
}

func TestPeer_WriteAndSameButText(t *testing.T) {
	object := &v1beta1.BGPPeer{ObjectMeta: metav1.ObjectMeta{Generation: 3}}
	asks := func(p *lb.Peer) { p.BFDProfile = "fast" }
	status := newPeerScene().speaks("n1", up).with(asks).status()
	if status.SameButText(object) {
		t.Error("an object without a status is as it should be")
	}
	status.Write(object, peerNow)
	if !status.SameButText(object) || object.Status.ObservedGeneration != 3 || len(object.Status.Conditions) != 3 {
		t.Errorf("it was written as %+v", object.Status)
	}
	more := newPeerScene().speaks("n1", up).speaks("n2", up).with(asks).status()
	if !more.SameButText(object) {
		t.Error("another number is more than a text")
	}
	for name, other := range map[string]Peer{
		"a session that failed": newPeerScene().speaks("n1", refused).with(asks).status(),
		"no BFD":                newPeerScene().speaks("n1", up).status(),
		"a selector that fails": newPeerScene().speaks("n1", up).with(asks).with(func(p *lb.Peer) { p.NodeSelectors = nowhere() }).status(),
	} {
		if other.SameButText(object) {
			t.Errorf("%s is a text", name)
		}
	}
	without := newPeerScene().speaks("n1", up).status()
	without.Write(object, peerNow)
	if slices.ContainsFunc(object.Status.Conditions, func(c metav1.Condition) bool { return c.Type == v1beta1.ConditionBFDUp }) {
		t.Error("the condition of BFD stays when BFD is taken away")
	}
}

func TestWrite_StalledWhileOnlyAnEditHelps(t *testing.T) {
	var conditions []metav1.Condition
	for _, step := range []struct {
		ready   Condition
		stalled bool
	}{
		{valid(nil), false},
		{valid(errors.New("nonsense")), true},
		{found([]string{"pool blue does not exist"}), false},
	} {
		Write(&conditions, 1, peerNow, step.ready)
		stalled := meta.FindStatusCondition(conditions, v1beta1.ConditionStalled)
		if (stalled != nil) != step.stalled || stalled != nil && (stalled.Status != metav1.ConditionTrue || stalled.Message != "nonsense") {
			t.Errorf("beside %s there is %+v", text(step.ready), stalled)
		}
		if !step.ready.inStalled(conditions) {
			t.Errorf("beside %s it is not as it should be", text(step.ready))
		}
	}
	if valid(errors.New("nonsense")).inStalled(conditions) {
		t.Error("no Stalled is right for an object that is not understood")
	}
}
