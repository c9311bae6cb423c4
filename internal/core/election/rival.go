package election

import (
	"net/netip"
	"time"
)

const (
	// claimTimeout is how long the claims have to settle between two live nodes who goes on.
	claimTimeout = 200 * time.Millisecond
	// rivalTimeout is how long a live node may answer for an address of ours until that is more than a message on its way.
	rivalTimeout = 500 * time.Millisecond
	// rivalFresh is how old the last sign of a rival may be to act on it. A new one wakes this node unless another one came so
	// shortly before.
	rivalFresh = 100 * time.Millisecond
	// takenTimeout is how long after a take-over the holder before may come back with the address.
	takenTimeout = 10 * time.Second
)

// Rival is another node of the cluster that was heard to use an address that this node answers or searches for.
type Rival struct {
	Addr netip.Addr
	Node string
	// Since and Last are when it was first and last heard.
	Since, Last time.Time
	// HeldSince and Held are when it first and last announced the address to all or searched for it, as only those do who hold it; zero:
	// it has only answered questions, as the servers of a shared address do, too.
	HeldSince, Held time.Time
}

// taking is a take-over from a node that was alive.
type taking struct {
	from string
	at   time.Time
	// term of the claim; 0: it does not matter any more.
	term uint64
}

// yieldToRivals settles with every other node that answers for an address of ours which of the two goes on. Between a silent
// node and us a hash decides, as it does between claims of one term: the other side comes to the same result. Claims settle it
// with a live node. If they do not, an address that was taken from it is given back, and the hash decides about others. An interface of
// this node on which it does not answer is no rival.
func (r *round) yieldToRivals() {
	r.forgetCorrected()
	r.forgetDeferred()
	r.forgetInterrupted()
	next := 0
	for _, rival := range r.Rivals {
		for next < len(r.contests) && r.contests[next].Addr.Less(rival.Addr) {
			next++
		}
		if next == len(r.contests) {
			return
		}
		if r.contests[next].Addr == rival.Addr && !r.Settling && rival.Node != r.node {
			r.settle(next, rival)
		}
	}
}

func (r *round) settle(contest int, rival Rival) {
	holder := r.holders[contest]
	rival = r.sinceResumed(rival)
	incarnation, silent := r.Silent[rival.Node]
	ours := r.isOurs(holder)
	prevails := silent && ours && (beats(r.node, rival) || r.giverGoesOn(rival))
	live, alive := r.Live[rival.Node]
	serves := r.servesOrDid(rival.Node, rival.Addr)
	if serves {
		rival.Since, rival.Last = rival.HeldSince, rival.Held
	}
	switch {
	case holder != nobody && !ours:
	case r.onlyServes(rival):
	case silent && !r.goesOn(rival):
		r.correct(holder, rival)
	case silent && holder == nobody:
		r.yielded[rival.Addr] = true
	case prevails && r.Claims[rival.Addr].Shares.Shared() && rival.Last.Sub(rival.Since) >= rivalTimeout:
		r.meet(rival.Node, rival.Addr)
		r.cedeWithTable(contest, rival.Node, incarnation) // It takes this node for a server, which it is then.
	case prevails:
		r.meet(rival.Node, rival.Addr)
		r.decision.Defend = append(r.decision.Defend, rival.Addr)
		r.wakeAfter(rivalFresh) // If it stops and begins again before that, nothing else wakes this node.
	case silent && r.Claims[rival.Addr].Shares.Has(rival.Node): // Most likely it takes this node for alive, and has taken the address to even out.
		r.meet(rival.Node, rival.Addr)
		r.cedeWithTable(contest, rival.Node, incarnation)
	case silent:
		r.meet(rival.Node, rival.Addr)
		r.cede(contest, rival.Node, incarnation)
	case alive && ours && r.contests[contest].Parts.Apart(r.node, rival.Node):
		r.settleWithStandIn(rival)
	case alive && ours: // If nobody is the holder, as while this node leaves, the claim of the live one is on its way.
		r.settleWithLive(contest, rival, live)
	case ours && !alive:
		r.settleWithReturned(rival)
	}
}

// onlyServes reports whether a rival is a server of the address and no more. One that is alive knows of the holder, unless it goes on to
// announce the address to all: then it hears nothing of this node, takes it for dead and has taken its place.
func (r *round) onlyServes(rival Rival) bool {
	if !r.servesOrDid(rival.Node, rival.Addr) {
		return false
	}
	return rival.Held.IsZero() || !r.isSilent(rival.Node) && rival.Held.Sub(rival.HeldSince) < rivalTimeout
}

// beats reports whether a node goes on with an address that a rival answers for, too.
func beats(node string, rival Rival) bool {
	return (Claim{Addr: rival.Addr, Node: node}).Beats(Claim{Addr: rival.Addr, Node: rival.Node})
}

// giverGoesOn reports whether a rival yields to a live node that this one has just taken the address from, and that may still
// answer for it, until it knows. If this node yielded to the rival meanwhile nobody would answer: each of the three would
// leave the address to the next.
func (r *round) giverGoesOn(rival Rival) bool {
	taken, known := r.taken[rival.Addr]
	if !known || r.Now.Sub(taken.at) >= claimTimeout || !beats(taken.from, rival) {
		return false
	}
	q := Question{taken.from, rival.Addr}
	r.decision.Ask = append(r.decision.Ask, q)
	return !r.Answers[q].none()
}

// goesOn asks a rival whether it answers for the address: it may have been heard before its death.
func (r *round) goesOn(rival Rival) bool {
	q := Question{rival.Node, rival.Addr}
	r.decision.Ask = append(r.decision.Ask, q)
	return r.Answers[q] == Answered && r.Now.Sub(rival.Last) < rivalFresh
}

// settleWithLive waits for the claims to settle it, and asks the rival whether it goes on. One that does may take this node for
// silent, and then knows nothing of its claims, but it announces the address to all, as it is defended against. Who only answers is
// something else on that node, and who is no candidate may not have the address: that is a conflict. A server of a shared address that
// goes on though it is defended hears nothing of this node, whose clients are told by unicast: it has the address.
func (r *round) settleWithLive(contest int, rival Rival, incarnation uint64) {
	if wait := claimTimeout - r.Now.Sub(rival.Since); wait > 0 {
		r.wakeAfter(wait)
		return
	}
	goesOn, lasts := r.goesOn(rival), rival.Last.Sub(rival.Since)
	_, candidate := r.groups[contest].find(r.nodes.find(rival.Node))
	taken, known := r.taken[rival.Addr]
	switch theirs := known && taken.from == rival.Node; {
	case lasts < rivalTimeout:
		r.wakeAfter(rivalTimeout - lasts)
	case !goesOn:
	case candidate && (theirs || !rival.Held.IsZero() && !beats(r.node, rival)):
		r.cede(contest, rival.Node, incarnation)
		r.unevenSince = time.Time{}
	case lasts < rivalTimeout+time.Second:
		r.decision.Defend = append(r.decision.Defend, rival.Addr)
	case candidate && r.servesOrDid(rival.Node, rival.Addr):
		r.cede(contest, rival.Node, incarnation)
	}
}

// cede claims an address for another node that answers for it, so that all of this side know.
func (r *round) cede(contest int, to string, incarnation uint64) {
	addr := r.contests[contest].Addr
	r.wakeAfter(time.Millisecond) // Then the claim is known, and counts.
	r.holders[contest] = ceded
	r.loads[r.me]--
	r.decision.Claims = append(r.decision.Claims, Claim{Addr: addr, Node: to, Incarnation: incarnation, Term: r.Claims[addr].Term + 1, Announced: true})
}

// cedeWithTable is cede for a node that goes by the same table as this one, and takes its servers at their word: so they go on.
func (r *round) cedeWithTable(contest int, to string, incarnation uint64) {
	r.cede(contest, to, incarnation)
	r.decision.Claims[len(r.decision.Claims)-1].Shares = r.Claims[r.contests[contest].Addr].Shares
}

// forgetTaken drops what was taken long ago.
func (e *Elector) forgetTaken(now time.Time) {
	for addr, taken := range e.taken {
		if now.Sub(taken.at) > takenTimeout {
			delete(e.taken, addr)
		}
	}
}
