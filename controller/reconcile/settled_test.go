package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"pgregory.net/rapid"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/reason"
	"github.com/daymark-lb/daymark/internal/core/status"
)

// worldChanges are what may change between two passes of the controller.
var worldChanges = []struct {
	name   string
	change func(t *rapid.T, s *scaleScene)
}{
	{"nothing", func(*rapid.T, *scaleScene) {}},
	{"a Service comes", func(_ *rapid.T, s *scaleScene) { s.add() }},
	{"what is to be written is written", func(_ *rapid.T, s *scaleScene) { s.store() }},
	{"a Service is edited", func(t *rapid.T, s *scaleScene) {
		s.edit(t, func(e *corev1.Service) {
			e.Spec.SessionAffinity = rapid.SampledFrom([]corev1.ServiceAffinity{corev1.ServiceAffinityClientIP, corev1.ServiceAffinityNone}).Draw(t, "affinity")
			e.Spec.ExternalTrafficPolicy = rapid.SampledFrom([]corev1.ServiceExternalTrafficPolicy{"Local", "Cluster"}).Draw(t, "policy")
			e.Annotations = map[string]string{v1beta1.AnnotationAllowSharedIP: "key", v1beta1.AnnotationLoadBalancerIPs: rapid.SampledFrom([]string{"10.0.0.7", "10.0.0.8"}).Draw(t, "address")}
			e.Spec.Ports[0].Port = rapid.Int32Range(80, 90).Draw(t, "port")
		})
	}},
	{"an address is reserved", func(t *rapid.T, s *scaleScene) {
		kept := &v1beta1.IPReservation{ObjectMeta: metav1.ObjectMeta{Name: "kept", UID: "kept", ResourceVersion: s.version()}}
		kept.Spec.Addresses = []v1beta1.AddressRange{rapid.SampledFrom([]v1beta1.AddressRange{"10.0.0.0/29", "10.0.1.0"}).Draw(t, "which")}
		kept.Spec.ServiceRef = &v1beta1.ServiceReference{Namespace: "default", Name: "none"}
		s.cache.Put(kept)
	}},
	{"the pool is gone", func(_ *rapid.T, s *scaleScene) {
		s.cache.Delete(&v1beta1.IPAddressPool{ObjectMeta: metav1.ObjectMeta{Name: "blue"}})
	}},
	{"a Service becomes another's", func(t *rapid.T, s *scaleScene) {
		s.edit(t, func(e *corev1.Service) { e.Spec.LoadBalancerClass = ptr.To("example.com/other") })
	}},
	{"another writes a status", func(t *rapid.T, s *scaleScene) {
		s.edit(t, func(e *corev1.Service) { e.Status = corev1.ServiceStatus{} })
	}},
	{"a Service is deleted", func(t *rapid.T, s *scaleScene) {
		i := rapid.IntRange(0, len(s.services)-1).Draw(t, "of")
		s.cache.Delete(s.services[i])
	}},
	{"endpoints change", func(t *rapid.T, s *scaleScene) {
		i := rapid.IntRange(0, len(s.slices)-1).Draw(t, "of")
		edited := s.slices[i].DeepCopy()
		edited.ResourceVersion = s.version()
		for e := range edited.Endpoints {
			edited.Endpoints[e].Conditions.Ready = ptr.To(rapid.Bool().Draw(t, "ready"))
		}
		s.slices[i] = edited
		s.cache.Put(edited)
	}},
	{"the pool is edited", func(t *rapid.T, s *scaleScene) {
		addresses := rapid.SampledFrom([]v1beta1.AddressRange{"10.0.0.0/14", "10.0.0.4/30"}).Draw(t, "addresses")
		pool := &v1beta1.IPAddressPool{ObjectMeta: metav1.ObjectMeta{Name: "blue", UID: "blue", ResourceVersion: s.version()}}
		pool.Spec.Addresses = []v1beta1.AddressRange{addresses}
		s.cache.Put(pool)
	}},
	{"the advertisement selects fewer", func(t *rapid.T, s *scaleScene) {
		lan := &v1beta1.L2Advertisement{ObjectMeta: metav1.ObjectMeta{Name: "lan", UID: "lan", ResourceVersion: s.version()}}
		lan.Spec.IPAddressPools = rapid.SampledFrom([][]string{nil, {"green"}}).Draw(t, "pools")
		s.cache.Put(lan)
	}},
	{"a speaker says that there is a conflict, or none", func(t *rapid.T, s *scaleScene) {
		address := rapid.SampledFrom([]string{"10.0.0.2", "10.0.0.7"}).Draw(t, "address")
		s.report(address, rapid.Bool().Draw(t, "conflict"), rapid.Bool().Draw(t, "held"))
	}},
	{"sessions go down or come up, or their speaker does", func(t *rapid.T, s *scaleScene) {
		name := rapid.SampledFrom([]string{"n1", "n2"}).Draw(t, "node")
		if rapid.IntRange(0, 9).Draw(t, "gone") == 0 {
			s.cache.Delete(&v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: name}})
			return
		}
		session := v1beta1.BGPSession{Peer: "router", Address: "192.0.2.1", State: rapid.SampledFrom([]v1beta1.BGPSessionState{v1beta1.BGPEstablished, v1beta1.BGPIdle}).Draw(t, "state")}
		session.Families = rapid.SampledFrom([][]v1beta1.AddressFamily{{v1beta1.IPv4}, {v1beta1.IPv6}, nil}).Draw(t, "families")
		if rapid.Bool().Draw(t, "held back") {
			session.HeldBack = []v1beta1.AddressFamily{v1beta1.IPv4}
		}
		speaker := &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), ResourceVersion: s.version()}}
		speaker.Status.BGP = []v1beta1.BGPSession{session}
		speaker.Status.Conditions = []metav1.Condition{{Type: v1beta1.ConditionMembershipKnown, Status: metav1.ConditionTrue}}
		if rapid.Bool().Draw(t, "stands in") {
			speaker.Status.Layer2.Held = []v1beta1.HeldAddress{{Address: rapid.SampledFrom([]string{"10.0.0.2", "10.0.0.7"}).Draw(t, "for"), StandsInFor: "n3"}}
		}
		s.cache.Put(speaker)
	}},
}

// announceByBGP has all addresses announced to a router as well, with which a node has a session.
func (s *scaleScene) announceByBGP() {
	asn := int64(64513)
	meta := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Name: name, UID: types.UID(name), ResourceVersion: s.version()}
	}
	s.cache.Put(&v1beta1.BGPAdvertisement{ObjectMeta: meta("bgp")})
	s.cache.Put(&v1beta1.BGPPeer{ObjectMeta: meta("router"), Spec: v1beta1.BGPPeerSpec{MyASN: 64512, PeerASN: &asn, PeerAddress: "192.0.2.1"}})
	s.cache.Put(&corev1.Node{ObjectMeta: meta("n1")})
	s.cache.Put(&corev1.Node{ObjectMeta: meta("n2")})
	speaker := &v1beta1.Speaker{ObjectMeta: meta("n1")}
	speaker.Status.BGP = []v1beta1.BGPSession{{Peer: "router", Address: "192.0.2.1", State: v1beta1.BGPEstablished, Families: []v1beta1.AddressFamily{v1beta1.IPv4}}}
	s.cache.Put(speaker)
}

// report has a speaker with a session say of an address that another host uses it, or that its node holds it.
func (s *scaleScene) report(address string, conflict, held bool) {
	speaker := &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: "n1", UID: "n1", ResourceVersion: s.version()}}
	speaker.Status.BGP = []v1beta1.BGPSession{{Peer: "router", Address: "192.0.2.1", State: v1beta1.BGPEstablished, Families: []v1beta1.AddressFamily{v1beta1.IPv4}}}
	speaker.Status.Conditions = []metav1.Condition{{Type: v1beta1.ConditionMembershipKnown, Status: metav1.ConditionTrue}}
	if conflict {
		speaker.Status.Layer2.Conflicts = []v1beta1.AddressConflict{{Address: address, MAC: "02:00:00:00:00:01", Interface: "eth0"}}
	}
	if held {
		speaker.Status.Layer2.IPv4, speaker.Status.Layer2.Held = 1, []v1beta1.HeldAddress{{Address: address}}
	}
	s.cache.Put(speaker)
}

func (s *scaleScene) version() string {
	s.edits++
	return "e" + strconv.Itoa(s.edits)
}

// edit edits one of the Services.
func (s *scaleScene) edit(t *rapid.T, change func(*corev1.Service)) {
	s.editAt(rapid.IntRange(0, len(s.services)-1).Draw(t, "of"), change)
}

func (s *scaleScene) editAt(i int, change func(*corev1.Service)) {
	edited := s.services[i].DeepCopy()
	edited.ResourceVersion = s.version()
	change(edited)
	s.services[i] = edited
	s.cache.Put(edited)
}

// What a loop writes that remembers which Services were settled is what one writes that looks at all of them, and so is what it counts. A
// write that waits keeps the time of its decision, so the times of conditions may differ.
func TestLoop_SettledServicesNeedNoLook(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newScaleScene(t, rapid.IntRange(1, 5).Draw(t, "services"))
		s.announceByBGP()
		if rapid.Bool().Draw(t, "by layer 2 alone") {
			s.cache.Delete(&v1beta1.BGPAdvertisement{ObjectMeta: metav1.ObjectMeta{Name: "bgp"}})
		}
		for i := range s.services {
			if rapid.Bool().Draw(t, "shares nothing") {
				continue
			}
			s.editAt(i, func(e *corev1.Service) {
				e.Annotations = map[string]string{v1beta1.AnnotationAllowSharedIP: "key", v1beta1.AnnotationLoadBalancerIPs: "10.0.0.7"}
				e.Spec.Ports = []corev1.ServicePort{{Protocol: "TCP", Port: int32(80 + i)}}
			})
		}
		now := time.Unix(1_800_000_000, 0)
		s.now = func() time.Time { return now }
		all := &scaleScene{scene: sceneOf(s.cache, Config{})}
		all.now, all.classes = s.now, s.classes
		all.decide(t)
		s.decide(t)
		for range rapid.IntRange(1, 20).Draw(t, "passes") {
			if rapid.Bool().Draw(t, "all is written") { // else most Services wait for a write, and are looked at
				s.store()
				all.decide(t)
				s.decide(t)
			}
			next := rapid.SampledFrom(worldChanges).Draw(t, "change")
			next.change(t, s)
			all.settled = settled{}
			want, got := all.decide(t), s.decide(t)
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(metav1.Condition{}, "LastTransitionTime")); diff != "" {
				t.Fatalf("after %q: %s", next.name, diff)
			}
			if diff := cmp.Diff(all.counted.services, s.counted.services, cmp.AllowUnexported(serviceCondition{})); diff != "" {
				t.Fatalf("after %q it counts others: %s", next.name, diff)
			}
			now = now.Add(time.Second)
		}
	})
}

// What waits to be written of a Service that a node had begun to hold is not written when none holds it any more.
func TestLoop_AWaitingWriteFollowsTheHolders(t *testing.T) {
	for _, test := range []struct {
		name            string
		conflict, byBGP bool
		unheld          reason.Reason
	}{
		{"it was left to another host", true, true, announce.ReasonAddressConflict},
		{"it is new, by layer 2 alone", false, false, announce.ReasonNoHolder},
	} {
		s := newScaleScene(t, 0)
		s.announceByBGP()
		if !test.byBGP {
			s.cache.Delete(&v1beta1.BGPAdvertisement{ObjectMeta: metav1.ObjectMeta{Name: "bgp"}})
		}
		s.add()
		says := func(conflict, held bool) string {
			s.report("10.0.0.2", conflict, held)
			desired := s.decide(t)["{Service default web-0}"]
			if c := meta.FindStatusCondition(desired.Conditions, v1beta1.ConditionAnnounced); c != nil {
				return c.Reason
			}
			return "nothing new"
		}
		first := says(test.conflict, false)
		s.store()
		got := []string{first, says(false, true), says(false, true), says(false, false)}
		if want := []string{test.unheld.Name, announce.ReasonAnnounced.Name, announce.ReasonAnnounced.Name, "nothing new"}; !slices.Equal(got, want) {
			t.Errorf("%s: %v, not %v", test.name, got, want)
		}
	}
}

// A Service whose first address waits to be written is looked at again when another Service at that address loses its session affinity.
func TestLoop_AWaitingWriteFollowsAnothersAffinity(t *testing.T) {
	s := newScaleScene(t, 1)
	s.announceByBGP()
	share := func(affinity corev1.ServiceAffinity, port int32) func(*corev1.Service) {
		return func(e *corev1.Service) {
			e.Annotations = map[string]string{v1beta1.AnnotationAllowSharedIP: "key", v1beta1.AnnotationLoadBalancerIPs: "10.0.0.7"}
			e.Spec.SessionAffinity = affinity
			e.Spec.Ports[0].Port = port
		}
	}
	s.editAt(0, share(corev1.ServiceAffinityClientIP, 80))
	s.decide(t)
	s.store()
	s.add()
	s.editAt(1, share(corev1.ServiceAffinityNone, 81))
	const another = "the session affinity of another Service at this address"
	if message := announcedMessage(s.decide(t)["{Service default web-1}"]); !strings.Contains(message, another) {
		t.Fatalf("the Service that shares says %q, not of %s", message, another)
	}
	s.editAt(0, share(corev1.ServiceAffinityNone, 80))
	if message := announcedMessage(s.decide(t)["{Service default web-1}"]); message == "" || strings.Contains(message, another) {
		t.Fatalf("nobody asks for session affinity any more, and the Service says %q", message)
	}
}

// announcedMessage is what a Service is to say of its announcing; "" for nothing.
func announcedMessage(s status.Service) string {
	if c := meta.FindStatusCondition(s.Conditions, v1beta1.ConditionAnnounced); c != nil {
		return c.Message
	}
	return ""
}

// fatal is a test, or a check of a property.
type fatal interface {
	Context() context.Context
	Fatal(args ...any)
}

// decide makes a pass and returns what it writes of each Service.
func (s *scaleScene) decide(t fatal) map[string]status.Service {
	if _, err := s.pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	writes := map[string]status.Service{}
	for _, list := range s.writer.pending {
		for _, one := range list {
			if one.service != nil {
				writes[fmt.Sprint(one.key)] = one.service.desired
			}
		}
	}
	return writes
}
