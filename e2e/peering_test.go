package e2e_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// Promise: one object is enough for a cluster; what is wrong with a session is said where one looks, and stays there.

// byGateway is peer with the default gateway of each node in place of the router's address.
func byGateway(name string) string {
	return strings.Replace(peer(name), "peerAddress: "+lab.RouterV4.String(), "peerFrom: {defaultGateway: IPv4}", 1)
}

// only selects nodes for a peer.
func only(operator, node string) string {
	return fmt.Sprintf("nodeSelectors: [{matchExpressions: [{key: kubernetes.io/hostname, operator: %s, values: [%s]}]}]", operator, node)
}

// routed makes a Service for a pod on n1 with an address that every node announces to a peer, and waits until the router knows all.
func routed(t *testing.T, cluster *lab.Cluster, name, peer, addresses string) netip.Addr {
	t.Helper()
	cluster.Pod(name, "n1")
	cluster.Apply(peer)
	cluster.Apply(routedPool(name, addresses))
	cluster.Apply(service(name, name))
	address, _ := cluster.Service(name).AwaitAddress()
	awaitNextHops(t, cluster, address.String(), cluster.NodeNames()...)
	awaitThroughAll(t, cluster, address)
	return address
}

func TestBGP_NodesPeerWithTheirDefaultGateway(t *testing.T) {
	cluster := daymark(t)
	routed(t, cluster, "gateway", byGateway("gateway"), "198.19.14.0/24")
	awaitObjectCondition(t, cluster, "BGPPeer", "gateway", "SessionsEstablished", "True", "3 of 3 nodes")
	for _, node := range cluster.NodeNames() {
		if session, err := sessionOf(cluster, node, "gateway"); err != nil || session.Address != lab.RouterV4.String() {
			t.Errorf("%s peers with %q: %v", node, session.Address, err)
		}
	}
}

func TestBGP_WrongPasswordHarmsNoOtherSession(t *testing.T) {
	lab.Need(t, lab.FRR)
	cluster := daymark(t)
	cluster.Router().Configure(lab.FRR, lab.RouterSettings{Password: "lighthouse"})
	for name, password := range map[string]string{"right": "lighthouse\n", "wrong": "lightship"} { // the right one is that of a file
		cluster.Apply(fmt.Sprintf(`
apiVersion: v1
kind: Secret
metadata: {name: %s, namespace: daymark-system}
stringData: {password: %q}
`, name, password))
	}
	cluster.Pod("signed", "n1")
	cluster.Apply(peer("right", "passwordSecret: {name: right}", only("NotIn", "n3")))
	cluster.Apply(routedPool("signed", "198.19.15.0/24"))
	cluster.Apply(service("signed", "signed"))
	address, _ := cluster.Service("signed").AwaitAddress()
	awaitNextHops(t, cluster, address.String(), "n1", "n2")

	watch := cluster.Router().Watch(address.String())
	cluster.Apply(peer("wrong", "passwordSecret: {name: wrong}", only("In", "n3")))
	awaitObjectCondition(t, cluster, "BGPPeer", "wrong", "SessionsEstablished", "False NotEstablished", "n3", "password")
	awaitObjectCondition(t, cluster, "BGPPeer", "right", "SessionsEstablished", "True Established")
	for _, node := range cluster.Nodes()[:2] {
		if n := neighborOf(t, cluster, node); n.State != "Established" || n.Established != 1 {
			t.Errorf("the session with %s is %s and came up %d times, want once", node.Name, n.State, n.Established)
		}
	}
	if changes := watch.Stop(); len(changes) != 1 {
		t.Errorf("the next hops were %v, want n1 and n2 all the while", changes)
	}
	cluster.Apply(peer("wrong", "passwordSecret: {name: right}", only("In", "n3")))
	awaitNextHops(t, cluster, address.String(), "n1", "n2", "n3")
	awaitObjectCondition(t, cluster, "BGPPeer", "wrong", "SessionsEstablished", "True Established")
}

func TestBGP_FamilyThatIsNotOfferedIsReported(t *testing.T) {
	lab.Need(t, lab.FRR)
	cluster := daymark(t)
	cluster.Router().Configure(lab.FRR, lab.RouterSettings{})
	address := routed(t, cluster, "half", peer("half", "addressFamilies: [IPv4, IPv6]"), "198.19.16.0/24")
	awaitObjectCondition(t, cluster, "BGPPeer", "half", "SessionsEstablished", "False Incomplete", "3 of 3 nodes", "IPv6")
	lab.Eventually(t, waitTimeout, "n2 says what goes by the session", func() error {
		session, err := sessionOf(cluster, "n2", "half")
		if err == nil && (session.State != "Established" || session.IPv4 != 1 || len(session.Families) != 1 || session.Families[0] != "IPv4") {
			err = fmt.Errorf("it says %+v", session)
		}
		return err
	})
	cluster.FarClient().MustGet(url(address))
}

func TestBGP_ContradictingAdvertisementIsReported(t *testing.T) {
	cluster := daymark(t)
	cluster.Pod("twice", "n1")
	cluster.Apply(peer("twice") + "\n---" + pool("twice", "198.19.17.0/24"))
	advertisement := func(name string, med int) string {
		return fmt.Sprintf(`
apiVersion: daymark.io/v1beta1
kind: BGPAdvertisement
metadata: {name: %s}
spec: {ipAddressPools: [twice], med: %d}
`, name, med)
	}
	cluster.Apply(advertisement("a-first", 10))
	cluster.Apply(service("twice", "twice"))
	address, _ := cluster.Service("twice").AwaitAddress()
	awaitNextHops(t, cluster, address.String(), "n1", "n2", "n3")
	cluster.Apply(advertisement("b-second", 20))
	awaitObjectCondition(t, cluster, "BGPAdvertisement", "b-second", "Ready", "True Overridden", "med 20", "a-first")
	awaitObjectCondition(t, cluster, "BGPAdvertisement", "a-first", "Ready", "True")
	cluster.Delete(advertisement("a-first", 10))
	awaitObjectCondition(t, cluster, "BGPAdvertisement", "b-second", "Ready", "True")
}

func TestBGP_RestartedRouterIsPeeredWithInSeconds(t *testing.T) {
	const within = 5 * time.Second
	cluster := daymark(t)
	address := routed(t, cluster, "back", peer("back"), "198.19.18.0/24")
	cluster.Router().Stop()
	for _, node := range cluster.NodeNames() {
		lab.Eventually(t, waitTimeout, node+" has lost its session", func() error {
			session, err := sessionOf(cluster, node, "back")
			if err == nil && session.State == "Established" {
				err = fmt.Errorf("it says %+v", session)
			}
			return err
		})
	}
	cluster.Router().Start()
	began := time.Now()
	awaitNextHops(t, cluster, address.String(), "n1", "n2", "n3")
	took := time.Since(began)
	t.Logf("all routes are back %s after the router", ms(took))
	if took > within {
		t.Errorf("the routes are back after %s, want less than %s", took, within)
	}
}

func TestBGP_ConnectionsSpreadOverAllNodes(t *testing.T) {
	cluster := daymark(t)
	routed(t, cluster, "spread", peer("spread"), "198.19.19.0/24")
}

// awaitThroughAll waits until connections come through every node. The router may know an address before kube-proxy on each node does: what
// comes by then leaves an entry in the node's connection tracking, with which a later connection from the same port goes astray for two minutes.
// So the nodes are asked first.
func awaitThroughAll(t testing.TB, cluster *lab.Cluster, address netip.Addr) {
	t.Helper()
	for _, node := range cluster.NodeNames() {
		lab.Eventually(t, waitTimeout, node+" serves "+url(address), func() error { return cluster.Node(node).Serves(url(address)) })
	}
	var through []string
	lab.Eventually(t, waitTimeout, "connections come through every node", func() error {
		answer, err := cluster.FarClient().Get(url(address))
		node := cluster.NodeAt(answer.Client) // the pod sees the node that a connection came by
		if !slices.Contains(cluster.NodeNames(), node) {
			node = answer.Node // under Local it sees the client, and is on that node
		}
		if err == nil && !slices.Contains(through, node) {
			through = append(through, node)
		}
		if slices.Sort(through); err == nil && !slices.Equal(through, cluster.NodeNames()) {
			err = fmt.Errorf("they came through %v", through)
		}
		return err
	})
}
