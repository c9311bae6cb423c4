package e2e_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// narrowed has no node announce that is n2 or has a label.
const narrowed = `
apiVersion: daymark.io/v1beta1
kind: L2Advertisement
metadata: {name: many}
spec:
  ipAddressPools: [many]
  nodeSelectors: [{matchExpressions: [{key: kubernetes.io/hostname, operator: NotIn, values: [n2]}, {key: example.com/off, operator: DoesNotExist}]}]
---
apiVersion: daymark.io/v1beta1
kind: BGPAdvertisement
metadata: {name: far}
spec:
  ipAddressPools: [far]
  nodeSelectors: [{matchExpressions: [{key: kubernetes.io/hostname, operator: NotIn, values: [n2]}, {key: example.com/off, operator: DoesNotExist}]}]
`

const switchedOff = `
apiVersion: v1
kind: Node
metadata: {name: n3, labels: {example.com/off: "true"}}
`

// applied is what simulate apply says of a file.
func (p *plugin) applied(manifests string, status int) (said simulated, err error) {
	p.t.Helper()
	file := filepath.Join(p.t.TempDir(), "change.yaml")
	if err := os.WriteFile(file, []byte(manifests), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return p.simulates("apply -f "+file, status)
}

// simulates is what simulate says of something.
func (p *plugin) simulates(what string, status int) (said simulated, err error) {
	p.t.Helper()
	stdout, stderr, got := p.run("simulate -o json " + what)
	if err := json.Unmarshal([]byte(stdout), &said); err != nil || got != status {
		return said, fmt.Errorf("status %d, not %d, %w: %s", got, status, err, stderr)
	}
	return said, nil
}

// effects of one kind, by address.
func (s *simulated) effects(kind string) map[string][2][]string {
	found := map[string][2][]string{}
	for _, service := range s.Services {
		for _, e := range service.Effects {
			if e.Effect == kind {
				found[e.Address] = [2][]string{e.From, e.To}
			}
		}
	}
	return found
}

// TestSimulate_ApplyIsWhatHappens: an advertisement that excludes a node, a node's label that excludes another, and a pool that has other
// addresses do what was said of the files that change them.
func TestSimulate_ApplyIsWhatHappens(t *testing.T) {
	cluster := daymark(t)
	p := buildPlugin(t, cluster)
	awaitMembers(t, cluster)
	addresses := manyServices(t, cluster, 6, "192.0.2.230-192.0.2.235")
	cluster.Apply(peer("router") + "\n---" + routedPool("far", "198.19.61.0/28"))
	cluster.Pod("far", "n1")
	cluster.Apply(service("far", "far"))
	far, _ := cluster.Service("far").AwaitAddress()
	awaitNextHops(t, cluster, far.String(), "n1", "n2", "n3")

	// moved has a file foreseen and really changed: a node loses what it holds, and its route.
	moved := func(manifests string, change func(), loses string, left ...string) {
		t.Helper()
		var foreseen map[netip.Addr]string
		awaitHolders(t, cluster, "the plugin knows what "+loses+" holds", addresses, func(holders map[netip.Addr]string) error {
			said, err := p.applied(manifests, 0)
			if err != nil {
				return err
			}
			var moves int
			if foreseen, moves = said.holders(holders); moves == 0 || moves != counts(holders)[loses] || counts(foreseen)[loses] > 0 {
				return fmt.Errorf("%d addresses move, and %v are held: %+v", moves, counts(holders), said)
			}
			if routes := said.effects("Routes")[far.String()]; !slices.Equal(routes[0], []string{loses}) || len(routes[1]) > 0 {
				return fmt.Errorf("routes go from %v to %v: %+v", routes[0], routes[1], said)
			}
			return nil
		})
		change()
		awaitHolders(t, cluster, "the holders are those that were foreseen", addresses, func(holders map[netip.Addr]string) error {
			if !maps.Equal(holders, foreseen) {
				return fmt.Errorf("they are %v, not %v", holders, foreseen)
			}
			return nil
		})
		awaitNextHops(t, cluster, far.String(), left...)
	}
	moved(narrowed, func() { cluster.Apply(narrowed) }, "n2", "n1", "n3")
	moved(switchedOff, func() {
		t.Cleanup(func() { cluster.Kubectl("label", "node", "n3", "example.com/off-") })
		cluster.Kubectl("label", "node", "n3", "example.com/off=true")
	}, "n3", "n1")

	others := pool("many", "192.0.2.233-192.0.2.238")
	said, err := p.applied(others, 1)
	if err != nil {
		t.Fatal(err)
	}
	renumbered := said.effects("Renumbered")
	if len(renumbered) != 3 {
		t.Fatalf("of the six addresses three are left, and it is said: %+v", said)
	}
	cluster.Apply(others)
	for i, was := range addresses {
		want := was.String()
		if to, changes := renumbered[want]; changes {
			want = to[1][0]
		}
		lab.Eventually(t, waitTimeout, fmt.Sprintf("the Service of %s has %s, as was foreseen", was, want), func() error {
			if has, _ := cluster.Service(fmt.Sprintf("many-%d", i)).AwaitAddress(); has.String() != want {
				return fmt.Errorf("it has %s", has)
			}
			return nil
		})
	}
}

// TestSimulate_ClientsOfSharedAddressesMoveAsSaid when a node that answers some of them may not any more, and when one stops.
func TestSimulate_ClientsOfSharedAddressesMoveAsSaid(t *testing.T) {
	cluster := daymark(t)
	p := buildPlugin(t, cluster)
	awaitMembers(t, cluster)
	addresses := sharedAddresses(t, cluster, "parts")
	awaitEvenShares(t, cluster, addresses, "n1", "n2", "n3")
	said := func(what string, simulate func() (simulated, error), from, to []string) {
		t.Helper()
		lab.Eventually(t, waitTimeout, what, func() error {
			foreseen, err := simulate()
			if err != nil {
				return err
			}
			moves := foreseen.effects("Moves")
			for _, address := range addresses {
				if move := moves[address.String()]; !slices.Equal(move[0], from) || !slices.Equal(move[1], to) {
					return fmt.Errorf("it is said: %+v", foreseen)
				}
			}
			return nil
		})
	}
	said("clients of n2 are to move to n1 and n3", func() (simulated, error) { return p.applied(withoutN2, 0) }, []string{"n2"}, []string{"n1", "n3"})
	cluster.Apply(withoutN2)
	awaitEvenShares(t, cluster, addresses, "n1", "n3")

	said("clients of n3 are to move to n1", func() (simulated, error) { return p.simulates("drain n3", 0) }, []string{"n3"}, []string{"n1"})
	node := cluster.Node("n3")
	t.Cleanup(func() { ensure(node.Speaker()) })
	node.Speaker().Stop()
	awaitEvenShares(t, cluster, addresses, "n1")
}

// withoutN2 has all other nodes share the addresses.
const withoutN2 = `
apiVersion: daymark.io/v1beta1
kind: L2Advertisement
metadata: {name: parts}
spec:
  ipAddressPools: [parts]
  sharing: PerClient
  nodeSelectors: [{matchExpressions: [{key: kubernetes.io/hostname, operator: NotIn, values: [n2]}]}]
`
