package gossip

import (
	"slices"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/daymark-lb/daymark/internal/core/detector"
)

// maxOldAnswers is how many answers in version 1, to pings in both, show that a speaker understands no other.
const maxOldAnswers = 20

// peerVersion is what a speaker understands, and the number of our last message to it.
type peerVersion struct {
	// versions are those that run spoken understands.
	versions versionRange
	ofRun    uint64
	// oldAnswers are in version 1, since nothing is known of its versions.
	oldAnswers int
	sent       uint64
}

// learn notes which versions a speaker understands, by what comes from it, and reports whether that is news. What memberlist knows of it
// comes by TCP, which a firewall may drop. A message that was recorded says the same as others of its run.
func (p *peerVersion) learn(from header) (news bool) {
	before := p.versions
	switch {
	case from.version == version1 || from.incarnation < p.ofRun:
	case from.speaks.known():
		p.versions, p.ofRun = from.speaks, from.incarnation
	case from.version > p.versions.max: // It is of an earlier build, which does not say what it understands.
		p.versions = versionRange{version1, from.version}
	}
	return p.versions != before
}

// noteOldAnswer notes an answer in version 1 of a speaker whose versions are not known. It was pinged in version 2 as well.
func (s *peerStore) noteOldAnswer(from header) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.record(from.node)
	if from.version != version1 || r.versions.known() {
		return
	}
	if r.oldAnswers++; r.oldAnswers >= maxOldAnswers {
		r.versions, r.ofRun = versionRange{version1, version1}, from.incarnation
		s.cached, s.changed = nil, true
	}
}

// greeting returns the header of a ping in version 2 to a speaker whose versions are not known; false: they are.
func (s *peerStore) greeting(node string) (header, bool) {
	s.mu.Lock()
	known := s.record(node).versions.known()
	s.mu.Unlock()
	if known {
		return header{}, false
	}
	h := s.headerTo(node, kindPing)
	h.version = version2
	return h, true
}

// headerTo returns the header of our next message to a speaker.
func (s *peerStore) headerTo(node string, k kind) header {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.record(node)
	status, _ := s.detector.Peer(node)
	return header{
		version: r.spoken(), kind: k, node: s.own.node, incarnation: s.own.incarnation,
		to: node, toIncarnation: status.Incarnation, seq: s.nextSeq(r), alone: s.detector.Alone(time.Now()),
		speaks: versionRange{oldest, newest}, opens: r.tell,
	}
}

// nextSeq is the number of our next message to a speaker. The caller holds mu.
func (s *peerStore) nextSeq(r *peerRecord) uint64 {
	if r.sent == 0 {
		// A record that was forgotten and made again must not use the same numbers once more.
		r.sent = uint64(time.Since(s.started)) //nolint:gosec // Positive.
	}
	r.sent++
	return r.sent
}

// spoken returns the version to speak to a speaker alone: the highest that it understands, whatever others do, because
// only from version 2 on can it tell what was recorded. One of which nothing is known gets the oldest, and is greeted in version 2.
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
