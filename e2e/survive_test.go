package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// Promise: what runs survives what is broken. What an object referred to may be deleted and its own text may become nonsense: after
// all programs were killed and started again the sessions and routes are what they were.

// killAll kills the controller and then the speakers, starts each again at once, and waits until those of some nodes have said all of these words.
func killAll(t *testing.T, cluster *lab.Cluster, nodes []string, words ...string) {
	t.Helper()
	cluster.Controller().Kill()
	cluster.Controller().Start()
	said := map[string]int{}
	for _, node := range cluster.Nodes() {
		said[node.Name] = len(node.Speaker().Output())
		node.Speaker().Kill()
		node.Speaker().Start()
	}
	for _, node := range nodes {
		awaitSaid(t, cluster.Node(node).Speaker(), said[node], words...)
	}
}

// awaitSaid waits until a program has written all of these words, behind so many bytes.
func awaitSaid(t *testing.T, program lab.Daemon, after int, words ...string) {
	t.Helper()
	lab.Eventually(t, waitTimeout, fmt.Sprintf("%s says %q", program.Name, words), func() error {
		text := program.Output()[after:]
		for _, word := range words {
			if !strings.Contains(text, word) {
				return fmt.Errorf("it says %s", text)
			}
		}
		return nil
	})
}

const (
	saysBFDResumed = "BFD session of an earlier process is resumed"
	saysBGPUp      = "BGP session is up"
)

func TestSurvives_BFDProfileThatIsDeleted(t *testing.T) {
	const interval, multiplier = 500 * time.Millisecond, 10 // A speaker is back, and has heard the router, long before so many are lost.
	lab.Need(t, lab.FRR)
	cluster := daymark(t)
	address := underSlowBFD(t, cluster, lab.FRR, interval, multiplier, "orphaned", "198.19.32.0/24")
	watch := cluster.Router().Watch(address.String())
	cluster.Kubectl("annotate", "bfdprofile", "orphaned", "daymark.io/allow-deletion=true")
	cluster.Kubectl("delete", "bfdprofile", "orphaned")
	awaitObjectCondition(t, cluster, "BGPPeer", "orphaned", "Ready", "False NotFound", "BFDProfile orphaned does not exist: the parameters that it had go on")
	for range 2 { // The second time all that ever knew the profile is dead.
		killAll(t, cluster, cluster.NodeNames(), saysBFDResumed, saysBGPUp)
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

func TestSurvives_SelectorsThatAreNonsense(t *testing.T) {
	lab.Need(t, lab.FRR)
	cluster := daymark(t)
	cluster.Router().Configure(lab.FRR, lab.RouterSettings{})
	cluster.Pod("nonsense", "n1")
	near := func(selectors string) string {
		return "apiVersion: daymark.io/v1beta1\nkind: L2Advertisement\nmetadata: {name: nonsense}\nspec:\n  ipAddressPools: [nonsense-near]\n  " + selectors
	}
	cluster.Apply(pool("nonsense-near", "192.0.2.237-192.0.2.239") + "\n---\n" + near(only("In", "n2")))
	cluster.Apply(peer("nonsense", only("NotIn", "n3")))
	cluster.Apply(routedPool("nonsense", "198.19.33.0/24"))
	cluster.Apply(service("nonsense", "nonsense"))
	cluster.Apply(strings.Replace(service("nonsense-near", "nonsense-near"), "app: nonsense-near", "app: nonsense", 1))
	far, _ := cluster.Service("nonsense").AwaitAddress()
	local, _ := cluster.Service("nonsense-near").AwaitAddress()
	awaitNextHops(t, cluster, far.String(), "n1", "n2")
	awaitHolder(t, cluster, local, "n2")

	// The schema cannot tell that the prefix of a key is too long.
	nonsense := fmt.Sprintf("nodeSelectors: [{matchLabels: {%s/key: x}}]", strings.Repeat("a", 254))
	watch := cluster.Router().Watch(far.String())
	for kind, manifest := range map[string]string{"BGPPeer": peer("nonsense", nonsense), "L2Advertisement": near(nonsense)} {
		cluster.Apply(manifest)
		awaitObjectCondition(t, cluster, kind, "nonsense", "Ready", "False Invalid", "nodeSelectors[0]", "counts until then")
	}
	killAll(t, cluster, []string{"n1", "n2"}, saysBGPUp)
	awaitObjectCondition(t, cluster, "BGPPeer", "nonsense", "SessionsEstablished", "True", "2 of 2 nodes")
	awaitCondition(t, cluster.Service("nonsense"), "daymark.io/Announced", "True Announced", "by BGP (nonsense)")
	awaitCondition(t, cluster.Service("nonsense-near"), "daymark.io/Announced", "True Announced")
	awaitHolder(t, cluster, local, "n2")
	if changes := watch.Stop(); len(changes) != 1 || !slices.Equal(changes[0].NextHops, []string{"n1", "n2"}) {
		t.Errorf("the next hops were %v, want n1 and n2 all the while", changes)
	}
	cluster.FarClient().MustGet(url(far))
	cluster.Client().MustGet(url(local))
}

func TestSurvives_NamesThatAreMisspelt(t *testing.T) {
	lab.Need(t, lab.FRR)
	cluster := daymark(t)
	cluster.Router().Configure(lab.FRR, lab.RouterSettings{})
	cluster.Apply(pool("misspelt-near", "192.0.2.234-192.0.2.236"))
	far := routed(t, cluster, "misspelt", peer("misspelt"), "198.19.34.0/24")
	by := func(kind, lists string) string {
		return "apiVersion: daymark.io/v1beta1\nkind: " + kind + "\nmetadata: {name: misspelt}\nspec: {" + lists + "}"
	}
	cluster.Apply(by("BGPAdvertisement", "ipAddressPools: [misspelt], peers: [misspelt]"))
	cluster.Apply(by("L2Advertisement", "ipAddressPools: [misspelt-near], interfaces: [eth0], nodeSelectors: [{matchLabels: {kubernetes.io/hostname: n2}}]"))
	cluster.Apply(strings.Replace(service("misspelt-near", "misspelt-near"), "app: misspelt-near", "app: misspelt", 1))
	near, _ := cluster.Service("misspelt-near").AwaitAddress()
	awaitHolder(t, cluster, near, "n2")
	awaitObjectCondition(t, cluster, "BGPAdvertisement", "misspelt", "Ready", "True")
	awaitObjectCondition(t, cluster, "L2Advertisement", "misspelt", "Ready", "True")

	watch := cluster.Router().Watch(far.String())
	probe := cluster.Client().Probe(url(near))
	cluster.Apply(by("BGPAdvertisement", "ipAddressPools: [mispelt], peers: [misspelt]"))
	awaitObjectCondition(t, cluster, "BGPAdvertisement", "misspelt", "Ready", "False NotFound", "pool mispelt does not exist: did you mean misspelt?", "pools misspelt")
	cluster.Apply(by("BGPAdvertisement", "ipAddressPools: [misspelt], peers: [mispelt]"))
	awaitObjectCondition(t, cluster, "BGPAdvertisement", "misspelt", "Ready", "False NotFound", "peer mispelt does not exist: did you mean misspelt?", "peers misspelt")
	cluster.Apply(by("L2Advertisement", "ipAddressPools: [misspelt-naer], interfaces: [eht0], nodeSelectors: [{matchLabels: {kubernetes.io/hostname: n2}}]"))
	awaitObjectCondition(t, cluster, "L2Advertisement", "misspelt", "Ready", "False NotFound", "did you mean misspelt-near?", "interfaces eth0")
	if report := probe.Stop(); report.Failed() > 0 {
		t.Errorf("%d connections by layer 2 failed; the first says: %v", report.Failed(), report.FirstError())
	}

	// Nor does a mistake in the BGPPeer end what runs: what the nodes are, what they are told in annotations, and what they have.
	cluster.Apply(peer("misspelt", "nodeSelectors: [{matchLabels: {kubernetes.io/hostnmae: n2}}]"))
	awaitObjectCondition(t, cluster, "BGPPeer", "misspelt", "Ready", "False NoNode", "nodeSelectors match no node", "counts until then")
	killAll(t, cluster, cluster.NodeNames(), saysBGPUp)
	cluster.Apply(strings.Replace(peer("misspelt"), "peerAddress: "+lab.RouterV4.String(), "peerFrom: {nodeAnnotation: example.com/routr}", 1))
	awaitObjectCondition(t, cluster, "BGPPeer", "misspelt", "Ready", "False NoNode", "has the annotation example.com/routr", "counts until then")
	killAll(t, cluster, cluster.NodeNames(), saysBGPUp)
	cluster.Apply(peer("misspelt", "vrf: rde"))
	awaitObjectCondition(t, cluster, "BGPPeer", "misspelt", "SessionsEstablished", "False Incomplete", "has no interface rde: the session goes on in none")

	killAll(t, cluster, cluster.NodeNames(), saysBGPUp)
	awaitObjectCondition(t, cluster, "BGPPeer", "misspelt", "SessionsEstablished", "False Incomplete", "3 of 3 nodes", "has no interface rde")
	awaitCondition(t, cluster.Service("misspelt"), "daymark.io/Announced", "True Announced", "by BGP (misspelt)")
	awaitHolder(t, cluster, near, "n2")
	cluster.Client().MustGet(url(near))
	if changes := watch.Stop(); len(changes) != 1 || len(changes[0].NextHops) != 3 {
		t.Errorf("the next hops were %v, want all three all the while", changes)
	}

	// Whoever wants to withdraw names what exists.
	cluster.Apply(by("BGPAdvertisement", "ipAddressPools: [misspelt-near]"))
	awaitNextHops(t, cluster, far.String())
}
