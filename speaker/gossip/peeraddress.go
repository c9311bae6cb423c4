package gossip

import (
	"net/netip"
	"time"

	"github.com/hashicorp/memberlist"
)

// peerAddress is where a speaker gossips.
type peerAddress struct {
	// advertised is what the speaker itself says; text is the same as memberlist has it.
	advertised netip.AddrPort
	text       string
	// expected is what the API server says.
	expected netip.AddrPort
}

// heard notes a sign of life that came by datagram from a speaker itself, which advertises an address; invalid: it does not.
// answer, recovered and before are those of Detector.Heard.
func (s *peerStore) heard(now time.Time, from header, at netip.AddrPort, answer bool) (recovered bool, before time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	recovered, before = s.detector.Heard(now, from.node, from.incarnation, answer)
	s.setAddress(from.node, from.incarnation, at)
	return recovered, before
}

// listing is what memberlist tells of a speaker.
type listing struct {
	incarnation uint64
	versions    versionRange
	at          netip.AddrPort
}

// setListed notes whether memberlist counts a speaker as alive.
func (s *peerStore) setListed(now time.Time, node string, listed listing, alive bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.detector.Listed(now, node, listed.incarnation, alive)
	s.cached = nil
	if alive {
		s.setAddress(node, listed.incarnation, listed.at)
		if r := s.record(node); listed.incarnation == 0 || listed.incarnation >= r.ofRun {
			r.versions, r.ofRun = listed.versions, listed.incarnation
		}
	}
}

// setAddress notes where the present incarnation of a speaker gossips. The caller holds mu.
func (s *peerStore) setAddress(node string, incarnation uint64, at netip.AddrPort) {
	at = netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
	status, known := s.detector.Peer(node)
	if !known || incarnation < status.Incarnation || !at.IsValid() {
		return
	}
	if r := s.record(node); r.advertised != at {
		r.advertised, r.text = at, at.String()
	}
}

// expect notes which speakers there should be, and where.
func (s *peerStore) expect(expected map[string]ExpectedPeer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	nodes := make(map[string]struct{}, len(expected))
	for node := range expected {
		nodes[node] = struct{}{}
	}
	s.detector.Expect(nodes)
	for _, r := range s.records {
		r.expected = netip.AddrPort{}
	}
	for node, peer := range expected {
		s.record(node).expected = peer.Address
	}
}

// addresses returns all addresses that speakers have told of themselves.
func (s *peerStore) addresses() map[netip.Addr]struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[netip.Addr]struct{}{}
	for _, r := range s.records {
		all[r.advertised.Addr()] = struct{}{}
		for _, link := range r.state.Links {
			for _, prefix := range link.Addresses {
				all[prefix.Addr()] = struct{}{}
			}
		}
	}
	return all
}

// addressOf returns where a speaker gossips; false: that is not known.
func (s *peerStore) addressOf(node string) (memberlist.Address, netip.AddrPort, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	to, known := s.address(node)
	if !known {
		return to, netip.AddrPort{}, false
	}
	at, err := netip.ParseAddrPort(to.Addr)
	return to, at, err == nil
}

// address is addressOf for a caller that holds mu. A speaker that is not alive may have moved to where it is expected.
func (s *peerStore) address(node string) (memberlist.Address, bool) {
	r := s.records[node]
	if r == nil {
		return memberlist.Address{}, false
	}
	text := r.text
	if status, known := s.detector.Peer(node); r.expected.IsValid() && (text == "" || known && !status.Alive) {
		text = r.expected.String()
	}
	return memberlist.Address{Addr: text, Name: node}, text != ""
}

// pingTargets returns the addresses to ping now; those of all reachable speakers when so asked.
func (s *peerStore) pingTargets(now time.Time, everybody bool) []memberlist.Address {
	s.mu.Lock()
	due := s.addressesOf(s.detector.TakePings(now))
	s.mu.Unlock()
	if everybody {
		return s.reachable()
	}
	return due
}

// unanswered is how many pings in a row a speaker has not answered.
func (s *peerStore) unanswered(node string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.detector.Unanswered(node)
}

// addressesOf returns where speakers gossip, as far as that is known. The caller holds mu.
func (s *peerStore) addressesOf(nodes []string) []memberlist.Address {
	var all []memberlist.Address
	for _, node := range nodes {
		if to, known := s.address(node); known {
			all = append(all, to)
		}
	}
	return all
}
