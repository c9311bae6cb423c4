package gossip

import (
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/daymark-lb/daymark/internal/core/detector"
)

// peerStore is all that is known of the speakers: who is alive, as the detector says, what they have told about themselves,
// and where they are. Its methods may be called by several goroutines, and with memberlist's lock held: they call nobody.
type peerStore struct {
	mu       sync.Mutex
	detector *detector.Detector
	records  map[string]*peerRecord
	// own is what we tell about ourselves.
	own peerRecord
	// started is the zero of the time that numbers of messages begin with.
	started time.Time
	// connected is when an attempt to connect to anybody last succeeded.
	connected time.Time
	// claimsKnown: what others claimed when they were first heard has come, in this run or since none of them was alive.
	claimsKnown bool
	// claimsForgotten is since when nobody was alive at the last time; zero: that has not been.
	claimsForgotten time.Time
	// assembly has the states that come in parts.
	assembly assembly
	// cached is the snapshot of what is known now; nil: it must be made again.
	cached *snapshot
	// changed: a snapshot has changed since takeOutcome.
	changed bool
}

// peerRecord is what a speaker has told about itself.
type peerRecord struct {
	stateRecord
	state State
	// stateKnown: state has been received.
	stateKnown bool
	peerAddress
	peerVersion
	freshness
	shortForm
	difference
	peerConnection
	// lacksSince is since when it has not had our latest state, or when it was last sent for that; zero: it has it.
	lacksSince time.Time
}

// snapshot is the part of View that is shared by all callers until something changes. It must not be changed.
type snapshot struct {
	alive    []string
	suspects []string
	peers    map[string]Peer
	silent   map[string]Peer
	returned uint64
	// version is the highest that all speakers understand; foreign are those that understand none of ours.
	version version
	foreign []string
	// unheard are those of which nothing comes by datagram, though memberlist reaches them.
	unheard []memberlist.Address
	// deaf are those that are heard and hear nobody.
	deaf []string
	// unconnected are those that are alive and that connections do not get through to.
	unconnected []unconnectedPeer
	// cannotConnect: there are several of those, and since then no attempt to connect to anybody has succeeded.
	cannotConnect bool
}

func newPeerStore(self string, incarnation uint64, timing Timing) *peerStore {
	return &peerStore{
		detector: detector.New(self, timing.detection()), records: map[string]*peerRecord{},
		own: peerRecord{stateRecord: stateRecord{node: self, incarnation: incarnation, version: stateVersion}}, started: time.Now(),
	}
}

// withDetector calls f with the detector.
func (s *peerStore) withDetector(f func(*detector.Detector)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s.detector)
}

// outcome is what follows from the detector's verdicts.
type outcome struct {
	// changed: the snapshot has changed since the last outcome.
	changed bool
	// votes are to be sent to everybody, missed to other observers.
	votes  []detector.Vote
	missed []detector.Missed
	// next is when the next tick is due.
	next time.Time
}

// takeOutcome returns what has come about since the last call.
func (s *peerStore) takeOutcome(now time.Time) outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noteChanges()
	out := outcome{s.changed, s.detector.TakeVotes(), s.detector.TakeMissed(), s.detector.NextDeadline(now)}
	s.changed = false
	return out
}

// noteChanges drops the cached snapshot when the detector has come to another verdict. The caller holds mu.
func (s *peerStore) noteChanges() {
	if s.detector.TakeChanged() {
		s.cached, s.changed = nil, true
		s.forgetClaims()
		for node, r := range s.records {
			if r.failingSince.IsZero() {
				continue
			}
			status, _ := s.detector.Peer(node)
			r.forgetOtherRuns(status)
		}
	}
}

// snapshot returns what is known now.
func (s *peerStore) snapshot() *snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.latest()
}

// latest is snapshot for a caller that holds mu.
func (s *peerStore) latest() *snapshot {
	s.noteChanges()
	if s.cached == nil {
		s.cached = s.newSnapshot()
	}
	return s.cached
}

// longestName returns the length of the longest name of a speaker that is known.
func (s *peerStore) longestName() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	longest := 0
	for node := range s.records {
		longest = max(longest, len(node))
	}
	return longest
}

// newSnapshot makes a snapshot. The caller holds mu.
func (s *peerStore) newSnapshot() *snapshot {
	now := &snapshot{
		alive: []string{s.own.node}, returned: s.detector.Counters().Returned,
		silent: map[string]Peer{}, peers: map[string]Peer{s.own.node: {
			Incarnation: s.own.incarnation, State: s.own.state, StateKnown: s.own.stateKnown, Version: int(newest),
		}},
	}
	now.version, _ = s.commonOf(detector.Status.Reachable)
	for node, status := range s.detector.Peers() {
		if to, known := s.address(node); status.Unheard && known {
			now.unheard = append(now.unheard, to)
		}
		if status.Deaf {
			now.deaf = append(now.deaf, node)
		}
		if !status.Alive {
			s.noteSilent(now, node, status)
			continue
		}
		now.alive = append(now.alive, node)
		if status.Doubtful {
			now.suspects = append(now.suspects, node)
		}
		now.peers[node] = s.peer(now.version, node, status)
	}
	slices.Sort(now.alive)
	now.foreign = s.foreign()
	s.noteUnconnected(now)
	return now
}

// noteSilent adds a speaker that is not alive to a snapshot, unless it has said that it leaves. The caller holds mu.
func (s *peerStore) noteSilent(now *snapshot, node string, status detector.Status) {
	r := s.records[node]
	if r != nil && r.stateKnown && r.incarnation == status.Incarnation && !status.Left && !r.state.Leaving {
		silent := s.peer(now.version, node, status)
		if status.Watched {
			silent.LastHeard = status.LastHeard
		}
		now.silent[node] = silent
	}
}

// peer is what is known of a speaker that the detector knows, given the highest version that all understand. The caller holds mu.
func (s *peerStore) peer(common version, node string, status detector.Status) Peer {
	peer := Peer{Incarnation: status.Incarnation}
	r := s.records[node]
	if r == nil {
		return peer
	}
	peer.Version = int(r.versions.max)
	if r.stateKnown && r.incarnation == status.Incarnation {
		peer.State, peer.StateKnown = r.state, true
		peer.Partial = r.version < stateVersion && common >= stateVersion
	}
	return peer
}

// record returns the record of a speaker, and makes one if the detector knows the speaker. The caller holds mu.
func (s *peerStore) record(node string) *peerRecord {
	r := s.records[node]
	if r == nil {
		r = &peerRecord{}
		if _, known := s.detector.Peer(node); known {
			s.records[node] = r
		}
	}
	return r
}

// mergeState takes in what a speaker has told about itself, be it from itself or passed on, and returns how new that is. ok is false when it
// cannot be decoded.
func (s *peerStore) mergeState(now time.Time, received stateRecord) (is news, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.detector.Mentioned(now, received.node, received.incarnation)
	status, known := s.detector.Peer(received.node)
	if !known || status.Incarnation != received.incarnation {
		return noNews, true
	}
	r := s.record(received.node)
	if r.stateKnown && !received.newerThan(r.stateRecord) {
		return noNews, true
	}
	state, ok := received.decode()
	if !ok {
		return noNews, false
	}
	is = someNews
	if r.stateKnown && r.incarnation == received.incarnation && state.turnsTraffic(&r.state) {
		is = urgentNews
	}
	r.stateRecord, r.state, r.stateKnown = received, state, true
	s.cached = nil
	return is, true
}

// setOwnState notes what we tell about ourselves, and reports whether that is anything new.
func (s *peerStore) setOwnState(state State) bool {
	body := state.encode(stateVersion)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.own.stateKnown && slices.Equal(s.own.body, body) {
		return false
	}
	s.own.state, s.own.body, s.own.stateKnown = state, body, true
	s.own.seq++
	s.cached = nil
	return true
}

// ownState returns what we tell about ourselves now; false: nothing yet.
func (s *peerStore) ownState() (stateRecord, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.own.stateRecord, s.own.stateKnown
}

// incarnation returns our own.
func (s *peerStore) incarnation() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.own.incarnation
}

// refute makes our incarnation later than one of this node that others know, and reports whether it had to: a clock that
// was set back must not make this process an earlier one than its predecessor.
func (s *peerStore) refute(incarnation uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if incarnation <= s.own.incarnation || incarnation >= maxIncarnation-1 {
		return false
	}
	s.own.incarnation = incarnation + 1
	s.cached = nil
	return true
}

// states returns the states of ourselves and of all reachable speakers, for a push/pull exchange, and of those that are silent
// and should be there: whoever starts now must be able to ask them on the segment.
func (s *peerStore) states() []stateRecord {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []stateRecord
	if s.own.stateKnown {
		all = append(all, s.own.stateRecord)
	}
	for node, r := range s.records {
		if status, known := s.detector.Peer(node); !known {
			delete(s.records, node)
		} else if r.stateKnown && r.incarnation == status.Incarnation && (status.Reachable() || status.Expected && !status.Left) {
			all = append(all, r.stateRecord)
		}
	}
	return all
}

// listed returns the speakers that memberlist counts as alive, in order of name, this one included.
func (s *peerStore) listed() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	nodes := []string{s.own.node}
	for node, status := range s.detector.Peers() {
		if status.Listed {
			nodes = append(nodes, node)
		}
	}
	slices.Sort(nodes)
	return nodes
}

// heardUnlisted returns the speakers that are heard though memberlist does not count them as alive, and where they are.
func (s *peerStore) heardUnlisted() map[string]ExpectedPeer {
	s.mu.Lock()
	defer s.mu.Unlock()
	heard := map[string]ExpectedPeer{}
	for node, status := range s.detector.Peers() {
		if status.Alive && !status.Listed {
			heard[node] = ExpectedPeer{Address: s.record(node).advertised}
		}
	}
	return heard
}

// alive returns how many speakers are alive, this one included.
func (s *peerStore) alive() int { return len(s.snapshot().alive) }

// counters returns the totals of the detector.
func (s *peerStore) counters() detector.Counters {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.detector.Counters()
}

// reachable returns the addresses of all speakers to which messages are worth sending.
func (s *peerStore) reachable() []memberlist.Address {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]memberlist.Address, 0, len(s.records))
	for node, r := range s.records {
		if status, known := s.detector.Peer(node); known && status.Reachable() && r.text != "" {
			all = append(all, memberlist.Address{Addr: r.text, Name: node})
		}
	}
	return all
}
