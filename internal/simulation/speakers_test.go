package simulation

import (
	"context"
	"flag"
	"fmt"
	oldrand "math/rand"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/daymark-lb/daymark/internal/bubble"
	"github.com/daymark-lb/daymark/internal/core/forecast"
)

var speakerRunsFlag = flag.Uint64("simulation.speakers", 0, "how many seeds to run with speakers, from the first one on; 0: 50, or 10 of them with -short")

// simulateSpeakers runs one seed of a cluster of three nodes, with their speakers and the controllers.
func simulateSpeakers(t *testing.T, seed uint64, everything bool) (o outcome) {
	t.Helper()
	t.Setenv("GODEBUG", "randseednop=0")
	oldrand.Seed(int64(seed)) //nolint:staticcheck // it is the only way to have them draw the same again
	bubble.Test(t, func(t *testing.T) {
		w := newWorld(seed, everything)
		n := newNetwork(w)
		w.beginCluster()
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		for i := range 2 {
			s := w.newSlot(fmt.Sprintf("controller%d", i))
			s.program = s.controller
			running.Go(func() { s.run(ctx) })
		}
		for _, node := range nodes {
			s := w.newSlot("speaker-" + node)
			s.program = n.speakerOf(s, node)
			running.Go(func() { s.run(ctx) })
		}
		for range 10 + w.random.IntN(30) {
			switch {
			case w.chance(0.1):
				n.fail()
			case w.chance(0.3):
				w.fail()
			case w.chance(0.5):
				w.editCluster()
			default:
				w.edit()
			}
			w.followServices()
			time.Sleep(w.pace())
		}
		n.mesh.heal()
		w.quiet(func() string { return firstText(w.unsettled(), n.unannounced()) })
		cancel()
		running.Wait()
		time.Sleep(lostAfter + maxSlow)
		synctest.Wait()
		o = w.outcome()
	})
	return o
}

// firstText is the first that is not empty.
func firstText(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

// fail lets something of the network fail.
func (n *network) fail() {
	w := n.mesh.world
	a, b, d := pick(w, nodes), pick(w, nodes), w.within(maxFailure)
	if a != b {
		w.note("%s and %s do not reach each other for %s", a, b, d)
		n.mesh.part(a, b, d)
		return
	}
	for _, s := range w.slots {
		if s.name == "speaker-"+a {
			s.mu.Lock()
			sessions := s.sessions
			s.mu.Unlock()
			if sessions != nil {
				w.note("the routers restart their sessions with %s", a)
				sessions.restart(w.within(maxAway))
			}
		}
	}
}

// unannounced says what is not announced as it should be when nothing happens any more; empty when all is.
func (n *network) unannounced() string {
	now := n.routers.server.snapshot()
	for _, node := range nodes {
		wanted := now.routes(node)
		for _, peer := range routerNames {
			want := missing(wanted[peer], nil)
			if told := n.routers.told(nodeRouter{node, routerOf[peer]}); !slices.Equal(told, want) {
				return fmt.Sprintf("%s tells %s %v, and should %v", node, peer, told, want)
			}
		}
	}
	return firstText(n.unforeseen(), n.unheld(now))
}

// unheld says which address has no holder by layer 2, or several, or one that may not hold it; empty: all are held by one that may. One that
// may hold it for all Services that have it goes before one that may for some.
func (n *network) unheld(now objects) string {
	addresses := map[netip.Addr]bool{}
	for _, v := range now.vips() {
		addresses[v.addr] = true
	}
	for _, addr := range n.segment.addresses() {
		addresses[addr] = true
	}
	for addr := range addresses { // order does not matter: any will do
		var some, every []string
		for _, node := range nodes {
			one, all := now.mayHold(node, addr)
			if one {
				some = append(some, node)
			}
			if all {
				every = append(every, node)
			}
		}
		may := every
		if len(may) == 0 {
			may = some
		}
		holders := n.segment.holders(addr)
		if len(holders) != min(1, len(may)) || len(holders) == 1 && !slices.Contains(may, holders[0]) {
			return fmt.Sprintf("%s is held by %v, and one of %v should hold it", addr, holders, may)
		}
	}
	return ""
}

// unforeseen says what is announced by BGP otherwise than kubectl daymark simulate tells of the BGPAdvertisements: which nodes
// announce which address of a Service because of them.
func (n *network) unforeseen() string {
	all := n.routers.all()
	settings := forecast.Settings{Classes: classes, PoolGrace: n.routers.poolGrace}
	changes, _ := forecast.Compare(forecast.Start(without("BGPAdvertisement", all), time.Now(), settings), forecast.Start(all, time.Now(), settings))
	foreseen := map[netip.Addr][]string{}
	for _, change := range changes {
		for _, effect := range change.Effects {
			if addr, err := netip.ParseAddr(effect.Address); err == nil && effect.Effect == forecast.Announced {
				foreseen[addr] = effect.To
			}
		}
	}
	for _, node := range nodes {
		var told []netip.Prefix
		for _, peer := range routerNames {
			told = append(told, n.routers.told(nodeRouter{node, routerOf[peer]})...)
		}
		covers := func(prefix netip.Prefix) bool { // what is foreseen of the node
			for addr, by := range foreseen { // order does not matter: any will do
				if prefix.Contains(addr) && slices.Contains(by, node) {
					return true
				}
			}
			return false
		}
		for _, prefix := range told {
			if !covers(prefix) {
				return fmt.Sprintf("%s announces %s, which is not foreseen", node, prefix)
			}
		}
		for addr, by := range foreseen { // order does not matter: any will do
			if slices.Contains(by, node) && !slices.ContainsFunc(told, func(p netip.Prefix) bool { return p.Contains(addr) }) {
				return fmt.Sprintf("%s does not announce %s, which is foreseen", node, addr)
			}
		}
	}
	return ""
}

// TestSpeakers runs the same seeds every time, of clusters with speakers. Fresh seeds, and more of them:
//
//	go test ./internal/simulation -run TestSpeakers -simulation.fresh -simulation.for=30m -timeout=1h -v
func TestSpeakers(t *testing.T) { runSeeds(t, *speakerRunsFlag, 50, 10, simulateSpeakers) }
