package e2e_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// Promise 2: the client resolves the address by ARP and gets an answer from a pod; exactly one node answers ARP.

func TestOneNodeAnswersForAnAddressOnTheSegment(t *testing.T) {
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
	lab.Eventually(t, soon, "the Speaker object of "+holder+" says that it holds the address", func() error {
		held := heldBy(cluster, holder)
		if !held[address.String()] {
			return fmt.Errorf("it says %v", held)
		}
		return nil
	})
}

func TestEveryAddressHasOneHolderAndTheyAreSpread(t *testing.T) {
	cluster := daymark(t)
	many := manyServices(t, cluster, 10, "192.0.2.210-192.0.2.219")
	holders := map[string]int{}
	for _, address := range many {
		holders[awaitHolder(t, cluster, address)]++
	}
	t.Log("holders:", holders)
	if len(holders) < 2 {
		t.Errorf("all ten addresses are held by %v", holders)
	}
}

// Speakers that start have not met yet: they must find each other before they answer, and where the word of one comes late
// to another, as on a busy machine, one of them gives way.
func TestSpeakersThatStartTogetherSettleOnOneHolder(t *testing.T) {
	cluster := daymark(t)
	many := manyServices(t, cluster, 3, "192.0.2.210-192.0.2.219")
	for range 3 {
		for _, node := range cluster.Nodes() {
			node.Speaker().Kill()
		}
		cluster.StartDaymark()
		for _, address := range many {
			awaitHolder(t, cluster, address)
		}
		lab.Always(t, 2*time.Second, "each address keeps one holder", func() error {
			for _, address := range many {
				if all := cluster.Client().WhoHas(address); len(all) != 1 {
					return fmt.Errorf("ARP for %s is answered by %v", address, all)
				}
			}
			return nil
		})
	}
}

// manyServices are Services with an address each, all for one pod.
func manyServices(t *testing.T, cluster *lab.Cluster, n int, addresses string) (all []netip.Addr) {
	t.Helper()
	cluster.Pod("many", "n1")
	cluster.Apply(segmentPool("many", addresses))
	for i := range n {
		name := fmt.Sprintf("many-%d", i)
		cluster.Apply(strings.ReplaceAll(service(name, "many"), "app: "+name, "app: many"))
		address, _ := cluster.Service(name).AwaitAddress()
		all = append(all, address)
	}
	return all
}

func TestAServiceWithoutEndpointsIsNotAnnounced(t *testing.T) {
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
	o, err := cluster.Look("daymark.io/v1beta1", "Speaker", node)
	all, _, errRead := unstructured.NestedSlice(o.Object, "status", "layer2", "held")
	if errors.Join(err, errRead) != nil {
		return held
	}
	for _, each := range all {
		if h, ok := each.(map[string]any); ok {
			held[fmt.Sprint(h["address"])] = true
		}
	}
	return held
}
