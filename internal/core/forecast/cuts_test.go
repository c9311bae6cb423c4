package forecast

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/status"
)

// lan is a cluster at rest: as many nodes, n0 and so on, on one segment, and as many Services, s0 and so on, with an
// address each that is shared or not.
func lan(nodes, services int, sharing v1beta1.Sharing, edits ...func(*corev1.Service, *discoveryv1.EndpointSlice)) *reality {
	now := time.Unix(1_700_000_000, 0)
	named := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Name: name, UID: types.UID(name), CreationTimestamp: metav1.NewTime(now)}
	}
	r := &reality{
		random: rand.New(rand.NewPCG(1, 1)), now: now.Add(time.Hour), links: map[string][]lb.Link{},
		speakers: map[string]*speaker{}, claims: election.Claims{},
	}
	for i := range nodes {
		node, of := &corev1.Node{ObjectMeta: named(fmt.Sprint("n", i))}, &v1beta1.Speaker{ObjectMeta: named(fmt.Sprint("n", i))}
		node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
		of.Status.Conditions = []metav1.Condition{{Type: v1beta1.ConditionMembershipKnown, Status: metav1.ConditionTrue}}
		of.Status.Members = int32(nodes)
		subnet := fmt.Sprintf("192.0.2.%d/24", 10+i)
		of.Status.Network.Addresses = []string{subnet}
		of.Status.Network.Interfaces = []v1beta1.NodeInterface{{Name: "eth0", Families: []v1beta1.AddressFamily{v1beta1.IPv4}}}
		r.links[node.Name] = []lb.Link{{Name: "eth0", Up: true, Addresses: []netip.Prefix{netip.MustParsePrefix(subnet)}}}
		r.objects = append(r.objects, node, of)
	}
	pool, by := &v1beta1.IPAddressPool{ObjectMeta: named("lan")}, &v1beta1.L2Advertisement{ObjectMeta: named("lan")}
	pool.Spec.Addresses = []v1beta1.AddressRange{"192.0.2.200-192.0.2.250"}
	by.Spec.Sharing = sharing
	r.objects = append(r.objects, pool, by)
	for i := range services {
		s, slice := &corev1.Service{ObjectMeta: named(fmt.Sprint("s", i))}, &discoveryv1.EndpointSlice{ObjectMeta: named(fmt.Sprint("s", i))}
		s.Namespace, s.Spec.Type, s.Spec.IPFamilies = "default", corev1.ServiceTypeLoadBalancer, []corev1.IPFamily{corev1.IPv4Protocol}
		s.Spec.Ports = []corev1.ServicePort{{Port: 80, Protocol: corev1.ProtocolTCP}}
		slice.Namespace, slice.AddressType = "default", discoveryv1.AddressTypeIPv4
		slice.Labels = map[string]string{discoveryv1.LabelServiceName: s.Name}
		slice.Endpoints = []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}}}
		for _, edit := range edits {
			edit(s, slice)
		}
		r.objects = append(r.objects, s, slice)
	}
	r.rest()
	r.report()
	return r
}

// speakerOf a node.
func (r *reality) speakerOf(node string) *v1beta1.Speaker {
	for _, object := range r.objects {
		if s, ok := object.(*v1beta1.Speaker); ok && s.Name == node {
			return s
		}
	}
	return nil
}

// seesOnly has a node report how many speakers it sees.
func (r *reality) seesOnly(node string, members int32) {
	of := r.speakerOf(node)
	of.Status.Members = members
	meta.SetStatusCondition(&of.Status.Conditions, metav1.Condition{
		Type: v1beta1.ConditionMembershipKnown, Status: metav1.ConditionTrue, Reason: status.NotAllSeen.Name,
	})
}

// moves are the effects of a drain.
func (r *reality) moves(node string) (effects []Effect) {
	before := Start(r.objects, r.now, settings)
	after := before
	for _, step := range Drain(r.objects, []string{node}) {
		after = after.Next(step)
	}
	changes, _ := Compare(before, after)
	for _, change := range changes {
		for _, e := range change.Effects {
			if e.Effect == Moves {
				effects = append(effects, e)
			}
		}
	}
	return effects
}

// TestDrain_NodesThatAreCutOff: a move is not certain if a node that sees half of the speakers or less would take the address, and
// another one would without it. All else is certain.
func TestDrain_NodesThatAreCutOff(t *testing.T) {
	const cutOff = "n3"
	r := lan(4, 12, v1beta1.SharingNone)
	for _, e := range r.moves("n0") {
		if e.Uncertain || e.Message != "" {
			t.Errorf("nothing is cut, and of %s it is said: %q", e.Address, e.Message)
		}
	}
	for _, node := range []string{"n0", "n1", "n2"} {
		r.seesOnly(node, 3)
	}
	r.seesOnly(cutOff, 1)
	uncertain, certain := 0, 0
	for _, e := range r.moves("n0") {
		switch {
		case e.To[0] != cutOff:
			certain++
			if e.Uncertain {
				t.Errorf("%s goes to %s: %s", e.Address, e.To[0], e.Message)
			}
		case !e.Uncertain || !strings.HasPrefix(e.Message, "not certain: n3 sees 1 of 4 speakers, so it may be n"):
			t.Errorf("%s goes to %s: %q", e.Address, e.To[0], e.Message)
		default:
			uncertain++
		}
	}
	if uncertain == 0 || certain == 0 {
		t.Errorf("%d moves are uncertain, %d are certain", uncertain, certain)
	}
	for _, e := range r.moves(cutOff) {
		if e.Uncertain {
			t.Errorf("who is cut off leaves, and %s is uncertain: %s", e.Address, e.Message)
		}
	}
	before := Start(r.objects, r.now, settings)
	if doubts := before.Doubts(); len(doubts) != 4 {
		t.Errorf("in doubt are %v", doubts)
	}
	for addr, holder := range before.holders {
		if other := before.others.holders[addr]; other != holder {
			t.Errorf("without change %v holds %s, and %v if those who are cut off take nothing over", holder, addr, other)
		}
	}
}

// TestDrain_SegmentInParts: where a node stands in for another, that goes on for the new holder.
func TestDrain_SegmentInParts(t *testing.T) {
	r := lan(3, 3, v1beta1.SharingNone)
	held := r.speakerOf("n0").Status.Layer2.Held[0]
	held.StandsInFor = "n0"
	of := r.speakerOf("n2")
	of.Status.Layer2.Held = append(of.Status.Layer2.Held, held)
	of.Status.Layer2.IPv4++
	moves := r.moves("n1")
	if len(moves) != 1 {
		t.Fatalf("moves are %+v", moves)
	}
	want := "the segment of 192.0.2.0/24 is in parts: where it does not lead to " + moves[0].To[0] + ", another node stands in for it"
	if moves[0].Message != want || moves[0].Uncertain {
		t.Errorf("%+v, not %s", moves[0], want)
	}
}
