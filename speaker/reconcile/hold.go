package reconcile

import (
	"net/netip"
	"time"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/speaker/gossip"
)

// holders are the speakers that may hold addresses, with their links: those that know the others, are not about to leave
// and have said which links they have.
func (l *Loop) holders(view gossip.View, known bool, links []lb.Link) (alive []string, all map[string][]lb.Link) {
	all = make(map[string][]lb.Link, len(view.Alive))
	all[l.cfg.Node] = links // One that leaves goes on answering until it is replaced.
	for _, node := range view.Alive {
		switch peer := view.Peers[node]; {
		case node == l.cfg.Node && known && !l.leaving.Load():
		case node != l.cfg.Node && peer.StateKnown && peer.State.Known && !peer.State.Leaving:
			all[node] = peer.State.Links
		default:
			continue
		}
		alive = append(alive, node)
	}
	return alive, all
}

// hold decides which addresses this node answers for, what it claims to the others, and when to decide again.
func (l *Loop) hold(now *cluster, plan *announce.Plan) (addresses []announce.Layer2Address, claims []election.Claim, wait time.Duration) {
	instance := now.view.Peers[l.cfg.Node].Incarnation
	if l.elector == nil || l.instance != instance {
		l.elector, l.instance = election.NewElector(l.cfg.Node, instance, l.cfg.RebalanceAfter), instance
	}
	live := make(map[string]uint64, len(now.view.Peers))
	for _, node := range now.world.Members.Alive {
		live[node] = now.view.Peers[node].Incarnation
	}
	contests := make([]election.Contest, len(plan.Contests))
	for i := range plan.Contests {
		contests[i] = plan.Contests[i].Contest
	}
	settling := l.settlement.wait(time.Now(), now.circumstances())
	decision := l.elector.Decide(contests, election.Input{
		Now: time.Now(), Live: live, Claims: now.view.Claims, Settling: settling > 0,
	})
	at := 0
	for _, hold := range decision.Hold {
		for plan.Contests[at].Addr != hold.Addr {
			at++
		}
		addresses = append(addresses, announce.Layer2Address{
			Addr: hold.Addr, Interfaces: plan.Contests[at].Interfaces, Probe: hold.First,
		})
	}
	return addresses, decision.Claims, soonest(settling, decision.Wait)
}

// wanted are the addresses that claims are of interest for; the same map as before when they are the same.
func (l *Loop) wanted(plan *announce.Plan) map[netip.Addr]struct{} {
	same := len(plan.Contests) == len(l.want) && l.want != nil
	for i := 0; same && i < len(plan.Contests); i++ {
		_, same = l.want[plan.Contests[i].Addr]
	}
	if same {
		return l.want
	}
	l.want = make(map[netip.Addr]struct{}, len(plan.Contests))
	for i := range plan.Contests {
		l.want[plan.Contests[i].Addr] = struct{}{}
	}
	return l.want
}

// soonest of two waits, of which 0 is none.
func soonest(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}
