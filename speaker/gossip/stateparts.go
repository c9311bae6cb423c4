package gossip

import (
	"bytes"
	"time"

	"github.com/hashicorp/memberlist"
)

// A speaker says in its pings and pongs which of the receiver's states it has. One that has not the latest gets it again, by datagrams, of
// which a large state takes several: TCP has been tried by then, and a firewall may drop it.

const (
	// stateGrace is how long another speaker may not have our latest state: it is on its way.
	stateGrace = 400 * time.Millisecond
	// partLen is how many bytes of a state are in a datagram: with the longest names there is room for them.
	partLen = 512
	// maxParts is how many parts a state has at most, and maxAssembled how many bytes of parts are kept.
	maxParts     = maxState/partLen + 1
	maxAssembled = 8 << 20
	// partOverhead is the memory of a part that has not come.
	partOverhead = 24
)

// statePart is a part of an encoded state of its sender.
type statePart struct {
	// state has a number and a version, and of the body this part.
	state        stateRecord
	index, count uint64
}

func (p statePart) append(b []byte, _ version) []byte {
	b = appendNumberField(appendNumberField(b, 1, p.state.seq), 2, uint64(p.state.version))
	b = appendNumberField(appendNumberField(b, 3, p.index), 4, p.count)
	return appendField(b, 5, p.state.body)
}

func (r *reader) statePart() statePart {
	var p statePart
	r.fields(func(tag uint64, value *reader) bool {
		switch tag {
		case 1:
			p.state.seq = value.number()
		case 2:
			p.state.version = version(value.number()) //nolint:gosec // One that does not fit is none that is decoded.
		case 3:
			p.index = value.number()
		case 4:
			p.count = value.number()
		case 5:
			p.state.body = bytes.Clone(value.take())
		default:
			return false
		}
		return true
	})
	if p.index >= p.count || p.count > maxParts || len(p.state.body) > partLen {
		r.fail()
	}
	return p
}

// partsOf divides a state.
func partsOf(state stateRecord) []statePart {
	count := (len(state.body) + partLen - 1) / partLen
	parts := make([]statePart, 0, count)
	for i := range count {
		part := state
		part.body = state.body[i*partLen : min((i+1)*partLen, len(state.body))]
		parts = append(parts, statePart{part, uint64(i), uint64(count)})
	}
	return parts
}

// assembly is what has come of states in parts. It is for one goroutine at a time.
type assembly struct {
	states map[string]*assembled
	size   int
}

// assembled is what has come of a state of a node.
type assembled struct {
	of    stateRecord
	parts [][]byte
	left  int
}

// add takes a part, and returns the state when that was the last of its parts. Parts of a later state replace those of an earlier one.
func (a *assembly) add(p statePart) (stateRecord, bool) {
	known := a.states[p.state.node]
	same := known != nil && !known.of.newerThan(p.state) && !p.state.newerThan(known.of) && uint64(len(known.parts)) == p.count
	switch {
	case known != nil && known.of.newerThan(p.state):
		return stateRecord{}, false
	case !same:
		a.drop(p.state.node)
		if a.size > maxAssembled {
			a.states, a.size = nil, 0
		}
		if a.states == nil {
			a.states = map[string]*assembled{}
		}
		of := p.state
		of.body = nil
		known = &assembled{of: of, parts: make([][]byte, p.count), left: int(p.count)} //nolint:gosec // Few.
		a.states[p.state.node] = known
		a.size += partOverhead * len(known.parts)
	}
	if known.parts[p.index] == nil {
		known.parts[p.index], known.left = p.state.body, known.left-1
		a.size += len(p.state.body)
	}
	if known.left > 0 {
		return stateRecord{}, false
	}
	whole := known.of
	whole.body = bytes.Join(known.parts, nil)
	a.drop(p.state.node)
	return whole, true
}

// drop forgets the parts of a node's state.
func (a *assembly) drop(node string) {
	known := a.states[node]
	if known == nil {
		return
	}
	a.size -= partOverhead * len(known.parts)
	for _, part := range known.parts {
		a.size -= len(part)
	}
	delete(a.states, node)
}

// receiveStatePart takes a part of what a speaker tells about itself.
func (m *Membership) receiveStatePart(now time.Time, from header, body *reader) bool {
	part := body.statePart()
	if !body.ok() {
		return false
	}
	part.state.node, part.state.incarnation = from.node, from.incarnation
	whole, complete := m.peers.assemble(part)
	return !complete || m.mergeState(now, whole)
}

// assemble takes a part of a state that is not known yet.
func (s *peerStore) assemble(part statePart) (whole stateRecord, complete bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.detector.Peer(part.state.node); !known {
		return whole, false
	}
	if r := s.record(part.state.node); r.stateKnown && !part.state.newerThan(r.stateRecord) {
		return whole, false
	}
	return s.assembly.add(part)
}

// hasOf is what to tell a speaker of which of its states we have: a number above those of all before, and at least 1.
func (s *peerStore) hasOf(node string) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.records[node]
	status, known := s.detector.Peer(node)
	switch {
	case r == nil || !known || !r.stateKnown || r.incarnation != status.Incarnation:
		return 1
	case r.version < stateVersion:
		return max(1, r.seq) // Less than all of it.
	default:
		return r.seq + 1
	}
}

// lacksState notes which of our states a speaker has, 0: it does not say, and reports whether it must get the latest again.
func (s *peerStore) lacksState(now time.Time, node string, has uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.record(node)
	switch {
	case has == 0 || !s.own.stateKnown || has > s.own.seq:
		r.lacksSince = time.Time{}
	case r.lacksSince.IsZero():
		r.lacksSince = now
	case now.Sub(r.lacksSince) >= stateGrace:
		r.lacksSince = now
		return true
	}
	return false
}

// noteStateOf has our state sent to a speaker once more that does not have it.
func (m *Membership) noteStateOf(now time.Time, from header, has uint64) {
	if from.toIncarnation != m.Incarnation() || !m.peers.lacksState(now, from.node, has) {
		return // What it knows may be of an earlier run.
	}
	to, _, known := m.peers.addressOf(from.node)
	if own, ok := m.peers.ownState(); known && ok {
		m.sendStateByDatagram(to, own)
	}
}

// sendStateByDatagram sends our state to a speaker, in as many datagrams as it takes.
func (m *Membership) sendStateByDatagram(to memberlist.Address, own stateRecord) {
	if !m.isLarge(own) {
		m.post(kindState, own, to)
		return
	}
	for _, part := range partsOf(own) {
		m.post(kindStatePart, part, to)
	}
}
