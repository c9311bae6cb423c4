package reconcile

import (
	"errors"
	"maps"
	"net/netip"
	"time"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/departure"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/handover"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/speaker/gossip"
)

// desired is the whole desired state of all executors.
type desired struct {
	plan *announce.Plan
	// failOvers are those of layer2 whose holder died, and when it was last heard.
	failOvers map[netip.Addr]time.Time
	// macs are the MAC addresses of the cluster's own nodes.
	macs []announce.NodeMAC
	// layer2 are the addresses to answer for; contested are those of them to announce once more.
	layer2    []announce.Layer2Address
	contested []netip.Addr
	// questions to ask on the segments, addresses to defend there, and those to search for.
	questions []announce.Layer2Question
	defend    []netip.Addr
	searches  []election.Search
	// silent are the nodes that keep their addresses though they are silent.
	silent []election.Silence
	// local is what the other speakers are told.
	local    gossip.LocalState
	sessions []announce.Session
	bfd      *announce.BFDPlan
	// connections to pass on; nil: it is not known yet, and what the kernel does now goes on.
	connections *handover.Plan
	// unable says on which interfaces this node cannot answer; nil: on none.
	unable error
	// wait is when to compute again though nothing has happened; 0: no need.
	wait time.Duration
}

// compute asks the pure packages what to do about what has been seen, at a stage of leaving, and keeps what they remember.
func (l *Loop) compute(seen *snapshot, stage departure.Stage) *desired {
	m, now := &l.memory, time.Now()
	l.judgeProxies(seen, now)
	if stage != departure.Announcing {
		seen.world.OwnProxyFailed = true // Who asks for the health of a Service is to send nothing more.
	}
	plan := m.planOf(seen)
	m.detours = plan.Detours
	sessions, gatewayWait := m.sessions.Next(now, plan.Sessions, seen.world.Running)
	sessions, heldWait := m.holdDowns.Next(now, sessions, seen.bfdPaths)
	sessions, used, turnWait := m.connections.turn(now, l.cfg.Node, sessions, seen.world.Running, plan)
	bfdPlan := l.bfd.Load().Next(sessions, l.bfd.Load().Stable(seen.world.Running, seen.bfdUp))

	edges := l.edgesOf(seen, plan)
	segmentWait := l.watchSegments(now, seen, edges)
	plan.SetParts(m.segments.parts)
	m.unshared = seen.view.Version < gossip.VersionOfShares && plan.Unshare()
	contests := plan.ElectionContests()
	decision := m.participant.Decide(contests, l.participantInput(now, seen))
	links := l.clusterLinks(seen)
	questions := plan.Layer2Questions(decision.Ask, seen.world.OwnLinks, m.lastLinks(links, seen.inCluster))
	for _, edge := range edges {
		questions = append(questions, edge.Layer2Question)
	}
	contested, wait := m.reunion.Observe(election.ReunionInput{
		Now: now, Node: l.cfg.Node, Live: seen.live, Claims: seen.view.Claims, Decision: decision,
	})
	m.segments.standIns = decision.StandIns
	wait = election.Sooner(election.Sooner(wait, segmentWait), m.segments.noteHeard(decision.Heard))
	layer2 := plan.Layer2Addresses(&decision, &announce.Ways{Node: l.cfg.Node, Own: seen.world.OwnLinks, Links: links})
	m.answerers.update(seen.view.Silent, decision.Silent)
	passed := l.passOn(now, seen, plan, &decision, used)
	sessions, routesWait := m.connections.delayRoutes(now, sessions)
	sessions, holdWait := l.holdSessions(now, seen, plan, departure.Sessions(sessions, stage, l.leavingWhy()))
	wait = soonest(wait, turnWait, routesWait, holdWait, passed.wait, gatewayWait, heldWait, decision.Wait, m.proxy.verdict.Wait, seen.addressWait)
	return &desired{
		plan: plan, failOvers: failOvers(seen, layer2, m.answerers), macs: m.macs.Update(links, seen.alive, seen.inCluster),
		layer2: layer2, contested: append(contested, decision.Announce...), defend: decision.Defend, silent: decision.Silent,
		questions: questions, searches: plan.Layer2Searches(decision.Search),
		local: gossip.LocalState{
			State:  l.said(now, seen, &passed, used),
			Claims: decision.Claims, Wanted: m.participant.Contested(contests),
		},
		sessions: sessions, bfd: bfdPlan, unable: errors.Join(unableError(seen.unable), unansweringError(plan.Unanswering)), connections: passed.plan, wait: wait,
	}
}

// soonest of some waits, of which 0 is none.
func soonest(waits ...time.Duration) (wait time.Duration) {
	for _, w := range waits {
		wait = election.Sooner(wait, w)
	}
	return wait
}

// said is what the other speakers are told of this node, given a digest of how routers use its sessions.
func (l *Loop) said(now time.Time, seen *snapshot, passed *passing, used uint64) gossip.State {
	return gossip.State{
		Known: seen.world.Members.Known, Leaving: l.leaving.Load(), Proxy: l.memory.proxy.verdict.State, Links: seen.relevant,
		Lost: l.lost(now, seen), Segments: l.memory.segments.said, Draining: passed.left, DrainingTold: passed.told,
		PassesOn: l.exec.Connections.Unable() == "", PassesOnly: l.exec.Connections.Only(), Sessions: used,
	}
}

// lost are the addresses of Services that kernels have lost and that still count, as far as this speaker tells the others: those that are
// started meanwhile know of no others.
func (l *Loop) lost(now time.Time, seen *snapshot) []netip.Addr {
	if !l.memory.addresses.AnyLost() {
		return nil
	}
	by := l.cfg.Node
	if l.monitors(seen, now) {
		by = "" // those of all nodes
	}
	var lost []netip.Addr
	for _, own := range l.memory.computer.OwnServiceAddresses(l.memory.addresses.LostBy(by)) {
		lost = append(lost, own.Addr)
	}
	return lost
}

// participantInput is what the election depends on beside the contests.
func (l *Loop) participantInput(now time.Time, seen *snapshot) election.ParticipantInput {
	return election.ParticipantInput{
		Now: now, Incarnation: seen.view.Peers[l.cfg.Node].Incarnation, Claims: seen.view.Claims, ClaimsVersion: seen.view.ClaimsVersion,
		Answered: seen.answered, Left: seen.left,
		Silent: seen.silent, Doubtful: seen.view.Suspects, Answers: seen.answers, Rivals: seen.rivals,
		GraceInput: election.GraceInput{
			Known: seen.world.Members.Known, LinkUp: announce.LinkUp(seen.world.OwnLinks, seen.gossip.Addr()),
			Expected: seen.expected(l.cfg.Node), Live: seen.live, ClaimsMissing: seen.view.ClaimsMissing,
		},
	}
}

// lastLinks are the links by which nodes are asked: of those that have left as they last were, since one may be back where the gossip does not
// reach. They are kept while the node is part of the cluster.
func (m *memory) lastLinks(now map[string][]lb.Link, inCluster func(node string) bool) map[string][]lb.Link {
	maps.DeleteFunc(m.links, func(node string, _ []lb.Link) bool { return !inCluster(node) })
	maps.Copy(m.links, now)
	return m.links
}

// clusterLinks are the links of all nodes as far as they are known, by node. Those of a silent one are as they last were.
func (l *Loop) clusterLinks(seen *snapshot) map[string][]lb.Link {
	links := make(map[string][]lb.Link, len(seen.view.Peers)+len(seen.view.Silent)+1)
	for node, peer := range seen.view.Silent {
		links[node] = peer.State.Links
	}
	for node, peer := range seen.view.Peers {
		links[node] = peer.State.Links
	}
	links[l.cfg.Node] = append(seen.relevant[:len(seen.relevant):len(seen.relevant)], links[l.cfg.Node]...)
	return links
}
