package reconcile

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/cputime"
)

// session puts the Speaker object of a node with one session into the cache.
func (s *scaleScene) session(node string, state v1beta1.BGPSessionState) {
	speaker := &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: node, UID: types.UID(node), ResourceVersion: s.version()}}
	speaker.Status.BGP = []v1beta1.BGPSession{{Peer: "router", Address: "192.0.2.1", State: state, Families: []v1beta1.AddressFamily{v1beta1.IPv4}}}
	s.cache.Put(speaker)
}

// withNodes has some nodes, with a session each.
func (s *scaleScene) withNodes(nodes int) {
	s.announceByBGP()
	for i := range nodes {
		name := fmt.Sprint("n", i+1)
		s.cache.Put(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), ResourceVersion: s.version()}})
		s.session(name, v1beta1.BGPEstablished)
	}
}

// One session of several that goes down has no Service looked at. The last one has all.
func TestSettled_ASessionThatFlapsOpensNoService(t *testing.T) {
	s := newScaleScene(t, 3)
	s.withNodes(2)
	s.decide(t)
	s.store()
	s.decide(t)
	ours := func(key lb.Key) bool { return strings.HasPrefix(key.Name, "web-") }
	quiet := func() bool {
		for key := range s.decide(t) {
			if strings.Contains(key, "web-") {
				return false
			}
		}
		return !slices.ContainsFunc(s.settled.services, func(each settledService) bool { return each.as == nil && ours(each.service.Key) })
	}
	if !quiet() {
		t.Fatal("all is quiet, and there are writes or loose Services")
	}
	at := slices.IndexFunc(s.settled.services, func(each settledService) bool { return ours(each.service.Key) })
	first := s.settled.services[at].as
	s.session("n2", v1beta1.BGPActive)
	if !quiet() || s.settled.services[at].as != first {
		t.Error("all Services were looked at, though another node has its session")
	}
	s.session("n1", v1beta1.BGPActive)
	writes := s.decide(t)
	for i := range s.services {
		if key := fmt.Sprint("{Service default web-", i, "}"); announcedMessage(writes[key]) == "" {
			t.Errorf("no node has a session, and %s does not say so", key)
		}
	}
}

// BenchmarkLoop_SessionFlap is what a pass costs when one of 1,000 sessions goes down, or comes up, by the number of Services.
func BenchmarkLoop_SessionFlap(b *testing.B) {
	for _, services := range []int{10000, 100000} {
		b.Run(strconv.Itoa(services), func(b *testing.B) {
			s := newScaleScene(b, services)
			s.withNodes(1000)
			pass := func() {
				if _, err := s.pass(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			pass()
			s.store()
			pass()
			pass()
			began, flaps := cputime.Used(b), 0
			for b.Loop() {
				flaps++
				s.session("n500", []v1beta1.BGPSessionState{v1beta1.BGPEstablished, v1beta1.BGPActive}[flaps%2])
				pass()
			}
			cputime.Report(b, began)
		})
	}
}
