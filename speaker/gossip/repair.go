package gossip

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	// differenceGrace is how long two speakers may have different claims before they compare all: news are on their way.
	differenceGrace = 200 * time.Millisecond
	// repeatInterval is the time between two comparisons with the same speaker that have not helped.
	repeatInterval = 10 * time.Second
	// repeatByDatagram is the same where datagrams bring the claims, some of which may be lost.
	repeatByDatagram = 2 * time.Second
	// apartGrace is how long two speakers whose claims go on changing may have had nothing in common. While claims are on their way one
	// of them has what the other had a moment ago.
	apartGrace = 2 * time.Second
	// recentDigests is how many of the last digests that is looked for in.
	recentDigests = 32
)

// digests are the latest ones of a speaker.
type digests struct {
	ring [recentDigests]uint64
	next int
}

func (d *digests) add(digest uint64) {
	if d.ring[(d.next+recentDigests-1)%recentDigests] == digest {
		return
	}
	d.ring[d.next] = digest
	d.next = (d.next + 1) % recentDigests
}

func (d *digests) has(digest uint64) bool { return digest != 0 && slices.Contains(d.ring[:], digest) }

// difference is that another speaker has other claims than we have.
type difference struct {
	ours, theirs uint64
	// since is when both were first as they are, and apart when neither had what the other had had; compared is when all claims were last
	// exchanged.
	since, apart, compared time.Time
	// said are the latest digests of the other speaker. hasAgreed: one of them was ours.
	said      digests
	hasAgreed bool
}

// repair is something to be sent by TCP.
type repair struct {
	node string
	to   memberlist.Address
	// content of a message; nil: exchange all states and claims, both ways.
	kind    kind
	content body
}

// noteDigest compares the digest of a speaker's claims with ours; 0: it does not say. What datagrams have not brought comes by an
// exchange, which costs as much as there are claims, so it is made only when both have stayed as they are, or change and neither
// comes to what the other had: then it is no news on its way that makes them differ. Of two the one with the lower name asks first.
func (m *Membership) noteDigest(now time.Time, node string, theirs uint64) {
	ours := m.claims.digest.Load()
	if ours == theirs && theirs != 0 {
		m.claimsCame(func() bool { return m.peers.agreed(node) })
	}
	last := 1
	if m.cfg.Node > node {
		last = 2
	}
	had := ours != theirs && m.claims.had(theirs)
	if to, due := m.peers.noteDifference(now, node, ours, theirs, had, time.Duration(last)); due {
		m.repair(repair{node: node, to: to})
	}
}

// claimsCame has what was noted of claims that came, and tells the receiver of Changes when they have all come.
func (m *Membership) claimsCame(note func() (all bool)) {
	if note() {
		notify(m.changes)
	}
}

// exchanged notes an exchange, and reports whether with that all claims have come for the first time.
func (s *peerStore) exchanged() (all bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, s.claimsKnown = !s.claimsKnown, true
	return all
}

// agreed notes that a speaker has the claims that we have, and reports whether with that those of all that are heard have come for the first time.
func (s *peerStore) agreed(with string) (all bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.claimsKnown {
		return false
	}
	s.record(with).hasAgreed = true
	for node, status := range s.detector.Peers() {
		if status.Alive && status.LastHeard.After(s.claimsForgotten) && !s.record(node).hasAgreed {
			return false
		}
	}
	s.claimsKnown = true
	return true
}

// forgetClaims notes that all claims may have changed unheard, if nobody else is alive. The caller holds mu.
func (s *peerStore) forgetClaims() {
	if !s.claimsKnown {
		return
	}
	for _, status := range s.detector.Peers() {
		if status.Alive {
			return
		}
	}
	s.claimsKnown, s.claimsForgotten = false, time.Now()
	for _, r := range s.records {
		r.hasAgreed = false
	}
}

// claimsMissing reports whether somebody else is alive, and not all claims have come.
func (s *peerStore) claimsMissing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.claimsKnown && len(s.latest().alive) > 1
}

// noteDifference notes both digests, and reports whether the claims are to be compared now; had: theirs is one that we had lately. All waits
// are so many times as long.
func (s *peerStore) noteDifference(now time.Time, node string, ours, theirs uint64, had bool, times time.Duration) (to memberlist.Address, due bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.record(node)
	r.said.add(theirs)
	switch {
	case ours == theirs || theirs == 0:
		r.ours, r.theirs, r.since, r.apart, r.compared = 0, 0, time.Time{}, time.Time{}, time.Time{}
		return to, false
	case had || r.said.has(ours):
		r.apart = now
	case r.apart.IsZero():
		r.apart = now
	}
	if r.ours != ours || r.theirs != theirs {
		r.ours, r.theirs, r.since = ours, theirs, now
	}
	if now.Sub(r.since) < times*differenceGrace && now.Sub(r.apart) < times*apartGrace {
		return to, false
	}
	interval := repeatInterval
	if !r.failingSince.IsZero() {
		interval = repeatByDatagram
	}
	if !r.compared.IsZero() && now.Sub(r.compared) < interval {
		return to, false
	}
	r.compared, r.apart = now, now
	return s.address(node)
}

// repair has something sent by TCP. When there is too much to do it is left out: the next digest will tell.
func (m *Membership) repair(r repair) {
	select {
	case m.repairs <- r:
	default:
	}
}

// repairUnheard has a message sent by TCP to those of which nothing comes by datagram, so that neither does anything of ours.
func (m *Membership) repairUnheard(k kind, content body) {
	for _, to := range m.peers.snapshot().unheard {
		m.repair(repair{node: to.Name, to: to, kind: k, content: content})
	}
}

// makeRepairs sends what is to be sent by TCP, to a few speakers side by side, until ctx ends.
func (m *Membership) makeRepairs(ctx context.Context) {
	var working sync.WaitGroup
	defer working.Wait()
	slots := make(chan struct{}, maxParallel)
	for {
		var next repair
		select {
		case <-ctx.Done():
			return
		case next = <-m.repairs:
		}
		select {
		case <-ctx.Done():
			return
		case slots <- struct{}{}:
		}
		working.Go(func() {
			defer func() { <-slots }()
			if next.content != nil {
				m.sendReliably(next.to, next.kind, next.content)
				return
			}
			if m.peers.byDatagramOnly(next.node) {
				m.tellAll(ctx, next.to)
			}
			if at, err := netip.ParseAddrPort(next.to.Addr); err == nil {
				m.join(next.node, at)
			}
		})
	}
}
