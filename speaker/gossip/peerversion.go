package gossip

import (
	"slices"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/daymark-lb/daymark/internal/core/detector"
)

// peerVersion is what a speaker understands, and the number of our last message to it.
type peerVersion struct {
	versions versionRange
	sent     uint64
}

// headerTo returns the header of our next message to a speaker.
func (s *peerStore) headerTo(node string, k kind) header {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.record(node)
	if r.sent == 0 {
		// A record that was forgotten and made again must not use the same numbers once more.
		r.sent = uint64(time.Since(s.started)) //nolint:gosec // Positive.
	}
	r.sent++
	status, _ := s.detector.Peer(node)
	return header{
		version: r.spoken(), kind: k, node: s.own.node, incarnation: s.own.incarnation,
		to: node, toIncarnation: status.Incarnation, seq: r.sent, alone: s.detector.Alone(time.Now()),
	}
}

// spoken returns the version to speak to a speaker alone: the highest that it understands, whatever others do, because
// only from version 2 on can it tell what was recorded. One of which nothing is known gets the oldest.
func (p *peerVersion) spoken() version {
	if !p.versions.known() {
		return oldest
	}
	return max(oldest, min(newest, p.versions.max))
}

// addressesIn returns where those of some speakers gossip who understand a version.
func (s *peerStore) addressesIn(v version, nodes []string) []memberlist.Address {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addressesOf(slices.DeleteFunc(nodes, func(node string) bool {
		r := s.records[node]
		return r == nil || r.spoken() < v
	}))
}

// commonVersion returns the highest version that all speakers understand.
func (s *peerStore) commonVersion() version {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.latest().version
}

// exchangeVersion returns the version of an exchange with anybody: the common one, or of those who are away if none is
// there; the oldest if nobody is known.
func (s *peerStore) exchangeVersion() version {
	s.mu.Lock()
	defer s.mu.Unlock()
	if common, any := s.commonOf(detector.Status.Reachable); any {
		return common
	}
	if common, any := s.commonOf(func(detector.Status) bool { return true }); any {
		return common
	}
	return oldest
}

// commonOf returns the highest version that all speakers with a status understand, and whether there are any; those that
// understand none of ours do not count. The caller holds mu.
func (s *peerStore) commonOf(counts func(detector.Status) bool) (common version, any bool) {
	common = newest
	for node, r := range s.records {
		status, known := s.detector.Peer(node)
		if known && counts(status) && r.versions.known() && !r.versions.foreign() {
			common, any = min(common, r.versions.max), true
		}
	}
	return common, any
}

// foreign returns the speakers that are there and understand none of our versions. The caller holds mu.
func (s *peerStore) foreign() []string {
	var nodes []string
	for node, status := range s.detector.Peers() {
		if r := s.records[node]; r != nil && status.Reachable() && r.versions.foreign() {
			nodes = append(nodes, node+" ("+r.versions.String()+")")
		}
	}
	return nodes
}
