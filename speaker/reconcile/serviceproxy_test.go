package reconcile

import (
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/bubble"
	"github.com/daymark-lb/daymark/internal/core/proxyhealth"
	"github.com/daymark-lb/daymark/internal/loop"
	"github.com/daymark-lb/daymark/speaker/gossip"
	"github.com/daymark-lb/daymark/speaker/proxycheck"
)

const proxyURL = "http://127.0.0.1:10256/healthz"

// proxyAnswers lets the service proxy answer from now on.
func (f *fixture) proxyAnswers(check proxyhealth.Check, text string) {
	f.proxy = proxycheck.Result{Check: check, URL: proxyURL, Text: text}
}

// otherProxies are the states that two other nodes tell.
func (f *fixture) otherProxies(states ...proxyhealth.State) {
	for i, node := range []string{"n2", "n3"} {
		f.gossip.view.Peers[node] = gossip.Peer{Incarnation: 1, StateKnown: true, State: gossip.State{Known: true, Proxy: states[i]}}
	}
	f.gossip.view.Alive = []string{"n1", "n2", "n3"}
}

// passes runs the loop whenever it wants to for some time.
func (f *fixture) passes(t *testing.T, long time.Duration) {
	t.Helper()
	for end := time.Now().Add(long); ; {
		wait := f.pass(t)
		if left := time.Until(end); left <= 0 || wait == 0 || wait > left {
			time.Sleep(max(0, left))
			f.pass(t)
			return
		}
		time.Sleep(wait)
	}
}

func (f *fixture) proxyCondition(t *testing.T) metav1.Condition {
	t.Helper()
	c := meta.FindStatusCondition(f.reporter.newest.conditions, v1beta1.ConditionServiceProxyUnhealthy)
	if c == nil {
		t.Fatal("there is no condition")
	}
	return *c
}

func (f *fixture) announcesByBGP() bool { return len(f.bgp.desired[0].Paths) > 0 }

func TestLoop_ProxyThatFailsWithdrawsTheNode(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.otherProxies(proxyhealth.Works, proxyhealth.Works)
		f.proxyAnswers(proxyhealth.Working, "it works")
		if f.pass(t); !f.announcesByBGP() || f.proxyCondition(t).Status != metav1.ConditionFalse {
			t.Fatalf("it works, and BGP announces %v, %+v", f.bgp.desired, f.proxyCondition(t))
		}
		f.proxyAnswers(proxyhealth.Absent, "nothing listens")
		if f.passes(t, 9*time.Second); !f.announcesByBGP() || f.gossip.sent.State.Proxy != proxyhealth.Fails || f.ports != proxyhealth.ProxysOwn {
			t.Errorf("9 s: BGP announces %v, the others hear %d", f.bgp.desired, f.gossip.sent.State.Proxy)
		}
		f.passes(t, 2*time.Second)
		c := f.proxyCondition(t)
		if f.announcesByBGP() || f.gossip.sent.State.Proxy != proxyhealth.Withdrawn || c.Reason != v1beta1.ReasonAttractsNothing || f.ports != proxyhealth.Free ||
			!strings.HasPrefix(c.Message, "nothing listens; the node announces nothing") {
			t.Errorf("11 s: BGP announces %v, the others hear %d, %+v", f.bgp.desired, f.gossip.sent.State.Proxy, c)
		}
		f.proxyAnswers(proxyhealth.Working, "it works")
		if f.pass(t); !f.announcesByBGP() {
			t.Error("it works again, and BGP announces nothing")
		}
	})
}

func TestLoop_ProxiesThatFailOnMostNodesWithdrawNone(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.otherProxies(proxyhealth.Works, proxyhealth.Works)
		f.proxyAnswers(proxyhealth.Working, "it works")
		f.pass(t)
		f.proxyAnswers(proxyhealth.Failing, "it answers 503")
		f.pass(t)
		f.otherProxies(proxyhealth.Fails, proxyhealth.Works)
		f.passes(t, time.Minute)
		c := f.proxyCondition(t)
		if !f.announcesByBGP() || c.Status != metav1.ConditionTrue || c.Reason != v1beta1.ReasonFailsOnMostNodes {
			t.Errorf("BGP announces %v, %+v", f.bgp.desired, c)
		}
		f.proxyAnswers(proxyhealth.Failing, "it answers 503 in other words")
		if f.pass(t); f.proxyCondition(t).Message != c.Message {
			t.Error("the words change with each answer")
		}
	})
}

// Without gossip a few others are read about. The node is withdrawn when most of these work, and when that is not known it is not.
func TestLoop_WithoutGossipOthersAreReadAbout(t *testing.T) {
	mostWork := []proxyhealth.State{proxyhealth.Works, proxyhealth.Fails, proxyhealth.Works}
	for name, test := range map[string]struct {
		own       *v1beta1.Speaker
		states    []proxyhealth.State
		announces bool
		reason    string
	}{
		"not known yet":               {proxyFails, nil, true, "Fails"},
		"most work":                   {proxyFails, mostWork, false, v1beta1.ReasonAttractsNothing},
		"most fail":                   {proxyFails, []proxyhealth.State{proxyhealth.Works, proxyhealth.Fails}, true, "OthersUnknown"},
		"none is there":               {proxyFails, []proxyhealth.State{}, true, "OthersUnknown"},
		"nobody can write, perhaps":   {proxyWorks, mostWork, true, "Fails"},
		"its own report is not there": {nil, mostWork, true, "Fails"},
	} {
		bubble.Test(t, func(t *testing.T) {
			f := newFixture(t)
			f.gossip.off = true
			f.proxyAnswers(proxyhealth.Working, "it works")
			if f.pass(t); f.others.asked != nil {
				t.Errorf("%s: it works, and is asked about %v", name, f.others.asked)
			}
			f.proxyAnswers(proxyhealth.Absent, "nothing listens")
			f.passes(t, 2*time.Second)
			if c := f.proxyCondition(t); !f.announcesByBGP() || c.Status != metav1.ConditionTrue || c.Reason != "Fails" || !slices.Equal(f.others.asked, []string{"n2"}) {
				t.Errorf("%s: after 2 s BGP announces %v, %+v, asked is %v", name, f.bgp.desired, c, f.others.asked)
			}
			f.passes(t, 8*time.Second)
			f.others.states, f.reported = test.states, test.own
			f.passes(t, time.Minute)
			if c := f.proxyCondition(t); f.announcesByBGP() != test.announces || c.Status != metav1.ConditionTrue || c.Reason != test.reason {
				t.Errorf("%s: BGP announces %v, %+v", name, f.bgp.desired, c)
			}
			f.proxyAnswers(proxyhealth.Working, "it works")
			if f.pass(t); f.others.asked != nil || !f.announcesByBGP() {
				t.Errorf("%s: it works again, BGP announces %v, asked is %v", name, f.bgp.desired, f.others.asked)
			}
		})
	}
}

// Where there is no other node, and no gossip, a proxy that fails withdraws none.
func TestLoop_AProxyThatFailsWhereOthersAreUnknownWithdrawsNone(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.gossip.off, f.kubeletStopped = true, true
		f.proxyAnswers(proxyhealth.Working, "it works")
		f.pass(t)
		f.proxyAnswers(proxyhealth.Absent, "nothing listens")
		f.pass(t)
		f.passes(t, time.Minute)
		c := f.proxyCondition(t)
		if !f.announcesByBGP() || c.Status != metav1.ConditionTrue || c.Reason != "OthersUnknown" || !strings.Contains(c.Message, "not known") {
			t.Errorf("BGP announces %v, %+v", f.bgp.desired, c)
		}
	})
}

func TestLoop_WaitsForTheFirstAnswerOfTheProxy(t *testing.T) {
	f := newFixture(t)
	f.unasked = true
	result, err := f.Reconcile(t.Context(), loop.Wake{})
	if err != nil || result.RequeueAfter != askedInterval || f.Ready() == nil || len(f.bgp.desired) > 0 {
		t.Errorf("nothing is known of the proxy: %v %v, BGP has %v", result, err, f.bgp.desired)
	}
}

// What the Speaker object says of an earlier process decides whether a proxy is awaited or may be gone for a moment.
func TestLoop_RemembersTheProxyOverRestarts(t *testing.T) {
	for name, test := range map[string]struct {
		said      v1beta1.SpeakerServiceProxy
		reason    string
		announces bool
	}{
		"it worked in this boot":                       {v1beta1.SpeakerServiceProxy{URL: proxyURL, BootID: "b2"}, "Works", true},
		"it worked in this boot, and failed":           {v1beta1.SpeakerServiceProxy{URL: proxyURL, BootID: "b2"}, v1beta1.ReasonAttractsNothing, false},
		"it worked in this boot, and failed with most": {v1beta1.SpeakerServiceProxy{URL: proxyURL, BootID: "b2"}, v1beta1.ReasonFailsOnMostNodes, true},
		"it worked in an earlier one":                  {v1beta1.SpeakerServiceProxy{URL: proxyURL, BootID: "b1"}, v1beta1.ReasonAttractsNothing, false},
		"there was none":                               {v1beta1.SpeakerServiceProxy{BootID: "b2"}, "NotFound", true},
		"nothing is known":                             {v1beta1.SpeakerServiceProxy{}, "Works", false},
	} {
		f := newFixture(t)
		f.cfg.BootID = "b2"
		f.reported = &v1beta1.Speaker{Status: v1beta1.SpeakerStatus{ServiceProxy: test.said}}
		f.reported.Status.Conditions = []metav1.Condition{{Type: v1beta1.ConditionServiceProxyUnhealthy, Status: metav1.ConditionTrue, Reason: test.reason}}
		f.gossip.view.Known = false
		f.proxy = proxycheck.Result{Check: proxyhealth.Absent, Text: "nothing listens"}
		if f.pass(t); f.announcesByBGP() != test.announces {
			t.Errorf("%s: BGP announces %v", name, f.bgp.desired[0].Paths)
		}
		if got := f.reporter.newest.Status.ServiceProxy; got != test.said {
			t.Errorf("%s: reported is %+v", name, got)
		}
	}
}
