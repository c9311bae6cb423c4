package e2e_test

import (
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// Promise: what runs survives what is broken. What an object referred to may be deleted and its own text may become nonsense: after
// all programs were killed and started again the sessions and routes are what they were.

// killAll kills the controller and then the speakers, and starts each again at once.
func killAll(cluster *lab.Cluster) {
	cluster.Controller().Kill()
	cluster.Controller().Start()
	for _, node := range cluster.Nodes() {
		node.Speaker().Kill()
		node.Speaker().Start()
	}
}

func TestSurvives_BFDProfileThatIsDeleted(t *testing.T) {
	const interval = time.Second // Three are lost later than a speaker is back.
	lab.Need(t, lab.FRR)
	cluster := daymark(t)
	address := underBFD(t, cluster, lab.FRR, interval, "orphaned", "198.19.32.0/24")
	watch := cluster.Router().Watch(address.String())
	cluster.Kubectl("annotate", "bfdprofile", "orphaned", "daymark.io/allow-deletion=true")
	cluster.Kubectl("delete", "bfdprofile", "orphaned")
	awaitObjectCondition(t, cluster, "BGPPeer", "orphaned", "Ready", "False NotFound", "BFDProfile orphaned does not exist: the parameters that it had go on")
	for range 2 { // The second time all that ever knew the profile is dead.
		killAll(cluster)
		for _, node := range cluster.NodeNames() {
			awaitBFDUp(t, cluster, node, "orphaned")
			if session, err := bfdOf(cluster, node, "bfd peers"); err != nil || session.Transmit != int(interval.Milliseconds()) {
				t.Errorf("BFD of %s has other parameters: %+v, %v", node, session, err)
			}
		}
		awaitObjectCondition(t, cluster, "BGPPeer", "orphaned", "SessionsEstablished", "True", "3 of 3 nodes")
	}
	if changes := watch.Stop(); len(changes) != 1 || len(changes[0].NextHops) != 3 {
		t.Errorf("the next hops were %v, want all three all the while", changes)
	}
}
