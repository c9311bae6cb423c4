package cluster

import (
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

func TestPasswords_OfPeersAreFound(t *testing.T) {
	peers := []*lb.Peer{
		{Name: "none"},
		{Name: "there", Password: &lb.SecretKey{Name: "s", Key: "password"}},
		{Name: "missing", Password: &lb.SecretKey{Name: "s", Key: "other"}},
		{Name: "changed", Password: &lb.SecretKey{Name: "gone", Key: "password"}, Accepted: &lb.Peer{Password: &lb.SecretKey{Name: "before", Key: "password"}}},
	}
	got := passwords(peers, []*corev1.Secret{
		{ObjectMeta: metav1.ObjectMeta{Name: "s"}, Data: map[string][]byte{"password": []byte("x\n")}},
		{ObjectMeta: metav1.ObjectMeta{Name: "before"}, Data: map[string][]byte{"password": []byte("y")}},
	})
	if len(got) != 2 || got[*peers[1].Password] != "x" || got[*peers[3].Accepted.Password] != "y" {
		t.Errorf("found %v", got)
	}
}

// What counts of a BGPPeer that was edited into nonsense is where its router was.
func TestAddressWorld_HasTheRoutersOfPeers(t *testing.T) {
	tors := v1beta1.BGPPeerSpec{MyASN: 64512, PeerASN: new(int64(64513)), PeerFrom: &v1beta1.PeerFrom{NodeAnnotation: "tors"}}
	spine := v1beta1.BGPPeerSpec{MyASN: 64512, PeerASN: new(int64(64513)), PeerAddress: "192.0.2.9"}
	nonsense := spine
	nonsense.MyASN, nonsense.PeerAddress = 0, "192.0.2.8"
	objects := Parse([]runtime.Object{
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1", Annotations: map[string]string{"tors": "192.0.2.2,192.0.2.3"}}},
		&v1beta1.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: "tors"}, Spec: tors},
		&v1beta1.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: "spine"}, Spec: nonsense, Status: v1beta1.BGPPeerStatus{Accepted: &v1beta1.AcceptedBGPPeer{Spec: spine}}},
	})
	world := objects.AddressWorld(time.Time{}, lb.Classes{}, 0, ipam.Memory{})
	if got := fmt.Sprint(world.PeerAddresses); got != "[{192.0.2.2 tors} {192.0.2.3 tors} {192.0.2.9 spine}]" {
		t.Errorf("it has %s", got)
	}
}

func TestWithdrawals_OfNodesThatAreUp(t *testing.T) {
	withdrawn := func(version string) func(*v1beta1.SpeakerStatus) {
		return func(s *v1beta1.SpeakerStatus) { s.Withdrawn = version }
	}
	got := withdrawals([]*lb.Node{{Name: "n1"}, {Name: "n2", Down: true}, {Name: "n3"}, {Name: "n4"}}, []*v1beta1.Speaker{
		speaker("n1", withdrawn("17")), speaker("n2", withdrawn("1")), speaker("n3", withdrawn("")), speaker("gone", withdrawn("1")),
		speaker("n4", gone),
	})
	if want := []ipam.Withdrawal{{Node: "n1", Version: 17}, {Node: "n3"}}; !slices.Equal(got, want) {
		t.Errorf("it is %+v", got)
	}
}

func TestObjects_LeavingServicesAreNotAnnounced(t *testing.T) {
	service := func(name, version string, change func(*corev1.Service)) *corev1.Service {
		s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name, ResourceVersion: version, Finalizers: []string{v1beta1.FinalizerCleanup}}}
		s.Spec.Type = corev1.ServiceTypeLoadBalancer
		s.Status.Conditions = []metav1.Condition{{Type: v1beta1.ConditionProvenance, Reason: "Allocated", Message: "class=c finalizer 192.0.2.1=lan"}}
		change(s)
		return s
	}
	objects := Parse([]runtime.Object{
		service("stays", "9", func(*corev1.Service) {}),
		service("deleted", "5", func(s *corev1.Service) { s.DeletionTimestamp = new(metav1.Now()) }),
		service("marked", "6", func(s *corev1.Service) { s.Status.Conditions[0].Reason = v1beta1.ReasonWithdrawing }),
		service("of another installation", "7", func(s *corev1.Service) {
			s.Spec.Type, s.Status.Conditions[0].Message = corev1.ServiceTypeClusterIP, "class=other finalizer 192.0.2.1=lan"
		}),
		service("with the finalizer of others", "8", func(s *corev1.Service) {
			s.Spec.Type, s.Status.Conditions[0].Message = corev1.ServiceTypeClusterIP, "class=c 192.0.2.1=lan"
		}),
	})
	classes := lb.Classes{Name: "c", Classless: true}
	var leaving []string
	for _, s := range objects.Services {
		if classes.Leaving(s) {
			leaving = append(leaving, s.Key.Name)
		}
	}
	if !slices.Equal(leaving, []string{"deleted", "marked"}) {
		t.Errorf("leaving are %q", leaving)
	}
	if world := objects.AnnounceWorld(classes, announce.Options{}); len(world.Services) != 1 || world.Services[0].Key.Name != "stays" {
		t.Errorf("announced are %+v", world.Services)
	}
}
