package e2e_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// Promise 2: the client resolves the address by ARP and gets an answer from a pod; exactly one node answers ARP.

func TestLayer2_OneNodeAnswers(t *testing.T) {
	cluster := daymark(t)
	cluster.Pod("web", "n1")
	cluster.Apply(segmentPool("segment", "192.0.2.210-192.0.2.219"))
	cluster.Apply(service("web", "segment"))
	address, _ := cluster.Service("web").AwaitAddress()
	holder := awaitHolder(t, cluster, address)
	if answer := cluster.Client().MustGet(url(address)); answer.Pod != "web" {
		t.Errorf("the client was answered %q", answer)
	}
	if resolved := cluster.Client().Resolved(address); resolved != holder {
		t.Errorf("the client's kernel resolved %s to %q, want %s", address, resolved, holder)
	}
	awaitCondition(t, cluster.Service("web"), "daymark.io/Announced", "True")
	lab.Eventually(t, waitTimeout, "the Speaker object of "+holder+" says that it holds the address", func() error {
		held := heldBy(cluster, holder)
		if !held[address.String()] {
			return fmt.Errorf("it says %v", held)
		}
		return nil
	})
}

// Speakers that start have not met yet: they must find each other before they answer, and where the message of one comes
// late to another, as on a busy machine, one of them yields.
func TestLayer2_SpeakersThatStartTogetherAgree(t *testing.T) {
	cluster := daymark(t)
	many := manyServices(t, cluster, 3, "192.0.2.210-192.0.2.219")
	for range 3 {
		for _, node := range cluster.Nodes() {
			node.Speaker().Kill()
		}
		cluster.StartDaymark()
		awaitHolders(t, cluster, "each address has one holder", many, nil)
		lab.Always(t, 2*time.Second, "each address keeps one holder", func() error {
			for address, all := range cluster.Client().Holders(many...) {
				if len(all) != 1 {
					return fmt.Errorf("ARP for %s is answered by %v", address, all)
				}
			}
			return nil
		})
	}
}

// manyServices are Services with an address each, all for one pod.
func manyServices(t testing.TB, cluster *lab.Cluster, n int, addresses string) (all []netip.Addr) {
	t.Helper()
	cluster.Pod("many", "n1")
	cluster.Apply(segmentPool("many", addresses))
	name := func(i int) string { return fmt.Sprintf("many-%d", i) }
	for i := range n {
		cluster.Apply(strings.ReplaceAll(service(name(i), "many"), "app: "+name(i), "app: many"))
	}
	for i := range n {
		address, _ := cluster.Service(name(i)).AwaitAddress()
		all = append(all, address)
	}
	return all
}

func TestLayer2_ServiceWithoutEndpointsIsNotAnnounced(t *testing.T) {
	cluster := daymark(t)
	cluster.Apply(segmentPool("empty", "192.0.2.210-192.0.2.219"))
	cluster.Apply(service("empty", "empty", "externalTrafficPolicy: Local"))
	address, _ := cluster.Service("empty").AwaitAddress()
	awaitCondition(t, cluster.Service("empty"), "daymark.io/Announced", "False")
	if all := cluster.Client().WhoHas(address); len(all) > 0 {
		t.Errorf("ARP for %s is answered by %v", address, all)
	}
}

// heldBy is what the Speaker object says that its node holds.
func heldBy(cluster *lab.Cluster, node string) map[string]bool {
	held := map[string]bool{}
	for _, h := range layer2Of(cluster, node, "held") {
		held[fmt.Sprint(h["address"])] = true
	}
	return held
}
