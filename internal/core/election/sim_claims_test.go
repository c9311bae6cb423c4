package election

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/daymark-lb/daymark/internal/core/rendezvous"
	"github.com/daymark-lb/daymark/internal/core/shares"
)

// receive learns the claims in a message.
func (n *node) receive(claims []Claim) {
	if n.frozen {
		n.mailbox = append(n.mailbox, claims)
		return
	}
	changed := n.learnAll(slices.Values(claims))
	if changed {
		n.queueDecision()
	}
}

// learnAll learns the claims that another node has told, and reports whether any is new.
func (n *node) learnAll(claims iter.Seq[Claim]) (changed bool) {
	ours := uint64(0)
	for claim := range claims {
		claim.Announced = claim.Announced || n.mixed
		if n.old {
			claim.Shares, claim.Revision = shares.Table{}, 0 // It skips what it does not know.
		}
		changed = n.learn(claim) || changed
		if claim.Node == n.name {
			ours = max(ours, claim.Incarnation)
		}
	}
	n.refute(ours)
	return changed
}

func (n *node) learn(claim Claim) bool {
	known := n.claims[claim.Addr]
	if !n.claims.Learn(claim) {
		return false
	}
	n.version++
	n.digest ^= digest(known) ^ digest(claim)
	return true
}

// digest is the hash of a claim. That of all claims of a node is their combination: nodes with equal digests need not merge.
func digest(c Claim) uint64 {
	if c.Shares.Shared() {
		table := rendezvous.Hash(c.Shares.Indexes()) ^ rendezvous.Mix(rendezvous.Hash(strings.Join(c.Shares.Servers(), " "))^c.Revision)
		c.Shares = shares.Table{}
		return rendezvous.Mix(digest(c) ^ table)
	}
	return rendezvous.Mix(hashAddr(c.Addr) ^ rendezvous.Mix(rendezvous.Hash(c.Node)^rendezvous.Mix(c.Term<<8^c.Incarnation<<1^announced(c))))
}

func announced(c Claim) uint64 {
	if c.Announced {
		return 1
	}
	return 0
}

// merge learns all claims that another node knows.
func (n *node) merge(from *node) {
	changed := n.digest != from.digest && n.learnAll(maps.Values(from.claims))
	n.met[from.name] = from.incarnation
	changed = n.learnDepartures(from) || changed
	n.learnMembers(from)
	n.said[from.name] = from.said[from.name]
	defer n.endStale()
	for name, incarnation := range from.silent {
		if n.live[name] == 0 && name != n.name && n.silent[name] < incarnation && n.left[name] < incarnation {
			n.silent[name], n.deadSince[name] = incarnation, n.now
			changed = true
		}
	}
	n.detect(from)
	if !from.settling() && n.settled[from.name] != from.incarnation {
		n.receiveSettled(from, from.incarnation)
	}
	if n.settling() && n.metAll() {
		n.settle(n.run)
	} else if changed {
		n.queueDecision()
	}
}

// broadcast sends claims to all nodes that are believed alive, in several messages.
func (n *node) broadcast(claims []Claim) {
	for _, claim := range claims {
		n.onClaim(n, claim)
		n.learn(claim)
		n.claimed[claim.Addr] = true
	}
	for len(claims) > 0 {
		size := 1 + n.random.IntN(min(len(claims), 25))
		for _, other := range n.nodes {
			if n.talksTo(other) {
				n.send(other, claims[:size])
			}
		}
		claims = claims[size:]
	}
}

// send sends one message up to maxTries times, until it arrives. A node that is cut off all that time learns the claims in
// an exchange.
func (n *node) send(other *node, claims []Claim) {
	sent, run, try := n.now, other.run, time.Duration(0)
	var arrive func()
	again := func() {
		n.after(sent+try*maxMessageDelay+n.randomDuration(0, maxMessageDelay)+n.delayTo(other)-n.now, arrive)
	}
	arrive = func() {
		try++
		_, unhearing := n.unhearing[other.index]
		connected := !unhearing && !n.alone() && n.side[n.index] == n.side[other.index] && !n.mute[n.index] && !n.cut[[2]int{n.index, other.index}]
		switch {
		case !other.up || other.run != run:
		case connected && (try == maxTries || !n.chance(n.loss)):
			n.log("%s learns from %s%s", other.name, n.name, claimsText(claims))
			other.receive(claims)
		case try < maxTries:
			again()
		}
	}
	again()
}

func claimsText(claims []Claim) string {
	s := ""
	for _, c := range claims {
		s += fmt.Sprintf(" %d:%s/%d", number(c.Addr), c.Node, c.Term)
	}
	return s
}
