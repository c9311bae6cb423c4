package view

import (
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// The plans of all nodes, computed at the same time, are those that each has when it is computed alone.
func TestCluster_PlansOfAllNodesAreThoseOfEach(t *testing.T) {
	objects := []runtime.Object{
		&v1beta1.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: "tor"}, Spec: v1beta1.BGPPeerSpec{MyASN: 64512, PeerASN: new(int64(64513)), PeerAddress: "192.0.2.1"}},
		&v1beta1.BGPAdvertisement{ObjectMeta: metav1.ObjectMeta{Name: "all"}},
	}
	var nodes []string
	for i := range 16 {
		name := fmt.Sprintf("n%02d", i)
		nodes = append(nodes, name)
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
		node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
		speaker := &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: name}}
		speaker.Status.BGP = []v1beta1.BGPSession{{Peer: "tor", Address: "192.0.2.1", State: v1beta1.BGPEstablished, Digest: "0123456789abcdef"}}
		objects = append(objects, node, speaker)
	}
	input := Input{Now: time.Unix(1_000_000, 0), Objects: objects}
	alone := New(input)
	input.Each = func(n int, do func(i int)) {
		var workers sync.WaitGroup
		for i := range n {
			workers.Go(func() { do(i) })
		}
		workers.Wait()
	}
	together := New(input)
	if got := together.tellingNodes(); !reflect.DeepEqual(got, nodes) {
		t.Fatalf("these tell routers: %v", got)
	}
	together.planAll(together.tellingNodes())
	for _, node := range nodes {
		plan, planned := together.plans[node]
		if !planned || len(plan) != 1 || !reflect.DeepEqual(plan, alone.planOf(node)) {
			t.Errorf("%s: %v of %v", node, plan, alone.planOf(node))
		}
	}
}
