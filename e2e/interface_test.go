package e2e_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// Promise: an address leaves an interface that cannot carry it. The interface is on a second segment, so that the node goes
// on to be a member of the cluster.

const onSecondSegment = `
apiVersion: daymark.io/v1beta1
kind: IPAddressPool
metadata: {name: second}
spec: {addresses: ["` + lab.SecondPool + `"], autoAssign: false}
---
apiVersion: daymark.io/v1beta1
kind: L2Advertisement
metadata: {name: second}
spec: {ipAddressPools: [second], interfaces: ["eth*"]}
`

// secondAddress is an address on a second segment that has only just been laid.
func secondAddress(t testing.TB, cluster *lab.Cluster) (netip.Addr, *lab.Pod) {
	t.Helper()
	cluster.SecondSegment()
	cluster.Apply(onSecondSegment)
	pod := cluster.Pod("second", "n1")
	cluster.Apply(service("second", "second"))
	address, _ := cluster.Service("second").AwaitAddress()
	awaitHolder(t, cluster, address)
	return address, pod
}

func TestLayer2_AddressLeavesAFailedInterface(t *testing.T) {
	cluster := daymark(t)
	address, pod := secondAddress(t, cluster)
	for _, c := range []struct {
		name     string
		do, undo func(*lab.Link)
	}{
		{"it is set down", (*lab.Link).Down, (*lab.Link).Up},
		{"it loses its carrier", (*lab.Link).Unplug, (*lab.Link).Plug},
		{"its name is no longer one of the advertisement's", func(l *lab.Link) { l.Rename("lan1") }, func(l *lab.Link) { l.Rename("eth1") }},
	} {
		s := observe(t, cluster, pod, address)
		link := cluster.Node(s.holder).Link("eth1")
		began := time.Now()
		c.do(link)
		s.awaitHeir(began)
		t.Log(c.name)
		report, observations := s.end(began)
		mustBeUnder(t, "the outage when "+c.name, max(report.Outage(), observations.Unheld(began)))
		c.undo(link)
	}
}

func TestLayer2_FlappingLinkLeavesOneHolder(t *testing.T) {
	cluster := daymark(t)
	address, pod := secondAddress(t, cluster)
	s := observe(t, cluster, pod, address)
	link := cluster.Node(s.holder).Link("eth1")
	began := time.Now()
	for range 5 {
		link.Down()
		hold(100 * time.Millisecond)
		link.Up()
		hold(100 * time.Millisecond)
	}
	up := time.Now()
	settled := s.awaitSettled(up)
	_, observations := s.end(began)
	t.Logf("one holder %s after the last time it came up; two answered for %s", ms(settled), ms(observations.Shared(began)))
	mustBeUnder(t, "settling on one holder", settled)
	if story := observations.Holders(address, began); len(story) > 12 {
		t.Errorf("it went from hand to hand: %v", story)
	}
	awaitHolder(t, cluster, address)
}

// hold is for how long something stays as it is before the test changes it again; nothing is awaited by it.
func hold(d time.Duration) { <-time.After(d) }

func TestLayer2_AddressIsHeldOnNamedInterfaces(t *testing.T) {
	cluster := daymark(t)
	address, _ := secondAddress(t, cluster)
	cluster.Node("n1").Link("eth1").Rename("lan1")
	cluster.Node("n2").Link("eth1").Rename("lan2")
	awaitHolder(t, cluster, address, "n3")
	lab.Eventually(t, waitTimeout, "the Speaker object of n3 names the interface", func() error {
		if on := interfacesOf(cluster, "n3", address); fmt.Sprint(on) != "[eth1]" {
			return fmt.Errorf("it says %v", on)
		}
		return nil
	})
}
