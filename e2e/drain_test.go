package e2e_test

import (
	"testing"
	"time"
)

// Promise: a node that leaves on purpose stops only when another has taken over, so that no connection is lost.

func TestLayer2_RollingUpdateLosesNoConnection(t *testing.T) {
	cluster := daymark(t)
	awaitMembers(t, cluster)
	addresses := manyServices(t, cluster, 3, "192.0.2.226-192.0.2.228")
	awaitHolders(t, cluster, "each address has one holder", addresses, nil)
	for _, address := range addresses {
		cluster.Client().MustGet(url(address))
	}
	probe := cluster.Client().Probe(url(addresses[0]), url(addresses[1]), url(addresses[2]))
	probe.Forget()
	watch := cluster.Client().Watch(addresses...)
	began := time.Now()
	cluster.RollSpeakers()
	rolled := time.Now()
	settled := awaitOneHolder(t, watch, rolled)
	report, observations := probe.Stop(), watch.Stop()
	t.Logf("%s for three speakers; %s; nobody answered for %s, two for %s; one holder of each %s after the last",
		ms(rolled.Sub(began)), report, ms(observations.Unheld(began)), ms(observations.Shared(began)), ms(settled))
	mustHaveServedAll(t, report, observations)
	mustHaveNoGap(t, observations, began)
	awaitHolders(t, cluster, "each address has one holder", addresses, nil)
}

func TestLayer2_DrainLosesNoConnection(t *testing.T) {
	const drain = "daymark.io/drain"
	cluster := daymark(t)
	awaitMembers(t, cluster)
	address, pod := heldAddress(t, cluster, "drained")
	s := observe(t, cluster, pod, address)
	s.probe.Forget()
	node := cluster.Node(s.holder)
	began := time.Now()
	node.Annotate(drain, "true")
	heir := s.awaitHeir(began)
	node.RemoveAnnotation(drain)
	ended := time.Now()
	s.awaitSettled(ended)
	report, observations := s.end(began)
	mustHaveServedAll(t, report, observations)
	mustHaveNoGap(t, observations, began)
	if story := observations.Holders(address, ended); story[len(story)-1] != heir {
		t.Errorf("the drain is over and %s takes it back: %v", s.holder, story)
	}
}

func TestLayer2_NodeDeletionLosesNoConnection(t *testing.T) {
	cluster := daymark(t)
	awaitMembers(t, cluster)
	address, pod := heldAddress(t, cluster, "deleted")
	s := observe(t, cluster, pod, address)
	s.probe.Forget()
	began := time.Now()
	cluster.Node(s.holder).Unregister()
	s.awaitHeir(began)
	report, observations := s.end(began)
	mustHaveServedAll(t, report, observations)
	mustHaveNoGap(t, observations, began)
}
