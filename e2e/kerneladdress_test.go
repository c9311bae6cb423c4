package e2e_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// Promise: what is not ours is left alone, whoever of the speakers comes to hold it, and one MAC answers for each address.

// forEachFamily runs a test with a pool of addresses of each family, and what the spec of a Service then says. Each test has a number, and
// with it addresses of its own: what a kernel has lost is not announced for a while.
func forEachFamily(t *testing.T, number byte, test func(t *testing.T, pool, spec string)) {
	t.Helper()
	t.Run("IPv4", func(t *testing.T) { test(t, fmt.Sprintf("192.0.2.%d/31", 240+2*number), "ipFamilies: [IPv4]") })
	t.Run("IPv6", func(t *testing.T) {
		test(t, fmt.Sprintf("2001:db8::5:%x/127", 0xff00+2*uint16(number)), "ipFamilies: [IPv6]")
	})
}

// heldAddressOf makes a Service with one pod and an address of a pool, which a node holds.
func heldAddressOf(t *testing.T, cluster *lab.Cluster, name, pool, spec string) (address netip.Addr, holder string) {
	t.Helper()
	cluster.Apply(segmentPool(name, pool))
	cluster.Pod(name, "n1")
	cluster.Apply(service(name, name, "ipFamilyPolicy: SingleStack", spec))
	address, _ = cluster.Service(name).AwaitAddress()
	awaitAnnouncedAgain(t, cluster, address)
	return address, awaitHolder(t, cluster, address)
}

// awaitAnnouncedAgain waits until an address that a kernel may have lost a moment ago is announced.
func awaitAnnouncedAgain(t *testing.T, cluster *lab.Cluster, address netip.Addr) {
	t.Helper()
	lab.Eventually(t, waitTimeout+30*time.Second, "a node announces it again", func() error {
		if cluster.Client().Holder(address) == "" {
			return errors.New("none does")
		}
		return nil
	})
}

func TestLayer2_ConflictingAddressWaitsThroughARollOut(t *testing.T) {
	forEachFamily(t, 0, func(t *testing.T, pool, spec string) {
		cluster := daymark(t)
		awaitMembers(t, cluster)
		address := netip.MustParsePrefix(pool).Addr()
		printer := conflictingService(t, cluster, "printer", address, "ipFamilyPolicy: SingleStack", spec)

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
		for _, event := range printer.Events() {
			if strings.Contains(event, "Announced: "+address.String()) {
				t.Errorf("the Service was said to be announced: %s", event)
			}
		}
		cluster.ForeignHost().Leave(address)
		awaitFree(t, cluster, address)
		awaitCondition(t, printer, "daymark.io/Announced", "True")
	})
}

func TestLayer2_AddressOfANodesKernelIsLeftToIt(t *testing.T) {
	forEachFamily(t, 1, func(t *testing.T, pool, spec string) {
		cluster := daymark(t)
		address, holder := heldAddressOf(t, cluster, "leftover", pool, spec)
		other := otherNodes(cluster, holder)[0]
		cluster.Node(other).Take(address)
		awaitKernelAlone(t, cluster, address, other)
		awaitCondition(t, cluster.Service("leftover"), "daymark.io/Announced", "False", other, "eth0")
		cluster.Node(other).Leave(address)
		awaitCondition(t, cluster.Service("leftover"), "daymark.io/Announced", "False", "until a moment ago")
		awaitAnnouncedAgain(t, cluster, address)
		awaitHolder(t, cluster, address)
		awaitCondition(t, cluster.Service("leftover"), "daymark.io/Announced", "True")
	})
}

// A virtual IP is on no kernel for some seconds when the node that has it fails: then keepalived or kube-vip gives it to another.
func TestLayer2_VirtualIPMovesBetweenKernels(t *testing.T) {
	forEachFamily(t, 2, func(t *testing.T, pool, spec string) {
		cluster := daymark(t)
		address, holder := heldAddressOf(t, cluster, "virtual", pool, spec)
		others := otherNodes(cluster, holder)
		cluster.Node(others[0]).Take(address)
		awaitKernelAlone(t, cluster, address, others[0])

		watch := cluster.Client().Watch(address)
		began := time.Now()
		cluster.Node(others[0]).Leave(address)
		awaitNoHolder(t, cluster, address)
		lab.Always(t, 5*time.Second, "nobody answers between the two", func() error {
			if all := cluster.Client().WhoHas(address); len(all) > 0 {
				return fmt.Errorf("%v do", all)
			}
			return nil
		})
		cluster.Node(others[1]).Take(address)
		awaitKernelAlone(t, cluster, address, others[1])
		if story := watch.Stop().Holders(address, began); !slices.Equal(slices.DeleteFunc(story, func(by string) bool { return by == others[0] }), others[1:]) {
			t.Errorf("it was answered for by %v, want %v", story, others)
		}
	})
}

// otherNodes are the nodes but one.
func otherNodes(cluster *lab.Cluster, than string) []string {
	return slices.DeleteFunc(cluster.NodeNames(), func(name string) bool { return name == than })
}

// awaitKernelAlone waits until a node alone answers for an address and no speaker holds any.
func awaitKernelAlone(t *testing.T, cluster *lab.Cluster, address netip.Addr, node string) {
	t.Helper()
	lab.Eventually(t, waitTimeout, "only the kernel of "+node+" answers", func() error {
		held := 0.0
		for _, each := range cluster.Nodes() {
			holds, err := each.Speaker().Metric(speakerMetrics, "daymark_layer2_addresses_held")
			if err != nil {
				return err
			}
			held += holds
		}
		if all := cluster.Client().WhoHas(address); held != 0 || !slices.Equal(all, []string{node}) {
			return fmt.Errorf("%v do, and speakers hold %v", all, held)
		}
		return nil
	})
}

func TestLayer2_TwoInterfacesOfOneSubnetAnswerOnce(t *testing.T) {
	forEachFamily(t, 3, func(t *testing.T, pool, spec string) {
		cluster := daymark(t)
		for i, node := range cluster.NodeNames() {
			cluster.Node(node).SecondInterface(netip.AddrFrom4([4]byte{192, 0, 2, byte(50 + i)}))
		}
		address, holder := heldAddressOf(t, cluster, "twice", pool, spec)
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
	})
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
