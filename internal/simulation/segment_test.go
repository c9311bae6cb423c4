package simulation

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/speaker/layer2"
)

const (
	// probing is how long a node looks for another host before it announces an address that is new.
	probing = 600 * time.Millisecond
	// maxFrame is how long a frame is on its way and until it has been looked at.
	maxFrame = 10 * time.Millisecond
	// rivalCounts is for how long one counts as a rival that was heard.
	rivalCounts = 3 * time.Second
)

// segment is the network that all nodes are on: who answers for which address.
type segment struct {
	*world
	mu    sync.Mutex
	nodes map[string]*simulatedLayer2
}

// simulatedLayer2 is what a process does by layer 2: it answers for addresses, and hears others. It implements reconcile.Layer2.
type simulatedLayer2 struct {
	*segment
	p               *process
	node            string
	members         *member
	changes, urgent chan struct{}

	// The lock of the segment guards these.
	held map[netip.Addr]*holding
	// questions that are asked, and the answers to them.
	questions map[election.Question]bool
	answers   map[election.Question]election.Answer
	rivals    map[election.Question]*election.Rival
	ended     bool
}

// holding is an address that a node is to answer for.
type holding struct {
	announce.Layer2Address
	// since is when it began to answer; zero: it looks for another host first.
	since time.Time
}

func (s *segment) start(p *process, node string, members *member) *simulatedLayer2 {
	l := &simulatedLayer2{
		segment: s, p: p, node: node, members: members, changes: make(chan struct{}, 1), urgent: make(chan struct{}, 1), held: map[netip.Addr]*holding{},
		questions: map[election.Question]bool{}, answers: map[election.Question]election.Answer{}, rivals: map[election.Question]*election.Rival{},
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nodes[node] = l
	return l
}

// addresses are those that a node answers for.
func (s *segment) addresses() (all []netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.nodes { // order does not matter: it is a set
		all = slices.AppendSeq(all, maps.Keys(l.held))
	}
	return all
}

// holders are the nodes that answer for an address, in order.
func (s *segment) holders(addr netip.Addr) (nodes []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for node, l := range s.nodes { // order does not matter: they are sorted
		if l.answersFor(addr) {
			nodes = append(nodes, node)
		}
	}
	slices.Sort(nodes)
	return nodes
}

// answersFor an address. The caller holds the lock.
func (l *simulatedLayer2) answersFor(addr netip.Addr) bool {
	h := l.held[addr]
	return !l.ended && h != nil && !h.since.IsZero()
}

// Set implements reconcile.Layer2.
func (l *simulatedLayer2) Set(_ context.Context, desired []announce.Layer2Address) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return nil
	}
	wanted := map[netip.Addr]bool{}
	for i := range desired {
		d := &desired[i]
		wanted[d.Addr] = true
		if h := l.held[d.Addr]; h != nil {
			h.Layer2Address = *d
			continue
		}
		h := &holding{Layer2Address: *d}
		l.held[d.Addr] = h
		if !d.Probe {
			l.take(h)
			continue
		}
		time.AfterFunc(probing, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			if !l.ended && l.held[d.Addr] == h {
				l.take(h)
				wake(l.changes)
			}
		})
	}
	for addr, h := range l.held { // order does not matter: each is given up by itself
		if !wanted[addr] {
			delete(l.held, addr)
			if !h.since.IsZero() {
				l.note("%s does not answer for %s any more", l.p.id, addr)
				l.judge.gaveUp(l.p, l.node, addr, l.yields(addr))
				l.askAnew(addr)
			}
		}
	}
	return nil
}

// take an address.
func (l *simulatedLayer2) take(h *holding) {
	h.since = time.Now()
	l.note("%s answers for %s", l.p.id, h.Addr)
	l.judge.took(l.p, l.node, h.Addr)
	l.announce(h.Addr)
	l.askAnew(h.Addr)
}

// yields is to whom the node may leave an address: another one that claims it, or is heard to hold it; empty: nobody.
func (l *simulatedLayer2) yields(addr netip.Addr) string {
	if node := l.members.claimant(addr); node != l.node {
		return node
	}
	for key := range l.rivals { // order does not matter: any will do
		if key.Addr == addr {
			return key.Node
		}
	}
	return ""
}

// announce an address to all. Those that answer for it hear of a rival, and are heard in turn.
func (l *simulatedLayer2) announce(addr netip.Addr) {
	for node, other := range l.nodes { // order does not matter: each hears it by itself
		if node == l.node {
			continue
		}
		r, _ := l.p.lotOf("announces " + addr.String() + " to " + node)
		time.AfterFunc(between(r, 0, maxFrame), func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			if !other.ended && other.answersFor(addr) && l.answersFor(addr) {
				other.hear(l.node, addr)
			}
		})
	}
}

// hear a rival.
func (l *simulatedLayer2) hear(node string, addr netip.Addr) {
	key, now := election.Question{Node: node, Addr: addr}, time.Now()
	known := l.rivals[key]
	if known == nil || now.Sub(known.Last) >= rivalCounts {
		known = &election.Rival{Addr: addr, Node: node, Since: now, HeldSince: now}
		l.rivals[key] = known
	}
	known.Last, known.Held = now, now
	wake(l.urgent)
}

// askAnew has those who ask about an address ask again.
func (l *simulatedLayer2) askAnew(addr netip.Addr) {
	for _, other := range l.nodes { // order does not matter: each asks by itself
		for q := range other.questions { // order does not matter: each is answered by itself
			if q.Addr == addr && q.Node == l.node {
				other.ask(q)
			}
		}
	}
}

// Ask implements reconcile.Layer2.
func (l *simulatedLayer2) Ask(questions []announce.Layer2Question) {
	l.mu.Lock()
	defer l.mu.Unlock()
	asked := map[election.Question]bool{}
	for i := range questions {
		q := questions[i].Question
		if asked[q] = true; !l.questions[q] {
			l.ask(q)
		}
	}
	l.questions = asked
	for q := range l.answers { // order does not matter: each stands for itself
		if !asked[q] {
			delete(l.answers, q)
		}
	}
}

// ask a node whether it answers.
func (l *simulatedLayer2) ask(q election.Question) {
	r, _ := l.p.lotOf("asks " + q.Node + " for " + q.Addr.String())
	time.AfterFunc(between(r, 0, 10*maxFrame), func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.ended || !l.questions[q] {
			return
		}
		answer := election.NoAnswer
		if other := l.nodes[q.Node]; other != nil && other.answersFor(q.Addr) {
			answer = election.Answered
		}
		if l.answers[q] != answer {
			l.answers[q] = answer
			wake(l.urgent)
		}
	})
}

// Answers implements reconcile.Layer2.
func (l *simulatedLayer2) Answers() map[election.Question]election.Answer {
	l.mu.Lock()
	defer l.mu.Unlock()
	answers := map[election.Question]election.Answer{}
	for q, answer := range l.answers { // order does not matter: it is a copy
		answers[q] = answer
	}
	return answers
}

// Rivals implements reconcile.Layer2.
func (l *simulatedLayer2) Rivals() (rivals []election.Rival) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, rival := range l.rivals { // order does not matter: they are sorted
		if time.Since(rival.Last) >= rivalCounts || l.held[key.Addr] == nil {
			delete(l.rivals, key)
			continue
		}
		rivals = append(rivals, *rival)
	}
	slices.SortFunc(rivals, func(a, b election.Rival) int { return a.Addr.Compare(b.Addr) })
	return rivals
}

// Held implements reconcile.Layer2.
func (l *simulatedLayer2) Held() (held []layer2.Held) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for addr, h := range l.held { // order does not matter: they are sorted
		if !h.since.IsZero() {
			held = append(held, layer2.Held{Addr: addr, Interfaces: h.Interfaces, Since: h.since})
		}
	}
	slices.SortFunc(held, func(a, b layer2.Held) int { return a.Addr.Compare(b.Addr) })
	return held
}

// Announce implements reconcile.Layer2.
func (l *simulatedLayer2) Announce(addresses []netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, addr := range addresses {
		if l.answersFor(addr) {
			l.announce(addr)
		}
	}
}

// Defend implements reconcile.Layer2.
func (l *simulatedLayer2) Defend(addresses []netip.Addr) { l.Announce(addresses) }

// end of the process.
func (l *simulatedLayer2) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	for addr := range l.held { // order does not matter: each is given up by itself
		l.askAnew(addr)
	}
}

// FailedOver implements reconcile.Layer2.
func (l *simulatedLayer2) FailedOver(map[netip.Addr]time.Time) {}

// UpdateClusterMACs implements reconcile.Layer2.
func (l *simulatedLayer2) UpdateClusterMACs([]announce.NodeMAC) {}

// Search implements reconcile.Layer2.
func (l *simulatedLayer2) Search([]election.Search) {}

// Conflicts implements reconcile.Layer2.
func (l *simulatedLayer2) Conflicts() []layer2.Conflict { return nil }

// Unable implements reconcile.Layer2.
func (l *simulatedLayer2) Unable() []layer2.Unable { return nil }

// Listen implements reconcile.Layer2.
func (l *simulatedLayer2) Listen([]netip.Addr, []string) {}

// Alive implements reconcile.Layer2.
func (l *simulatedLayer2) Alive() error { return nil }

// Changes implements reconcile.Layer2.
func (l *simulatedLayer2) Changes() <-chan struct{} { return l.changes }

// Urgent implements reconcile.Layer2.
func (l *simulatedLayer2) Urgent() <-chan struct{} { return l.urgent }
