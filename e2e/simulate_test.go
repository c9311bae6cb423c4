package e2e_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"testing"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// Promise: what kubectl daymark simulate says beforehand is what happens then.

// simulated is what simulate says of each address: its effect and the nodes that it goes from and to.
type simulated struct {
	Services []struct {
		Name    string
		Effects []struct {
			Effect, Address string
			From, To        []string
		}
	}
}

// holders by layer 2 as they are foreseen, given those before, and how many move.
func (s *simulated) holders(before map[netip.Addr]string) (after map[netip.Addr]string, moves int) {
	after = maps.Clone(before)
	for _, service := range s.Services {
		for _, e := range service.Effects {
			if e.Effect == "Moves" && len(e.To) == 1 {
				after[netip.MustParseAddr(e.Address)] = e.To[0]
				moves++
			}
		}
	}
	return after, moves
}

func TestSimulate_DrainIsWhatHappens(t *testing.T) {
	const drained = "n2"
	cluster := daymark(t)
	p := buildPlugin(t, cluster)
	awaitMembers(t, cluster)
	addresses := manyServices(t, cluster, 9, "192.0.2.220-192.0.2.228")
	cluster.Apply(peer("router") + "\n---" + routedPool("far", "198.19.60.0/28"))
	pods := []*lab.Pod{cluster.PodWith("far-2", drained, map[string]string{"app": "far"}), cluster.Pod("alone", drained)}
	cluster.PodWith("far-3", "n3", map[string]string{"app": "far"})
	cluster.Apply(service("far", "far", "externalTrafficPolicy: Local"))
	cluster.Apply(service("alone", "far", "externalTrafficPolicy: Local"))
	far, _ := cluster.Service("far").AwaitAddress()
	alone, _ := cluster.Service("alone").AwaitAddress()
	awaitNextHops(t, cluster, far.String(), drained, "n3")
	awaitNextHops(t, cluster, alone.String(), drained)

	var before, foreseen map[netip.Addr]string
	awaitHolders(t, cluster, "the plugin knows what "+drained+" holds", addresses, func(holders map[netip.Addr]string) error {
		stdout, stderr, status := p.run("simulate drain " + drained + " -o json")
		var said simulated
		if err := json.Unmarshal([]byte(stdout), &said); err != nil || status != 1 {
			return fmt.Errorf("status %d, %w: %s", status, err, stderr)
		}
		var moves int
		before = maps.Clone(holders)
		if foreseen, moves = said.holders(before); moves == 0 || moves != counts(holders)[drained] {
			return fmt.Errorf("%d addresses move: %s", moves, stdout)
		}
		return nil
	})
	p.says("simulate drain "+drained+" -o wide", 1, "Unreachable   "+alone.String(), "Routes        "+far.String())

	node := cluster.Node(drained)
	t.Cleanup(func() {
		ensure(node.Speaker())
		cluster.Kubectl("uncordon", drained)
	})
	cluster.Kubectl("cordon", drained)
	for _, pod := range pods {
		pod.Delete()
	}
	node.Speaker().Stop()
	awaitHolders(t, cluster, "the holders are those that were foreseen", addresses, func(holders map[netip.Addr]string) error {
		if !maps.Equal(holders, foreseen) {
			return fmt.Errorf("they are %v, not %v, and were %v", holders, foreseen, before)
		}
		return nil
	})
	awaitNextHops(t, cluster, far.String(), "n3")
	awaitNextHops(t, cluster, alone.String())
}
