package election

import (
	"maps"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

// announceRepeatedly announces an address as after a take-over.
func (n *node) announceRepeatedly(a netip.Addr) {
	v := n.vips[a]
	n.announce(a)
	for _, later := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
		n.after(later, func() {
			if n.vips[a] == v && n.answersFor(a) {
				n.announce(a)
			}
		})
	}
}

// announceContested announces once more what was contested, and returns how long to wait for it.
func (n *node) announceContested(d Decision) time.Duration {
	contested, wait := n.reunion.Observe(ReunionInput{n.clock(), n.name, maps.Clone(n.live), n.claims, d})
	for _, a := range contested {
		if n.answersFor(a) {
			n.log("%s announces %d once more", n.name, number(a))
			n.announceRepeatedly(a)
			n.reannounced++
		}
	}
	return wait
}

// TestReunion_ClientsEndAtTheHolder parts clusters for so long that no announcement is repeated any more, and joins them again.
// Wherever a client is, the last that announced an address to it is then the holder. Where nothing was contested, nothing is
// announced.
func TestReunion_ClientsEndAtTheHolder(t *testing.T) {
	contested := 0
	for seed := range uint64(400) {
		random := rand.New(rand.NewPCG(seed, 6))
		s := &scenario{cluster: newCluster(random, 2+random.IntN(5), 1+random.IntN(20))}
		s.begin()
		s.create(0, len(s.api.eligible), s.everyoneEligible, s.randomDuration(0, time.Second))
		s.run(settleTime + s.randomDuration(0, 15*time.Second))
		s.partition(2)
		if s.chance(0.5) {
			s.run(s.randomDuration(0, 2*time.Second))
			s.crash(s.nodes[random.IntN(len(s.nodes))])
		}
		s.run(settleTime + s.randomDuration(2*time.Second, 20*time.Second))
		s.partition(1)
		s.run(settleTime + 2*time.Second)
		s.waitUntilEven()
		s.run(settleTime + time.Second)
		s.checkHolders()
		s.checkNeighbors()
		contested += s.reannounced
		if s.violation != "" {
			t.Fatalf("seed %d: %s", seed, s.violation)
		}
	}
	if contested == 0 {
		t.Error("nothing was announced once more")
	}
}

func (c *checks) checkNeighbors() {
	for i, holders := range c.holders {
		for _, n := range c.nodes {
			if known := n.neighbors[addr(i)]; n.up && len(holders) == 1 && known != holders[0] {
				c.violate("clients beside %s look for %d at %v, not at %s", n.name, i, known.name, holders[0].name)
			}
		}
	}
}
