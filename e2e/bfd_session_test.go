package e2e_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/e2e/lab"
)

// bfdInterval is what both ends want in the tests; three lost packets are a failure.
const bfdInterval = 300 * time.Millisecond

func bfdProfile(name string, interval time.Duration, multiplier int) string {
	return fmt.Sprintf(`
apiVersion: daymark.io/v1beta1
kind: BFDProfile
metadata: {name: %s}
spec: {receiveInterval: %d, transmitInterval: %d, detectMultiplier: %d}
`, name, interval.Milliseconds(), interval.Milliseconds(), multiplier)
}

// underBFD makes a Service with an address that every node announces to the router, by sessions that both ends protect by
// BFD. The pod is on n1.
func underBFD(
	t testing.TB, cluster *lab.Cluster, kind lab.RouterKind, interval time.Duration, name, addresses string,
) netip.Addr {
	t.Helper()
	return underSlowBFD(t, cluster, kind, interval, 3, name, addresses)
}

// underSlowBFD is underBFD with another number of intervals in which nothing comes until a session is down.
func underSlowBFD(
	t testing.TB, cluster *lab.Cluster, kind lab.RouterKind, interval time.Duration, multiplier int, name, addresses string,
) netip.Addr {
	t.Helper()
	cluster.Router().Configure(kind, lab.RouterSettings{BFD: interval})
	cluster.Pod(name, "n1")
	cluster.Apply(bfdProfile(name, interval, multiplier))
	cluster.Apply(peer(name, "bfdProfile: "+name))
	cluster.Apply(routedPool(name, addresses))
	cluster.Apply(service(name, name))
	address, _ := cluster.Service(name).AwaitAddress()
	awaitNextHops(t, cluster, address.String(), cluster.NodeNames()...)
	for _, node := range cluster.NodeNames() {
		awaitBFDUp(t, cluster, node, name)
	}
	awaitNextHops(t, cluster, address.String(), cluster.NodeNames()...)
	awaitThroughAll(t, cluster, address)
	return address
}

// awaitBFDUp waits until a node's Speaker says that the session with a peer is established and its BFD session up,
// and until the router says so too. The Speaker object alone would not do: it may be a second old, and when a neighbor's
// first BGP session comes up, BIRD starts its BFD session and FRR starts it anew.
func awaitBFDUp(t testing.TB, cluster *lab.Cluster, node, peer string) {
	t.Helper()
	lab.Eventually(t, waitTimeout, node+" has its session, and BFD is up at both ends", func() error {
		session, err := sessionOf(cluster, node, peer)
		if err == nil && (session.State != v1beta1.BGPEstablished || session.BFD != "Up") {
			err = fmt.Errorf("it says %+v", session)
		}
		if err == nil && !slices.Contains(cluster.Router().BFDUp(), node) {
			err = errors.New("the router says that it is not up")
		}
		return err
	})
}

// sessionOf is the one session with a peer as the node's Speaker has it.
func sessionOf(cluster *lab.Cluster, node, peer string) (v1beta1.BGPSession, error) {
	o, err := cluster.Look("daymark.io/v1beta1", "Speaker", node)
	if err != nil {
		return v1beta1.BGPSession{}, err
	}
	speaker := &v1beta1.Speaker{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, speaker); err != nil {
		return v1beta1.BGPSession{}, err
	}
	for _, session := range speaker.Status.BGP {
		if session.Peer == peer {
			return session, nil
		}
	}
	return v1beta1.BGPSession{}, fmt.Errorf("the speaker of %s has no session with %s", node, peer)
}

// crashed is what a node's crash led to.
type crashed struct {
	withdrawn time.Duration // until the router's kernel forwarded nothing to the node any more
	lab.Report
}

// crash crashes a node while a far client opens connections, and waits until the router forwards to the others alone.
func crash(t testing.TB, cluster *lab.Cluster, address netip.Addr, node string) crashed {
	t.Helper()
	probe := cluster.FarClient().Probe(url(address))
	lab.Eventually(t, waitTimeout, "the client is served", func() error { return probe.ServedSince(time.Time{}) })
	others := slices.DeleteFunc(cluster.NodeNames(), func(name string) bool { return name == node })
	began := time.Now()
	cluster.Node(node).Crash()
	awaitNextHops(t, cluster, address.String(), others...)
	withdrawn := time.Now()
	lab.Eventually(t, waitTimeout, "the client is served", func() error { return probe.ServedSince(withdrawn) })
	return crashed{withdrawn.Sub(began), probe.Stop()}
}

// frrNeighbor is what FRR knows of a session.
type frrNeighbor struct {
	State       string `json:"bgpState"`
	Established int    `json:"connectionsEstablished"` // how often it came up
}

// frrBFD is what FRR knows of a BFD session: what the node says there, and how often the session went down.
type frrBFD struct {
	Peer       netip.Addr `json:"peer"`
	Status     string     `json:"status"`
	Transmit   int        `json:"remote-transmit-interval"`
	Receive    int        `json:"remote-receive-interval"`
	Multiplier int        `json:"remote-detect-multiplier"`
	Downs      int        `json:"session-down"`
}

// bfdOf is FRR's BFD session with a node.
func bfdOf(cluster *lab.Cluster, node, command string) (frrBFD, error) {
	var all []frrBFD
	if err := cluster.Router().Show(command, &all); err != nil {
		return frrBFD{}, err
	}
	for _, session := range all {
		if cluster.NodeAt(session.Peer) == node {
			return session, nil
		}
	}
	return frrBFD{}, errors.New("FRR has no BFD session with " + node)
}

// stale returns the nodes whose path to the address FRR keeps although the session is gone.
func stale(cluster *lab.Cluster, address netip.Addr) (nodes []string, err error) {
	var answer struct {
		Paths []struct {
			Stale    bool
			Nexthops []struct{ IP netip.Addr }
		}
	}
	err = cluster.Router().Show(fmt.Sprintf("bgp ipv4 unicast %s/32", address), &answer)
	for _, path := range answer.Paths {
		if path.Stale && len(path.Nexthops) > 0 {
			nodes = append(nodes, cluster.NodeAt(path.Nexthops[0].IP))
		}
	}
	return nodes, err
}
