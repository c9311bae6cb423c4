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
	// of is the incarnation that understands the versions.
	of   uint64
	sent uint64
}

func (p *peerVersion) setVersions(of uint64, versions versionRange) { p.of, p.versions = of, versions }

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
		version: s.versionFor(r, status.Incarnation), kind: k, node: s.own.node, incarnation: s.own.incarnation,
		to: node, toIncarnation: status.Incarnation, seq: r.sent,
	}
}

// versionFor returns the version to speak to an incarnation of a speaker: the one that all speak, but the oldest with one
// of which nothing is known. The caller holds mu.
func (s *peerStore) versionFor(r *peerRecord, incarnation uint64) version {
	if !r.versions.known() || r.of != incarnation {
		return oldest
	}
	return max(oldest, min(s.latest().version, r.versions.max))
}

// addressesIn returns where those of some speakers gossip who understand a version.
func (s *peerStore) addressesIn(v version, nodes []string) []memberlist.Address {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addressesOf(slices.DeleteFunc(nodes, func(node string) bool {
		status, _ := s.detector.Peer(node)
		r := s.records[node]
		return r == nil || s.versionFor(r, status.Incarnation) < v
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
