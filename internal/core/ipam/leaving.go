package ipam

import (
	"math"
	"net/netip"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// WithdrawLimit is how long a Service that Daymark serves no more waits for the speakers. One that has not answered by then is
// not waited for again before it says something new.
const WithdrawLimit = time.Minute

// Withdrawal is what the speaker of a node reports: for all Services that were leaving at a version or an older one, it has
// withdrawn what it announced. The API server changes Services in the order of their versions, and speakers see them so.
type Withdrawal struct {
	Node    string
	Version uint64
}

// Leaving is a Service that Daymark serves no more and that has the finalizer of ours.
type Leaving struct {
	// Service as it was when it was first seen leaving: a later edit does not make the speakers answer again.
	Service *lb.Service
	// Since is when that was.
	Since time.Time
}

// prepareLeaving finds the Services that are leaving and up to which version the speakers have withdrawn.
func (p *pass) prepareLeaving(others []*lb.Service) {
	p.withdrawn = math.MaxUint64
	known := make(map[types.UID]Leaving, len(p.world.Memory.Leaving))
	for _, left := range p.world.Memory.Leaving {
		known[left.Service.UID] = left
	}
	leaving := &p.plan.Memory.Leaving
	for _, s := range others {
		if !p.world.Classes.Leaving(s) {
			continue
		}
		left, ok := known[s.UID]
		switch {
		case !ok:
			left = Leaving{s, p.world.Now}
		case left.Service.Provenance.Withdrawing != s.Provenance.Withdrawing, left.Service.Version > s.Version:
			left.Service = s // only now do all speakers know, or only now is its version known
		}
		*leaving = append(*leaving, left)
	}
	if len(*leaving) > 0 || len(p.world.Memory.Silent) > 0 {
		p.hearSpeakers(*leaving)
	}
}

// hearSpeakers finds out which speakers do not answer, and how far the others are.
func (p *pass) hearSpeakers(leaving []Leaving) {
	var overdue uint64
	for _, left := range leaving {
		if !p.world.Now.Before(left.Since.Add(WithdrawLimit)) {
			overdue = max(overdue, left.Service.Version)
		}
	}
	for _, w := range p.world.Withdrawals {
		before, silent := p.world.Memory.Silent[w.Node]
		if silent && before == w.Version || w.Version < overdue {
			if p.plan.Memory.Silent == nil {
				p.plan.Memory.Silent = map[string]uint64{}
			}
			p.plan.Memory.Silent[w.Node] = w.Version
			continue
		}
		p.withdrawn = min(p.withdrawn, w.Version)
	}
}

// waits reports whether a Service that Daymark serves no more waits for the speakers. It does, too, as long as not all of
// them know: one that another provider is to serve is marked first.
func (p *pass) waits(s *lb.Service) bool {
	i, found := slices.BinarySearchFunc(p.plan.Memory.Leaving, s.Key, func(left Leaving, key lb.Key) int { return left.Service.Key.Compare(key) })
	if !found {
		return false
	}
	left := &p.plan.Memory.Leaving[i]
	end := left.Since.Add(WithdrawLimit)
	unmarked := s.LoadBalancer && !s.Provenance.Withdrawing
	if !p.world.Now.Before(end) || left.Service.Version <= p.withdrawn && !unmarked {
		return false
	}
	p.decideAgain(end)
	return true
}

// shownBy returns the addresses that a Service which is not ours keeps from others: those in its status, and as long as it is
// leaving those that it was given. The API server empties the status of a Service that is no load balancer any more.
func (p *pass) shownBy(s *lb.Service) []netip.Addr {
	if !p.world.Classes.Leaving(s) {
		return s.Ingress
	}
	shown := slices.Clone(s.Ingress)
	for _, has := range s.Provenance.Allocations {
		if !slices.Contains(shown, has.Addr) {
			shown = append(shown, has.Addr)
		}
	}
	return shown
}
