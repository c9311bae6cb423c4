package gossip

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/proxyhealth"
)

// State is what a speaker tells about itself. Nobody else writes it.
type State struct {
	// Known: it knows its peers, so it may hold addresses.
	Known bool
	// Leaving: it is about to end, and takes no more addresses.
	Leaving bool
	// Proxy is the state of its node's service proxy; speakers of an earlier version do not tell.
	Proxy proxyhealth.State
	// Links of its node that others need to know, without their Index.
	Links []lb.Link
	// Segments that it asks others on, and who does not answer there.
	Segments []election.SegmentEdges
	// Draining are addresses that its node attracts no packets for any more, and may have open connections to. DrainingTold: those
	// are all; a speaker of an earlier version does not tell.
	Draining     []netip.Addr
	DrainingTold bool
	// PassesOn: its node passes on what it does not know of open connections; one of an earlier version does not.
	PassesOn bool
	// PassesOnly is the family of which it does, if not of both; 0: of both, or of none.
	PassesOnly lb.Family
	// Lost are addresses of Services that kernels of nodes had until a moment ago: its own node's; of a monitor, all that it knows of.
	Lost []netip.Addr
	// Sessions is a digest of which BGP sessions of its node are established: routers spread traffic anew when it changes.
	Sessions uint64
}

const (
	// maxLinks and maxAddresses bound a state, the latter all links together; what is more is left out. A node has a few
	// links of its own and one or two for each of its pods.
	maxLinks, maxAddresses = 4096, 16384
	// maxDraining bounds the addresses of Draining; with more, DrainingTold is false.
	maxDraining = 2048
	// maxLost bounds the addresses of Lost; the others are left out.
	maxLost = 256
	// maxState is the most bytes of an encoded state.
	maxState = 1 << 20
)

// news is how new a state is to us.
type news int

const (
	noNews news = iota
	someNews
	// urgentNews: routers may turn to other nodes within milliseconds.
	urgentNews
)

// turnsTraffic reports whether a state says, as the one before it did not, that traffic turns to other nodes, or may: the node does not attract the
// packets of an address any more, or other sessions of BGP are used. The others have RouteDelay to pass on what they do not know.
func (s *State) turnsTraffic(before *State) bool {
	if s.Sessions != before.Sessions {
		return true
	}
	had := make(map[netip.Addr]bool, len(before.Draining))
	for _, addr := range before.Draining {
		had[addr] = true
	}
	return slices.ContainsFunc(s.Draining, func(addr netip.Addr) bool { return !had[addr] })
}

// stateRecord is an encoded state of a node, and its number.
type stateRecord struct {
	node             string
	incarnation, seq uint64
	// version in which body is encoded.
	version version
	body    []byte
}

// newerThan compares two states of one node: the later incarnation counts, then the higher number, then the version that may
// say more.
func (s stateRecord) newerThan(other stateRecord) bool {
	if s.incarnation != other.incarnation {
		return s.incarnation > other.incarnation
	}
	return s.seq > other.seq || s.seq == other.seq && s.version > other.version
}

// append writes the record as the body of a message, whose header has the node and incarnation.
func (s stateRecord) append(b []byte, v version) []byte {
	if v == version1 {
		return append(binary.AppendUvarint(b, s.seq), s.bodyIn(version1)...)
	}
	return stateRecord{seq: s.seq, version: s.version, body: s.body}.append2(b)
}

// stateRecord is what a message with a header says.
func (r *reader) stateRecord(from header) stateRecord {
	var s stateRecord
	if r.version == version1 {
		s = stateRecord{seq: r.number(), version: version1}
		s.body = r.stateBody(len(r.rest))
	} else {
		s = r.stateRecord2()
	}
	s.node, s.incarnation = from.node, from.incarnation
	return s
}

// stateBody copies the next n bytes, a state that is decoded only if it is new.
func (r *reader) stateBody(n int) []byte {
	if n > maxState {
		r.fail()
	}
	return slices.Clone(r.bytes(n))
}

// bodyIn returns the body as a version has it. What another version does not know is lost.
func (s stateRecord) bodyIn(v version) []byte {
	if v == s.version {
		return s.body
	}
	state, _ := s.decode()
	return state.encode(v)
}

// decode reads the body.
func (s stateRecord) decode() (State, bool) {
	r := &reader{rest: s.body, version: s.version}
	state := r.state()
	return state, r.ok()
}

// encode returns a state as it travels in a version.
func (s State) encode(v version) []byte {
	if v == version1 {
		return s.append1(nil)
	}
	return s.append2(nil)
}

func (r *reader) state() State {
	read := r.state2
	if r.version == version1 {
		read = r.state1
	}
	s := read()
	addresses := 0
	for _, link := range s.Links {
		addresses += len(link.Addresses) + len(link.Routes) + len(link.Local)
	}
	if len(s.Links) > maxLinks || addresses > maxAddresses || len(s.Segments) > maxSegments || len(s.Draining) > maxDraining || len(s.Lost) > maxLost {
		r.fail()
	}
	if r.failed {
		return State{}
	}
	return s
}

// boundedLinks returns links as they travel: no more than may be, and without addresses that are none.
func boundedLinks(links []lb.Link) []lb.Link {
	bounded, addresses := slices.Clone(links[:min(len(links), maxLinks)]), maxAddresses
	for i := range bounded {
		own := slices.DeleteFunc(slices.Clone(bounded[i].Addresses), func(p netip.Prefix) bool { return !p.IsValid() })
		bounded[i].Addresses = own[:min(len(own), addresses)]
		addresses -= len(bounded[i].Addresses)
		bounded[i].Routes = bounded[i].Routes[:min(len(bounded[i].Routes), addresses)]
		addresses -= len(bounded[i].Routes)
		bounded[i].Local = bounded[i].Local[:min(len(bounded[i].Local), addresses)]
		addresses -= len(bounded[i].Local)
	}
	return bounded
}
