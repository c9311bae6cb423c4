package election

import (
	"maps"
	"net/netip"
	"slices"
	"time"
)

// The segment of a simulated cluster, and what speaker/layer2 does there: it probes, answers, announces and asks.
const (
	// simProbeTime is how long a first holder probes; simReprobe is the wait before it probes again when somebody answered.
	simProbeTime, simReprobe = 150 * time.Millisecond, time.Second
	// simFrame is how long a frame takes on the segment, simAsk how long it takes until a question without an answer has none.
	simFrame, simAsk, simRow = time.Millisecond / 2, 9 * time.Millisecond, 3
	// simAskAgain is the first time between two rows of questions, which doubles up to maxSimAskAgain, simRivalTimeout how long a rival is remembered.
	simAskAgain, maxSimAskAgain, simRivalTimeout = 100 * time.Millisecond, time.Second, 3 * time.Second
	// simRivalPause is how long a rival must be silent so that it is news when it is heard again.
	simRivalPause = 100 * time.Millisecond
	// simAnnounce is the time between two announcements of an address, and maxSimSearch the most between two searches for one.
	simAnnounce, maxSimSearch = time.Minute, searchInterval * 5 / 4
)

// segment is who hears whom on the segment, apart from the gossip.
type segment struct {
	// parts is the part of the segment that each node is on; deaf has the pairs where frames of the first do not reach the second.
	parts []int
	deaf  map[[2]int]bool
	// strangers are the addresses that a host outside the cluster has.
	strangers map[int]bool
	// askedNodes is how many others each node asks whether they are there; 0: all.
	askedNodes int
	// changed is when something about it was last changed.
	changed time.Duration
}

func newSegment(nodes int) segment {
	return segment{parts: make([]int, nodes), deaf: map[[2]int]bool{}, strangers: map[int]bool{}}
}

// hears reports whether frames of a reach b.
func (s *segment) hears(a, b *node) bool {
	return a.up && b.up && !a.frozen && !b.frozen && s.parts[a.index] == s.parts[b.index] && !s.deaf[[2]int{a.index, b.index}]
}

// vip is an address that a node holds: it is being probed, or is answered since a time.
type vip struct {
	answers bool
	since   time.Duration
}

// setVIPs makes a node hold these addresses and no others.
func (n *node) setVIPs(holds []Hold) {
	wanted := make(map[netip.Addr]bool, len(holds))
	for _, h := range holds {
		wanted[h.Addr] = true
		if n.tables[h.Addr] != h.Shares {
			n.log("%s goes by %s for %d", n.name, h.Shares, number(h.Addr))
			n.tables[h.Addr] = h.Shares
		}
		if n.vips[h.Addr] != nil {
			continue
		}
		n.vips[h.Addr] = &vip{}
		if h.First {
			n.probe(h.Addr, n.vips[h.Addr])
		} else {
			n.answer(h.Addr, n.vips[h.Addr])
		}
	}
	maps.DeleteFunc(n.vips, func(a netip.Addr, _ *vip) bool {
		if !wanted[a] {
			n.onSilent(n, a)
		}
		return !wanted[a]
	})
}

// probe answers for an address after a while, unless somebody answers for it then.
func (n *node) probe(a netip.Addr, v *vip) {
	n.after(simProbeTime, func() {
		switch {
		case !n.up || n.vips[a] != v:
		case n.frozen || n.stale || n.strangers[number(a)] || n.heardAnswer(a):
			n.after(simReprobe, func() { n.probe(a, v) })
		default:
			n.answer(a, v)
			n.queueDecision()
		}
	})
}

func (n *node) heardAnswer(a netip.Addr) bool {
	return slices.ContainsFunc(n.nodes, func(other *node) bool { return other != n && other.answersFor(a) && n.hears(other, n) })
}

func (n *node) answer(a netip.Addr, v *vip) {
	v.answers, v.since = true, n.now
	n.log("%s answers on the segment for %d", n.name, number(a))
	n.onAnswer(n, a)
	n.announceRepeatedly(a)
}

func (n *node) answersFor(a netip.Addr) bool {
	v := n.vips[a]
	return n.up && !n.frozen && !n.stale && v != nil && v.answers
}

// announce says to all who hear it that an address is here. Of a shared one it asks them about it, which only other nodes heed;
// its clients are told each by itself.
func (n *node) announce(a netip.Addr) {
	shared := n.tables[a].Shared()
	if !shared {
		n.neighbors[a] = n
	}
	for _, other := range n.nodes {
		if other != n {
			n.after(simFrame, func() {
				if n.hears(n, other) && n.answersFor(a) {
					if !shared {
						other.neighbors[a] = n
					}
					other.hearUse(a, n, true)
				}
			})
		}
	}
}

// hearUse hears another node use an address: as its holder does, or in answer to a question.
func (n *node) hearUse(a netip.Addr, by *node, holds bool) {
	q := Question{by.name, a}
	news := n.asked[q] && n.answers[q] != Answered && !holds
	if n.asked[q] && !holds {
		n.answers[q] = Answered
	}
	if holds && n.asked[q] && n.answers[q] == NoAnswer {
		delete(n.answers, q)
		n.askOnce(q, n.run)
	}
	if n.hearRival(a, by, holds) || news {
		n.queueDecision()
	}
}

// hearRival notes that another node uses an address, if it is one that this node has or searches for, and reports whether that is news.
func (n *node) hearRival(a netip.Addr, by *node, holds bool) (news bool) {
	if !n.answersFor(a) && n.searches[a] == nil {
		return false
	}
	q := Question{by.name, a}
	known, ok := n.rivals[q]
	if !ok || n.clock().Sub(known.Last) >= simRivalTimeout {
		known = Rival{Addr: a, Node: by.name, Since: n.clock()}
	}
	news = n.clock().Sub(known.Last) >= simRivalPause || holds && known.Held.IsZero()
	if holds {
		known.Held = n.clock()
		if known.HeldSince.IsZero() {
			known.HeldSince = known.Held
		}
	}
	known.Last = n.clock()
	n.rivals[q] = known
	return news
}

// setSearches makes a node search for these addresses, again and again, and no others.
func (n *node) setSearches(searches []Search) {
	wanted := map[netip.Addr]bool{}
	for _, s := range searches {
		wanted[s.Addr] = true
		if n.searches[s.Addr] == nil {
			n.searches[s.Addr] = &s
			n.search(&s)
		}
	}
	maps.DeleteFunc(n.searches, func(a netip.Addr, _ *Search) bool { return !wanted[a] })
}

// search asks all who hear it whether they answer for an address. A node that does hears by it that this one does.
func (n *node) search(s *Search) {
	if !n.up || n.searches[s.Addr] != s {
		return
	}
	for _, other := range n.nodes {
		if other == n {
			continue
		}
		n.after(simFrame, func() {
			if !n.hears(n, other) || n.stale || !other.answersFor(s.Addr) {
				return
			}
			if other.hearRival(s.Addr, n, true) {
				other.queueDecision()
			}
			n.after(simFrame, func() {
				if n.hears(other, n) {
					n.hearUse(s.Addr, other, false)
				}
			})
		})
	}
	interval := float64(s.Interval) * (0.75 + 0.5*n.random.Float64())
	n.after(time.Duration(interval), func() { n.search(s) })
}

// setQuestions makes a node ask these questions, again and again, and no others.
func (n *node) setQuestions(ask []Question) {
	wanted := map[Question]bool{}
	for _, q := range ask {
		wanted[q] = true
		if !n.asked[q] {
			n.asked[q] = true
			n.ask(q, simAskAgain)
		}
	}
	maps.DeleteFunc(n.asked, func(q Question, _ bool) bool { return !wanted[q] })
	maps.DeleteFunc(n.answers, func(q Question, _ Answer) bool { return !wanted[q] })
}

// ask asks a question, and once more after a wait.
func (n *node) ask(q Question, wait time.Duration) {
	run := n.run
	n.askOnce(q, run)
	n.after(wait, func() {
		if n.up && n.run == run && n.asked[q] {
			n.ask(q, min(2*wait, maxSimAskAgain))
		}
	})
}

// askOnce asks a question once, in a row: one who begins to answer meanwhile answers the rest of the row.
func (n *node) askOnce(q Question, run int) {
	still := func() bool { return n.up && n.run == run && n.asked[q] }
	to := n.nodes[nodeNumber(q.Node)]
	answered := false
	for i := range time.Duration(simRow) {
		n.after(i*simAsk/simRow+simFrame, func() {
			if answered || !still() || !n.hears(n, to) || !to.answersFor(q.Addr) && !to.serves(q.Addr) || !n.hears(to, n) {
				return
			}
			answered = true
			n.after(simFrame, func() {
				if still() {
					n.hearUse(q.Addr, to, false)
				}
			})
		})
	}
	n.after(simAsk, func() {
		if still() && !answered && !n.frozen && n.answers[q] != NoAnswer {
			n.answers[q] = NoAnswer
			n.queueDecision()
		}
	})
}

// answered are the addresses that a node answers for.
func (n *node) answered() []netip.Addr {
	var all []netip.Addr
	for a, v := range n.vips {
		if v.answers {
			all = append(all, a)
		}
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return all
}

// presentRivals are the nodes that were heard lately.
func (n *node) presentRivals() []Rival {
	var all []Rival
	for q, rival := range n.rivals {
		if !n.answersFor(q.Addr) && n.searches[q.Addr] == nil || n.clock().Sub(rival.Last) >= simRivalTimeout {
			delete(n.rivals, q)
			continue
		}
		all = append(all, rival)
	}
	slices.SortFunc(all, func(a, b Rival) int {
		if order := a.Addr.Compare(b.Addr); order != 0 {
			return order
		}
		return nodeNumber(a.Node) - nodeNumber(b.Node)
	})
	return all
}

// freeze stops the process of a node, and lets it go on after a while.
func (n *node) freeze(d time.Duration) {
	if !n.up || n.frozen {
		return
	}
	n.log("%s freezes", n.name)
	n.frozen = true
	n.reachabilityChanged()
	run := n.run
	n.after(d, func() {
		if n.up && n.run == run {
			n.thaw()
		}
	})
}

func (n *node) thaw() {
	n.log("%s goes on", n.name)
	n.frozen, n.stale, n.changed = false, true, n.now
	mailbox := n.mailbox
	n.mailbox = nil
	for _, claims := range mailbox {
		n.receive(claims)
	}
	n.reachabilityChanged()
	n.after(500*time.Millisecond, n.endStale)
	n.queueDecision()
}

// endStale lets a node answer again, and announce what it has put off.
func (n *node) endStale() {
	if !n.up || !n.stale {
		return
	}
	n.stale, n.changed = false, n.now
	n.announceAll()
	n.queueDecision()
}

func (n *node) announceAll() {
	for _, a := range n.answered() {
		n.announce(a)
	}
}

// announceFromTimeToTime announces everything once in a while, which takes a minute in truth.
func (n *node) announceFromTimeToTime(run int) {
	if n.up && n.run == run {
		n.announceAll()
		n.after(simAnnounce, func() { n.announceFromTimeToTime(run) })
	}
}

func (n *node) clock() time.Time { return epoch.Add(n.now) }

// nodeNumber is the number of a node by its name.
func nodeNumber(name string) int {
	number := 0
	for _, digit := range name[1:] {
		number = 10*number + int(digit-'0')
	}
	return number
}
