package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// Promise: open TCP connections survive what is done on purpose with the sessions and the routes of BGP.

// planned is a change, after a time in which nothing was passed on.
type planned struct {
	name string
	do   func(s *spread)
	// nodes that the router forwards to afterwards; none: something else is awaited.
	nodes []string
}

// The routers of two of three nodes are taken out of use and back.
func TestConnections_SurviveMaintenance(t *testing.T) {
	s := newSpread(t, lab.KubeProxy)
	s.twoPeers()
	s.survive(s.administered("Maintenance", "n2"), s.administered("Up", "n1", "n2", "n3"))
}

// The same without the ten seconds before.
func TestConnections_SurviveAnAdministrativeShutdown(t *testing.T) {
	s := newSpread(t, lab.KubeProxy)
	s.twoPeers()
	s.survive(s.administered("Down", "n2"), s.administered("Up", "n1", "n2", "n3"))
}

// A node of whose sessions all are in maintenance is not to be stopped while it has connections.
func TestConnections_OfANodeInMaintenanceAreCounted(t *testing.T) {
	s := newSpread(t, lab.KubeProxy)
	s.twoPeers()
	s.connect(openConnections)
	s.administered("Maintenance", "n2").do(s)
	s.await("n2")
	for _, node := range []string{"n1", "n3"} {
		lab.Eventually(t, waitTimeout, "its routes are withdrawn", func() error {
			session, err := sessionOf(s.Cluster, node, "open")
			if err == nil && session.IPv4+session.IPv6 > 0 {
				err = fmt.Errorf("%d are announced", session.IPv4+session.IPv6)
			}
			return err
		})
		awaitObjectCondition(t, s.Cluster, "Speaker", node, "SafeToStop", "False", "connections to 2 addresses that moved away")
	}
	s.mustBeWhole("the peer is in maintenance")
	s.open.Stop()
	for _, node := range []string{"n1", "n3"} {
		awaitObjectCondition(t, s.Cluster, "Speaker", node, "SafeToStop", "True", "")
	}
}

func TestConnections_SurviveChangesOfAPeer(t *testing.T) {
	s := newSpread(t, lab.KubeProxy)
	peerWith := func(more ...string) func(*spread) {
		return func(s *spread) { s.Apply(peer("open", append([]string{"addressFamilies: [IPv4, IPv6]"}, more...)...)) }
	}
	s.survive(
		planned{"n1 is selected no more", peerWith(only("NotIn", "n1")), []string{"n2", "n3"}},
		planned{"n1 is selected again", peerWith(), s.NodeNames()},
		planned{"all sessions are reset one after the other", func(s *spread) {
			before := s.since()
			s.Kubectl("patch", "bgppeer", "open", "--type=merge", "--patch", `{"spec":{"holdTime":"12s"}}`)
			lab.Eventually(s.t, waitTimeout, "all sessions are new", func() error {
				for node, at := range s.since() {
					if !at.After(before[node]) {
						return fmt.Errorf("that of %s is of %s", node, at)
					}
				}
				return nil
			})
		}, s.NodeNames()},
		planned{"another peer has two of the nodes, and their sessions go on", func(s *spread) {
			s.Apply(peer("other", "addressFamilies: [IPv4, IPv6]", only("NotIn", "n2")))
			peerWith(only("In", "n2"))(s)
		}, s.NodeNames()},
		planned{"the other peer is deleted", func(s *spread) { s.Kubectl("delete", "bgppeer", "other") }, []string{"n2"}},
	)
}

func TestConnections_SurviveChangesOfAnAdvertisement(t *testing.T) {
	s := newSpread(t, lab.KubeProxy)
	patch := func(spec string) func(*spread) {
		return func(s *spread) {
			s.Kubectl("patch", "bgpadvertisement", "open", "--type=merge", "--patch", `{"spec":`+spec+`}`)
		}
	}
	prefixes := []string{"198.19.77.0/24", "2001:db8:77::/120"}
	aggregated := func(is bool) func(*spread) {
		return func(s *spread) {
			patch(map[bool]string{true: `{"aggregationLength":24,"aggregationLengthV6":120}`, false: `{"aggregationLength":32,"aggregationLengthV6":128}`}[is])(s)
			for i, prefix := range prefixes {
				shorter, single := s.NodeNames(), []string{}
				if !is {
					shorter, single = single, shorter
				}
				awaitNextHops(s.t, s.Cluster, prefix, shorter...)
				awaitNextHops(s.t, s.Cluster, s.addresses[i].String(), single...)
			}
		}
	}
	s.survive(
		planned{"n1 is selected no more", patch(`{"nodeSelectors":[{"matchExpressions":[{"key":"kubernetes.io/hostname","operator":"NotIn","values":["n1"]}]}]}`), []string{"n2", "n3"}},
		planned{"n1 is selected again", patch(`{"nodeSelectors":null}`), s.NodeNames()},
		planned{"prefixes are aggregated", aggregated(true), nil},
		planned{"they are not any more", aggregated(false), s.NodeNames()},
		planned{"n2 is preferred", func(s *spread) { s.Apply(prefer("n1", "n3")) }, []string{"n2"}},
		planned{"it is not any more", func(s *spread) { s.Kubectl("delete", "bgpadvertisement", "behind") }, s.NodeNames()},
	)
}

func TestConnections_SurviveChangesOfAService(t *testing.T) {
	s := newSpread(t, lab.KubeProxy)
	s.PodWith("second", "n2", map[string]string{"app": "open"})
	with := func(more ...string) func(*spread) {
		return func(s *spread) {
			s.Apply(service("open", "open", append([]string{"ipFamilyPolicy: RequireDualStack"}, more...)...))
		}
	}
	s.survive(
		planned{"one node is best for session affinity", func(s *spread) {
			with("sessionAffinity: ClientIP")(s)
			for _, address := range s.addresses {
				lab.Eventually(s.t, waitTimeout, "the router forwards to one node", func() error {
					if hops := s.Router().NextHopNodes(address.String()); len(hops) != 1 {
						return fmt.Errorf("it forwards to %v", hops)
					}
					return nil
				})
			}
		}, nil},
		planned{"without session affinity", with("sessionAffinity: None"), s.NodeNames()},
		planned{"nodes with pods alone", with("externalTrafficPolicy: Local"), []string{"n1", "n2"}},
		planned{"all nodes", with("externalTrafficPolicy: Cluster"), s.NodeNames()},
	)
}

// A session that comes up after a long time has its router use a node more, though the objects are as they were.
func TestConnections_SurviveThatASessionComesUp(t *testing.T) {
	s := newSpread(t, lab.KubeProxy)
	s.Apply(peer("open", "addressFamilies: [IPv4, IPv6]", only("NotIn", "n1")))
	const nobody = 1790 // listens at this port
	s.Apply(peer("late", "addressFamilies: [IPv4, IPv6]", fmt.Sprintf("peerPort: %d", nobody), only("In", "n1")))
	s.await("n2", "n3")
	s.survive(planned{"the session of n1 is up", func(s *spread) {
		s.Kubectl("patch", "bgppeer", "late", "--type=merge", "--patch", `{"spec":{"peerPort":179}}`)
	}, s.NodeNames()})
}

// prefer has some nodes announce as others should be preferred to.
func prefer(behind ...string) string {
	return fmt.Sprintf(`
apiVersion: daymark.io/v1beta1
kind: BGPAdvertisement
metadata: {name: behind}
spec:
  ipAddressPools: [open]
  asPathPrepend: 2
  connectionDraining: 5s
  nodeSelectors: [{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [%s]}]}]
`, strings.Join(behind, ", "))
}

// twoPeers has two nodes announce by the peer "open", and n2 by another one.
func (s *spread) twoPeers() {
	s.Apply(peer("open", "addressFamilies: [IPv4, IPv6]", only("NotIn", "n2")))
	s.Apply(peer("spare", "addressFamilies: [IPv4, IPv6]", only("In", "n2")))
	s.await(s.NodeNames()...)
}

// administered has the peer "open" in a state.
func (s *spread) administered(state string, nodes ...string) planned {
	return planned{"the peer is " + state, func(s *spread) {
		s.Kubectl("patch", "bgppeer", "open", "--type=merge", "--patch", `{"spec":{"adminState":"`+state+`","shutdownMessage":"new line card"}}`)
	}, nodes}
}

// survive has new connections survive each of some changes, which comes after a time in which nothing was passed on.
func (s *spread) survive(changes ...planned) {
	s.t.Helper()
	s.quiet()
	for _, change := range changes {
		s.connect(openConnections)
		s.quietNow()
		change.do(s)
		if len(change.nodes) > 0 {
			s.await(change.nodes...)
		}
		s.mustBeWhole(change.name)
		s.open.Stop()
	}
}

// since is when each session with the peer "open" was established.
func (s *spread) since() map[string]time.Time {
	s.t.Helper()
	since := map[string]time.Time{}
	for _, node := range s.NodeNames() {
		lab.Eventually(s.t, waitTimeout, "the session of "+node+" is up", func() error {
			session, err := sessionOf(s.Cluster, node, "open")
			if err == nil && session.State != "Established" {
				err = fmt.Errorf("it is %s", session.State)
			}
			since[node] = session.Since.Time
			return err
		})
	}
	return since
}
