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

// Promise: what is not ours is left alone, whoever of the speakers comes to hold it, and one MAC answers for each address.

func TestLayer2_ConflictingAddressWaitsThroughARollOut(t *testing.T) {
	cluster := daymark(t)
	awaitMembers(t, cluster)
	address := netip.MustParseAddr("192.0.2.204")
	printer := conflictingService(t, cluster, "printer", address)

	watch := cluster.Client().Watch(address)
	began := time.Now()
	cluster.RollSpeakers()
	awaitMembers(t, cluster)
	for _, node := range cluster.NodeNames() { // Each in turn is no candidate, so another must take over.
		cluster.Node(node).Annotate("daymark.io/drain", "true")
		hold(time.Second)
		cluster.Node(node).RemoveAnnotation("daymark.io/drain")
	}
	if story := watch.Stop().Holders(address, began); !slices.Equal(story, []string{"foreign"}) {
		t.Errorf("the foreign host's address was answered for by %v", story)
	}
	awaitCondition(t, printer, "daymark.io/Announced", "False AddressConflict")
	awaitConflict(t, cluster, address)
	cluster.ForeignHost().Leave(address)
	awaitHolder(t, cluster, address)
}

func TestLayer2_AddressOfANodesKernelIsLeftToIt(t *testing.T) {
	cluster := daymark(t)
	address, _ := heldAddress(t, cluster, "virtual")
	holder := awaitHolder(t, cluster, address)
	other := cluster.NodeNames()[0]
	if other == holder {
		other = cluster.NodeNames()[1]
	}
	cluster.Node(other).Take(address)
	lab.Eventually(t, waitTimeout, "only the kernel of "+other+" answers", func() error {
		held, err := cluster.Node(other).Speaker().Metric(speakerMetrics, "daymark_layer2_addresses_held")
		if all := cluster.Client().WhoHas(address); err != nil || held != 0 || !slices.Equal(all, []string{other}) {
			return fmt.Errorf("%v do, and its speaker holds %v, %w", all, held, err)
		}
		return nil
	})
	awaitCondition(t, cluster.Service("virtual"), "daymark.io/Announced", "False", other, "eth0")
	cluster.Node(other).Leave(address)
	awaitHolder(t, cluster, address)
	awaitCondition(t, cluster.Service("virtual"), "daymark.io/Announced", "True")
}

func TestLayer2_TwoInterfacesOfOneSubnetAnswerOnce(t *testing.T) {
	cluster := daymark(t)
	for i, node := range cluster.NodeNames() {
		cluster.Node(node).SecondInterface(netip.AddrFrom4([4]byte{192, 0, 2, byte(50 + i)}))
	}
	address, _ := heldAddress(t, cluster, "twice")
	holder := awaitHolder(t, cluster, address)
	lab.Always(t, time.Second, "one interface answers", func() error {
		if all := cluster.Client().WhoHas(address); len(all) != 1 {
			return fmt.Errorf("%v do", all)
		}
		return nil
	})
	if on := fmt.Sprint(interfacesOf(cluster, holder, address)); on != "[eth0]" {
		t.Errorf("%s says that it holds the address on %s", holder, on)
	}
	cluster.Client().MustGet(url(address))
}

// A wrong name is the most common first mistake.
func TestLayer2_InterfaceThatDoesNotExistIsSaid(t *testing.T) {
	cluster := daymark(t)
	const name = "misnamed"
	cluster.Apply(strings.Replace(segmentPool(name, "192.0.2.206/32"), "ipAddressPools: ["+name+"]}",
		"ipAddressPools: ["+name+"], interfaces: [nope0]}", 1))
	cluster.Pod(name, "n1")
	cluster.Apply(service(name, name))
	s := cluster.Service(name)
	s.AwaitAddress()
	awaitCondition(t, s, "daymark.io/Announced", "False", "nope0")
	lab.Eventually(t, waitTimeout, "the advertisement says it too", func() error {
		o, err := cluster.Look("daymark.io/v1beta1", "L2Advertisement", name)
		if err != nil {
			return err
		}
		if text := fmt.Sprint(o.Object["status"]); !strings.Contains(text, "nope0") || !strings.Contains(text, "eth0") {
			return fmt.Errorf("its status is %s", text)
		}
		return nil
	})
}
