package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// goneTimeout is within which it is said that a speaker is gone though its node is ready.
const goneTimeout = 30 * time.Second

// readyOf is the status of the condition Ready of a Speaker and its reason.
func readyOf(cluster *lab.Cluster, node string) (status, reason string) {
	o, err := cluster.Look("daymark.io/v1beta1", "Speaker", node)
	if err != nil {
		return "", err.Error()
	}
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, c := range conditions {
		if condition, ok := c.(map[string]any); ok && condition["type"] == "Ready" {
			return fmt.Sprint(condition["status"]), fmt.Sprint(condition["reason"])
		}
	}
	return "", ""
}

// awaitReady waits until the Speaker objects of some nodes have the condition Ready with a status.
func awaitReady(t *testing.T, cluster *lab.Cluster, want string, nodes ...string) {
	t.Helper()
	lab.Eventually(t, goneTimeout, fmt.Sprintf("the Speakers of %v are ready: %s", nodes, want), func() error {
		for _, node := range nodes {
			if status, reason := readyOf(cluster, node); status != want {
				return fmt.Errorf("that of %s says %s %s", node, status, reason)
			}
		}
		return nil
	})
}

// Promise: what is said of a Service is what the network does, also when nobody is left who could say it.
func TestSpeakers_ThatAreGoneAreSaidToBe(t *testing.T) {
	cluster := daymark(t)
	cluster.Pod("web", "n1")
	cluster.Apply(segmentPool("segment", "192.0.2.210-192.0.2.219"))
	cluster.Apply(service("web", "segment"))
	address, _ := cluster.Service("web").AwaitAddress()
	awaitHolder(t, cluster, address)
	awaitCondition(t, cluster.Service("web"), "daymark.io/Announced", "True")
	nodes := cluster.Nodes()

	nodes[1].Speaker().Kill()
	awaitReady(t, cluster, "Unknown", nodes[1].Name)
	awaitCondition(t, cluster.Service("web"), "daymark.io/Announced", "True")

	for _, node := range nodes {
		node.Speaker().Kill()
	}
	awaitReady(t, cluster, "Unknown", cluster.NodeNames()...)
	awaitCondition(t, cluster.Service("web"), "daymark.io/Announced", "False")
	cluster.StartDaymark()
	awaitReady(t, cluster, "True", cluster.NodeNames()...)
	awaitCondition(t, cluster.Service("web"), "daymark.io/Announced", "True")
}
