package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// Promise 5: the health-check port answers 200 on the node with the pod and 503 elsewhere, by the speaker where no service
// proxy serves it.

func TestHealth_SpeakerServesAPortThatNobodyDoes(t *testing.T) {
	cluster := daymark(t, lab.WithProxy(lab.OwnProxy)) // which serves no health-check port
	pod, port := localService(t, cluster)
	awaitHealthyWithin(t, 75*time.Second, cluster, port, "n2") // A proxy whose health check is not found has a minute to come first.
	pod.MoveTo("n3")
	awaitHealthy(t, cluster, port, "n3")
	pod.SetReady(false)
	awaitHealthy(t, cluster, port, "none")
}

func TestHealth_OnePortAnswersForEveryService(t *testing.T) {
	cluster := daymark(t)
	localService(t, cluster)
	lab.Eventually(t, waitTimeout, "the speakers' own port answers alike", func() error {
		for _, node := range cluster.Nodes() {
			if err := answers(node, 7473, "/healthz/services/default/healthy", node.Name == "n2"); err != nil {
				return err
			}
		}
		return nil
	})
}

func localService(t *testing.T, cluster *lab.Cluster) (*lab.Pod, int) {
	t.Helper()
	cluster.Apply(segmentPool("healthy", "192.0.2.225-192.0.2.229"))
	pod := cluster.Pod("healthy", "n2")
	cluster.Apply(service("healthy", "healthy", "externalTrafficPolicy: Local"))
	cluster.Service("healthy").AwaitAddress()
	return pod, cluster.Service("healthy").HealthPort()
}

// awaitHealthy waits until the port says 200 on that node and 503 on all others.
func awaitHealthy(t *testing.T, cluster *lab.Cluster, port int, where string) {
	t.Helper()
	awaitHealthyWithin(t, waitTimeout, cluster, port, where)
}

func awaitHealthyWithin(t *testing.T, timeout time.Duration, cluster *lab.Cluster, port int, where string) {
	t.Helper()
	lab.Eventually(t, timeout, fmt.Sprintf("port %d is healthy on %s alone", port, where), func() error {
		for _, node := range cluster.Nodes() {
			if err := answers(node, port, "/healthz", node.Name == where); err != nil {
				return err
			}
		}
		return nil
	})
}

func answers(node lab.Node, port int, path string, healthy bool) error {
	want := 503
	if healthy {
		want = 200
	}
	status, body, err := node.Get(port, path)
	if err == nil && status != want {
		err = fmt.Errorf("%s answers %d %s", node.Name, status, body)
	}
	return err
}
