package e2e_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// Promise: an object that is right is ready, whatever else is in the cluster, and what sessions lack is said beside it.

// bareNode makes a Node object without a machine: its kubelet has said so long ago whether it is ready.
func bareNode(t *testing.T, cluster *lab.Cluster, name, system string, ready corev1.ConditionStatus) {
	t.Helper()
	cluster.Apply(fmt.Sprintf("\napiVersion: v1\nkind: Node\nmetadata: {name: %s, labels: {kubernetes.io/os: %s}}\n", name, system))
	ctx, cancel := context.WithTimeout(t.Context(), waitTimeout)
	defer cancel()
	node := &corev1.Node{}
	if err := cluster.API().Get(ctx, client.ObjectKey{Name: name}, node); err != nil {
		t.Fatalf("read node %s: %v", name, err)
	}
	node.Status.Conditions = []corev1.NodeCondition{{
		Type: corev1.NodeReady, Status: ready, LastTransitionTime: metav1.NewTime(time.Now().Add(-time.Hour)), LastHeartbeatTime: metav1.Now(),
	}}
	if err := cluster.API().Status().Update(ctx, node); err != nil {
		t.Fatalf("report of node %s: %v", name, err)
	}
}

func TestBGP_NodesWithoutSpeakerMakeNoConditionFalse(t *testing.T) {
	cluster := daymark(t)
	bareNode(t, cluster, "w1", "windows", corev1.ConditionTrue)
	bareNode(t, cluster, "dark", "linux", corev1.ConditionUnknown)
	bareNode(t, cluster, "store", "linux", corev1.ConditionTrue)
	cluster.Apply(peer("mixed"))
	awaitObjectCondition(t, cluster, "BGPPeer", "mixed", "SessionsEstablished", "True Established",
		"3 of 3 nodes have their sessions; no speaker runs on store; not ready: dark")
	awaitObjectCondition(t, cluster, "BGPPeer", "mixed", "Ready", "True InUse")
	cluster.Router().Stop()
	t.Cleanup(func() { cluster.Router().Start() })
	awaitObjectCondition(t, cluster, "BGPPeer", "mixed", "SessionsEstablished", "False NotEstablished", "0 of 3 nodes", "n1: ", "n2: ", "n3: ")
	awaitObjectCondition(t, cluster, "BGPPeer", "mixed", "Ready", "True InUse")
}

func TestBFD_ForgottenAtTheRouterIsACondition(t *testing.T) {
	lab.Need(t, lab.FRR)
	cluster := daymark(t)
	cluster.Router().Configure(lab.FRR, lab.RouterSettings{})
	cluster.Apply(`
apiVersion: daymark.io/v1beta1
kind: BFDProfile
metadata: {name: forgotten}
spec: {}
`)
	cluster.Apply(peer("unwatched", "bfdProfile: forgotten"))
	awaitObjectCondition(t, cluster, "BGPPeer", "unwatched", "SessionsEstablished", "True Established")
	awaitObjectCondition(t, cluster, "BGPPeer", "unwatched", "BFDUp", "False Down", "BFD is up on 0 of 3 nodes", "n1: Down")
	awaitObjectCondition(t, cluster, "BGPPeer", "unwatched", "Ready", "True InUse")
	awaitObjectCondition(t, cluster, "BFDProfile", "forgotten", "Ready", "True Valid")
}
