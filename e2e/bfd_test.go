package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// Promise: with BFD a node that dies is found in about a second, and its routes go; BFD protects the session again when it is back.

func TestBFD_DetectsACrashedNode(t *testing.T) {
	for _, kind := range []lab.RouterKind{lab.FRR, lab.BIRD} {
		t.Run(string(kind), func(t *testing.T) {
			lab.Need(t, kind)
			cluster := daymark(t)
			address := underBFD(t, cluster, kind, bfdInterval, "crashes", "198.19.10.0/24")
			c := crash(t, cluster, address, "n3")
			t.Logf("no route to n3 after %s; new connections failed for %s; %s", ms(c.withdrawn), ms(c.Span()), c.Report)
			if c.Failed() == 0 {
				t.Error("no connection was sent to the node that had crashed: the router does not spread them")
			}
			mustBeUnder(t, "the withdrawal", c.withdrawn)
			mustBeUnder(t, "the time in which connections failed", c.Span())

			cluster.Node("n3").Return()
			awaitNextHops(t, cluster, address.String(), "n1", "n2", "n3")
			awaitBFDUp(t, cluster, "n3", "crashes")
		})
	}
}

func TestBFD_ProfileChangesWhileSessionsStayUp(t *testing.T) {
	lab.Need(t, lab.FRR)
	cluster := daymark(t)
	underBFD(t, cluster, lab.FRR, bfdInterval, "changes", "198.19.11.0/24")
	before := map[string]int{}
	for _, node := range cluster.Nodes() {
		before[node.Name] = neighborOf(t, cluster, node).Established
		if now, err := bfdOf(cluster, node.Name, "bfd peers"); err != nil || now.Transmit != 300 || now.Receive != 300 || now.Multiplier != 3 {
			t.Errorf("FRR has %+v, want 300 ms and 3; %v", now, err)
		}
	}
	cluster.Apply(bfdProfile("changes", 400*time.Millisecond, 5))
	for _, node := range cluster.Nodes() {
		lab.Eventually(t, waitTimeout, "FRR is told the new times", func() error {
			now, err := bfdOf(cluster, node.Name, "bfd peers")
			if err == nil && (now.Status != "up" || now.Transmit != 400 || now.Receive != 400 || now.Multiplier != 5) {
				err = fmt.Errorf("it has %+v", now)
			}
			return err
		})
		if counters, err := bfdOf(cluster, node.Name, "bfd peers counters"); err != nil || counters.Downs != 0 {
			t.Errorf("BFD with %s went down %d times: %v", node.Name, counters.Downs, err)
		}
		if n := neighborOf(t, cluster, node); n.State != "Established" || n.Established != before[node.Name] {
			t.Errorf("the session with %s is %s and came up %d times, want %d", node.Name, n.State, n.Established, before[node.Name])
		}
	}
}

func TestBFD_RemovalLosesNoRoute(t *testing.T) {
	for _, kind := range []lab.RouterKind{lab.FRR, lab.BIRD} {
		t.Run(string(kind), func(t *testing.T) {
			lab.Need(t, kind)
			cluster := daymark(t)
			address := underBFD(t, cluster, kind, bfdInterval, "plain", "198.19.12.0/24")
			watch := cluster.Router().Watch(address.String())
			cluster.Apply(peer("plain"))
			for _, node := range cluster.NodeNames() {
				lab.Eventually(t, waitTimeout, node+" does not heed BFD any more", func() error {
					session, err := sessionOf(cluster, node, "plain")
					if err == nil && !strings.Contains(session.BFD, "not heeded") {
						err = fmt.Errorf("it says that BFD is %s", session.BFD)
					}
					return err
				})
			}
			if kind == lab.FRR { // where it can be taken from a session in place
				router := fmt.Sprintf("router bgp %d", lab.RouterASN)
				if _, err := cluster.Router().Vtysh("configure terminal", router, "no neighbor nodes bfd"); err != nil {
					t.Fatal(err)
				}
				for _, node := range cluster.NodeNames() {
					lab.Eventually(t, waitTimeout, node+" has no BFD", func() error {
						session, err := sessionOf(cluster, node, "plain")
						if err == nil && session.BFD != "" {
							err = fmt.Errorf("it is %s", session.BFD)
						}
						return err
					})
				}
			}
			if changes := watch.Stop(); len(changes) != 1 {
				t.Errorf("the next hops were %v, want all three all the while", changes)
			}
		})
	}
}

// neighborOf is FRR's session with a node.
func neighborOf(t *testing.T, cluster *lab.Cluster, node lab.Node) frrNeighbor {
	t.Helper()
	all := map[string]frrNeighbor{}
	if err := cluster.Router().Show("bgp neighbors "+node.V4.String(), &all); err != nil {
		t.Fatal(err)
	}
	return all[node.V4.String()]
}

// A path that TCP passes and BFD does not carries no route. Here the router runs no BFD until it is told to.
func TestBFD_StrictSessionWaitsForTheRoutersBFD(t *testing.T) {
	lab.Need(t, lab.FRR)
	cluster := daymark(t)
	cluster.Router().Configure(lab.FRR, lab.RouterSettings{})
	cluster.Pod("strict", "n1")
	cluster.Apply(bfdProfile("strict", bfdInterval, 3))
	cluster.Apply(peer("strict", "bfdProfile: strict", "bfdStrict: true"))
	cluster.Apply(routedPool("strict", "198.19.6.0/24"))
	cluster.Apply(service("strict", "strict"))
	address, _ := cluster.Service("strict").AwaitAddress()
	awaitObjectCondition(t, cluster, "BGPPeer", "strict", "SessionsEstablished", "False", "n3: waits for BFD, which is not up (bfdStrict)")
	awaitObjectCondition(t, cluster, "BGPPeer", "strict", "BFDUp", "False Down", "BFD is up on 0 of 3 nodes")
	for _, node := range cluster.Nodes() {
		if n := neighborOf(t, cluster, node); n.Established > 0 {
			t.Errorf("the router says of %s %+v", node.Name, n)
		}
	}
	if hops := cluster.Router().NextHopNodes(address.String()); len(hops) > 0 {
		t.Errorf("the router forwards to %v", hops)
	}
	if _, err := cluster.Router().Vtysh("configure terminal", fmt.Sprintf("router bgp %d", lab.RouterASN), "neighbor nodes bfd profile lab"); err != nil {
		t.Fatal(err)
	}
	for _, node := range cluster.NodeNames() {
		awaitBFDUp(t, cluster, node, "strict")
	}
	awaitNextHops(t, cluster, address.String(), cluster.NodeNames()...)
	awaitObjectCondition(t, cluster, "BGPPeer", "strict", "SessionsEstablished", "True Established")
}
