package gossip

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	// differenceGrace is how long two speakers may have different claims before they compare all: news are on their way.
	differenceGrace = 200 * time.Millisecond
	// repeatInterval is the time between two comparisons of the same claims, which have not helped.
	repeatInterval = 10 * time.Second
)

// difference is that another speaker has other claims than we have.
type difference struct {
	ours, theirs uint64
	// since is when both were first as they are; compared is when all claims were last exchanged since.
	since, compared time.Time
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
// exchange, which costs as much as there are claims, so it is made only when both have stayed as they are. Of two the one
// with the lower name asks first.
func (m *Membership) noteDigest(now time.Time, node string, theirs uint64) {
	ours := m.claims.digest.Load()
	grace := differenceGrace
	if m.cfg.Node > node {
		grace *= 2
	}
	if to, due := m.peers.noteDifference(now, node, difference{ours: ours, theirs: theirs}, grace); due {
		m.repair(repair{node: node, to: to})
	}
}

// noteDifference notes both digests, and reports whether the claims are to be compared now.
func (s *peerStore) noteDifference(now time.Time, node string, d difference, grace time.Duration) (to memberlist.Address, due bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.record(node)
	if d.ours == d.theirs || d.theirs == 0 {
		r.difference = difference{}
		return to, false
	}
	if last := r.difference; last.ours != d.ours || last.theirs != d.theirs {
		d.since = now
		r.difference = d
		return to, false
	}
	if now.Sub(r.since) < grace || !r.compared.IsZero() && now.Sub(r.compared) < repeatInterval {
		return to, false
	}
	r.compared = now
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
			} else if at, err := netip.ParseAddrPort(next.to.Addr); err == nil {
				m.join(next.node, at)
			}
		})
	}
}
