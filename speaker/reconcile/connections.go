package reconcile

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/handover"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

const (
	// undecidedLimit is how long a speaker may take until it knows the others. After that it says that connections break.
	undecidedLimit = 30 * time.Second
	// statesLimit is how long it waits at most, from its start, for the state of each that is alive.
	statesLimit = 5 * time.Second
	// keptInterval is how often the kernel is asked again what an earlier process counted, while it does not say.
	keptInterval = time.Second
)

// connections is what is remembered so that open connections survive the move of an address.
type connections struct {
	handover.Memory
	// asked: the kernel has said what an earlier process had counted. keptFailure is why it has not.
	asked       bool
	keptFailure string
	// replaced: it has been overwritten before it had said so; what it says now is this process's own.
	replaced bool
	// decision of the last pass in which this node knew the others; decided: there was one.
	decision handover.Decision
	decided  bool
	// since when there is one.
	since time.Time
	// told are the addresses that the others were told of.
	told told
	// shared are addresses of other nodes on segments that this one shares, by node.
	shared map[string]sharedAddresses
	// alone are lists of one node, by the node.
	alone map[string][]string
	routed
}

// sharedAddresses are addresses of another node, and what they follow from: the links, which are compared by identity, the OuterLinks, and
// the addresses that Kubernetes has of the node.
type sharedAddresses struct {
	own, others *lb.Link
	outer       []string
	kubernetes  []netip.Addr
	vias        []handover.Via
}

// passing is what a pass decides about open connections.
type passing struct {
	// plan for the kernel; nil: this node may not know yet who has connections, and the kernel is to be left as it is.
	plan *handover.Plan
	// left are the addresses that connections are left to here, or may be.
	left []netip.Addr
	// told: there are no others, as far as the kernel knows.
	told bool
	// wait is when to decide again; 0: no need.
	wait time.Duration
}

// passOn decides which packets go on to which nodes, given the decision of the election. Who holds what is noted as soon as it is known:
// the first thing that this node does may be to take an address over. Used is a digest of how routers use this node's sessions.
func (l *Loop) passOn(now time.Time, seen *snapshot, plan *announce.Plan, elected *election.Decision, used uint64) passing {
	m := &l.memory.connections
	if !seen.world.Members.Known {
		return passing{wait: max(0, undecidedLimit-now.Sub(l.started))}
	}
	in := handover.Input{
		Now: now, Behind: l.cost.Interval(), Node: l.cfg.Node, Addresses: m.addresses(&seen.view, plan, m.layer2(seen, plan, elected, l.cfg.Node)),
		Peers: m.peers(seen, l.cfg.Node), Disturbed: m.disturbed(&seen.view, l.cfg.Node, used), Suspects: seen.view.Suspects,
		Dead: func(node string) bool {
			_, alive := seen.view.Peers[node]
			return !alive && seen.down(node)
		},
		Silent: silent(seen, elected.Silent), Answered: l.exec.Connections.Answered(),
		Unreachable: l.exec.Connections.Unreachable(), Left: l.exec.Connections.Left(),
	}
	var led []handover.Passage
	if !m.asked && !m.replaced {
		kept := l.foundConnections()
		in.Found, led = kept.Counted, kept.Passages
	}
	if !m.decided {
		in.Away = l.away(seen, in.Peers, led)
	}
	d := m.Next(in)
	wait := d.Wait
	// What is decided without knowing who has connections would take from the kernel what passes packets on to them.
	if !l.memory.participant.Settled() || !m.decided && l.unheard(now.Sub(l.started), seen) != "" {
		return passing{wait: wait}
	}
	if !m.asked && !m.replaced {
		// What the kernel has must not be replaced before it is known; but not for ever, for the same error may have another cause.
		if now.Sub(l.started) < undecidedLimit {
			return passing{wait: election.Sooner(wait, keptInterval)}
		}
		m.replaced = true
	}
	if !m.decided {
		m.since = now
	}
	m.decision, m.decided, m.leaving, m.joining, m.turned = d, true, nil, d.Joined, nil
	if !seen.world.ProxyUnhealthy[l.cfg.Node] {
		m.leaving, m.turned = leavingRoutes(d.Gone, plan.Routed), d.Turned
		maps.DeleteFunc(m.turned, func(addr netip.Addr, _ time.Time) bool { return unserved(plan.Routed, addr) })
	}
	left, toldWait := m.told.next(now, m.toTell(d.Left, plan.Routed))
	return passing{&d.Plan, left, m.asked, election.Sooner(wait, toldWait)}
}

// turn returns the sessions of a pass for BGP: those by which a router turns to this node, or away from it, change a moment later, if others
// announce what it does and know of each other. It also returns a digest of how routers use them, and when to ask again; 0: no need.
func (m *connections) turn(now time.Time, node string, sessions []announce.Session, established map[string]bool, plan *announce.Plan) ([]announce.Session, uint64, time.Duration) {
	if !m.decided {
		return m.turns.next(now, node, sessions, established, nil)
	}
	return m.turns.next(now, node, sessions, established, plan.Routed)
}

// toTell are those addresses with connections left that the others are to hear of: not those that no router uses this node for at the moment
// while it goes on to be one of those that announce them. It is asked for what it knows as it is.
func (m *connections) toTell(left []netip.Addr, routed []announce.RoutedAddress) []netip.Addr {
	if m.turns.idle == "" {
		return left
	}
	return slices.DeleteFunc(slices.Clone(left), func(addr netip.Addr) bool {
		at, found := placeOf(addr, routed)
		return found && slices.Contains(routed[at].Nodes, m.turns.idle)
	})
}

// unheard is another node whose speaker is alive, and whose whole state has not come yet, some time after the start; "": none is waited for.
func (l *Loop) unheard(since time.Duration, seen *snapshot) string {
	i := slices.IndexFunc(seen.view.Alive, func(node string) bool {
		peer := seen.view.Peers[node]
		return node != l.cfg.Node && (!peer.StateKnown || peer.Partial)
	})
	if i < 0 || since >= statesLimit {
		return ""
	}
	return seen.view.Alive[i]
}

// holdSessions returns sessions of which those that have never been tried may wait, for BFD, or until what this node does not know is passed
// on; where nothing is passed on for long, each that is established waits for the others to hear of it before it announces anything. It also
// returns when to look again; 0: no need.
func (l *Loop) holdSessions(now time.Time, seen *snapshot, plan *announce.Plan, sessions []announce.Session) (held []announce.Session, wait time.Duration) {
	held = announce.HoldForBFD(sessions, seen.bfdSettled, seen.bfdPassable)
	l.memory.bfdSeen.Next(held, seen.bfdPaths)
	if len(plan.Routed) == 0 || l.exec.Gossip.Off() {
		return held, 0
	}
	hold, wait := handover.HoldRoutes(now, l.memory.connections.since, l.started.Add(undecidedLimit))
	for i := range held {
		held[i].Hold = held[i].Hold || hold
		if l.memory.connections.decision.Calm {
			held[i].UpdateAfter = handover.RouteDelay
		}
	}
	return held, wait
}

// foundConnections are what an earlier process counted and passed on. It is asked until there is an answer.
func (l *Loop) foundConnections() handover.Plan {
	m := &l.memory.connections
	kept, err := l.exec.Connections.Kept()
	if err == nil {
		m.asked = true
		return kept
	}
	if text := err.Error(); text != m.keptFailure {
		m.keptFailure = text
		l.cfg.Log.Warn("what the kernel still passes on of an earlier run is not known", "error", err)
	}
	return handover.Plan{}
}

// layer2 are the addresses of layer 2 with their holders, after an election.
func (m *connections) layer2(seen *snapshot, plan *announce.Plan, elected *election.Decision, self string) []handover.Address {
	if m.alone == nil {
		m.alone = map[string][]string{}
	}
	known := handover.Layer2{
		Node: self, Claims: seen.view.Claims, Made: make(election.Claims, len(elected.Claims)), Alive: make(map[string]uint64, len(seen.view.Peers)),
		Silent: elected.Silent, Alone: m.alone,
	}
	for _, claim := range elected.Claims {
		known.Made[claim.Addr] = claim
	}
	for node := range seen.view.Peers {
		known.Alive[node] = seen.view.Peers[node].Incarnation
	}
	var addresses []handover.Address
	holds := elected.Hold
	for i := range plan.Contests {
		contest := &plan.Contests[i]
		here := len(holds) > 0 && holds[0].Addr == contest.Addr
		if here {
			holds = holds[1:]
		}
		if contest.Draining == 0 {
			continue
		}
		address := handover.Address{Addr: contest.Addr, Links: contest.Interfaces, Draining: contest.Draining}
		address.Holders, address.Revision = known.Holders(contest.Addr, here)
		addresses = append(addresses, address)
	}
	return addresses
}

// silent are the nodes that are silent in the gossip without having said that they leave, but for those that keep their addresses because
// they answer for them on the segment.
func silent(seen *snapshot, answering []election.Silence) (nodes []string) {
	for node := range seen.view.Silent {
		if !slices.ContainsFunc(answering, func(s election.Silence) bool { return s.Node == node }) {
			nodes = append(nodes, node)
		}
	}
	slices.Sort(nodes)
	return nodes
}

// peers are the other nodes whose speakers are alive.
func (m *connections) peers(seen *snapshot, self string) map[string]handover.Peer {
	own, outer := seen.world.OwnLinks, announce.OuterLinks(seen.world.OwnLinks, seen.world.L2Advertisements, seen.kubernetes(self))
	shared := make(map[string]sharedAddresses, len(seen.view.Peers))
	peers := make(map[string]handover.Peer, len(seen.view.Peers))
	for name := range seen.view.Peers {
		peer := seen.view.Peers[name]
		state := peer.State
		if name == self || len(own) == 0 || len(state.Links) == 0 {
			continue
		}
		known, found := m.shared[name]
		kubernetes := seen.kubernetes(name)
		if !found || known.own != &own[0] || known.others != &state.Links[0] || !slices.Equal(known.outer, outer) || !slices.Equal(known.kubernetes, kubernetes) {
			known = sharedAddresses{&own[0], &state.Links[0], outer, kubernetes, announce.SharedAddresses(own, state.Links, outer, kubernetes)}
		}
		shared[name] = known
		peers[name] = handover.Peer{
			Vias: known.vias, Left: state.Draining, Complete: state.DrainingTold, PassesOn: state.PassesOn, Only: state.PassesOnly, Partial: peer.Partial,
		}
	}
	m.shared = shared
	return peers
}
