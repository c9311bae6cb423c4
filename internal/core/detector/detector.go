package detector

import (
	"cmp"
	"iter"
	"slices"
	"time"

	"github.com/daymark-lb/daymark/internal/core/rendezvous"
)

const (
	// maxPeers bounds how many peers are remembered.
	maxPeers = 10_000
	// forgetTimeout is how long a peer that is neither alive nor expected is remembered.
	forgetTimeout = 10 * time.Minute
)

// Detector decides which peers are alive.
//
// A peer is alive when it has not left, is not deaf, and either it was heard within the detection time, or memberlist lists it as alive
// and it is not silent. Each peer has observers, which ping it when they have not heard it for an interval. The first one
// that has no answer within the retry interval asks the others to ping as well, and all do so several times in a row. An
// observer that has no answer to any of those suspects the peer and tells everybody; an observer that hears it votes against
// that. The peer is silent when more than half of its observers that have a vote suspect it. An observer has no vote when it is itself silent to us, and, once the
// detection time has passed since the first suspicion, when it has said nothing about the peer. So each side of a partition
// comes to its verdict without the other, and one broken link between two speakers that others hear changes nothing.
//
// In a large cluster a partition may leave a peer without any observer on one side. There memberlist detects it.
//
// A process that does not get to run hears nothing either: only pings without an answer count as silence, and time that passes
// without ticks does not.
//
// A Detector is not safe for concurrent use.
type Detector struct {
	self   member
	timing Timing
	// tickInterval is the time between ticks; detectionTime is how long a peer may be silent, 0: there are no heartbeats.
	tickInterval, detectionTime time.Duration
	lastTick                    time.Time
	peers                       map[string]*peer
	// order is the same peers, sorted by name.
	order []*peer
	// expected are those that are never forgotten.
	expected map[string]struct{}
	// candidates may be observers, sorted by name, this speaker included; outdated: they may have changed.
	candidates         []member
	candidatesOutdated bool
	// outbox are our own votes that are not sent yet, missed what the other observers are not told yet.
	outbox []Vote
	missed []Missed
	// countAbsent is how many peers were absent at the last pings.
	countAbsent int
	changed     bool
	counters    Counters
}

// peer is what is known of another speaker.
type peer struct {
	member
	// incarnation is the latest known, and all else is about that one; 0: not known.
	incarnation uint64
	// listed: memberlist counts it as alive. This alone outlasts an incarnation.
	listed bool
	left   bool
	// answered: it has answered a ping since we have observed it.
	answered  bool
	lastHeard time.Time
	// met is when its first sign of life came.
	met time.Time
	// lastPing is when it was last pinged, unanswered how many pings there were since it was last heard; asked: another
	// observer has missed an answer.
	lastPing   time.Time
	unanswered int
	asked      bool
	// unreplied is how many pings there were since it last answered one, and returns how often it came back by one message. oneWay:
	// we hear it and it does not hear us, so it pings us as seldom as an absent peer.
	unreplied, returns int
	oneWay             bool
	// alone: it has said that it hears nobody.
	alone bool
	// alarms are the false alarms that are remembered; alarmsChanged is when their number last changed.
	alarms        int
	alarmsChanged time.Time
	// suspected is our own vote; timesSent counts how often it was sent again, lastSent is when it was last sent.
	suspected bool
	timesSent int
	lastSent  time.Time
	// votes of its other observers; suspectedSince is when the first suspicion came, by whomever, that still stands.
	votes          map[string]receivedVote
	suspectedSince time.Time
	// observed: we are one of its observers, as of the present candidates; observedKnown: observed has been computed.
	observed, observedKnown bool
	// silent and alive are the verdicts; diedSilent: its last death was by silence, which memberlist has not confirmed;
	// wasAlive: it has been alive.
	silent, alive, diedSilent, wasAlive bool
	// doubtful: it is alive, and an observer suspects it or is about to.
	doubtful bool
	// unheardSince is since when nothing of it has come by datagram while it was listed and observed; zero: it is not.
	// unheard: that is long.
	unheardSince time.Time
	unheard      bool
	// lastAlive is when it was last alive; heardBeforeDeath is lastHeard at its last death.
	lastAlive, heardBeforeDeath time.Time
	// returned is when it last came back to life; zero: it has not.
	returned time.Time
}

// Status is what the Detector says of a peer.
type Status struct {
	// Incarnation is the latest known; 0: not known.
	Incarnation uint64
	// Alive is the verdict.
	Alive bool
	// Listed: memberlist counts it as alive.
	Listed bool
	// Left: it has said that it leaves. Expected: there should be such a peer.
	Left, Expected bool
	// Observed: this speaker has a vote about it. Suspected: and votes that it is silent.
	Observed, Suspected bool
	// Doubtful: it is alive, and an observer suspects it or is about to.
	Doubtful bool
	// Unheard: memberlist lists it, and nothing of it has come by datagram for some time.
	Unheard bool
	// Deaf: it is heard and says that it hears nobody, and so it is not alive.
	Deaf bool
	// LastHeard is when its last sign of life came. Watched: this speaker pings it and was answered, so that is no accident.
	LastHeard time.Time
	Watched   bool
	// Unanswered is how many pings it was sent since it was last heard.
	Unanswered int
}

// Reachable reports whether messages are worth sending: the peer has not left, and is alive or may be.
func (s Status) Reachable() bool { return !s.Left && (s.Alive || s.Listed) }

// Counters are totals since the start.
type Counters struct {
	// Returned counts returns to life of the same incarnation.
	Returned uint64
	// FalseAlarms counts those returns that came so soon that the detection time was too short. A peer that was away for
	// longer has really been away.
	FalseAlarms uint64
	// MissedHeartbeats counts the pings that an observed peer did not answer in time.
	MissedHeartbeats uint64
}

// New returns a Detector that knows no peers.
func New(self string, timing Timing) *Detector {
	return &Detector{
		self: newMember(self), timing: timing, tickInterval: timing.TickInterval(), detectionTime: timing.DetectionTime(),
		peers: map[string]*peer{}, candidatesOutdated: true,
	}
}

// Peer returns the status of a peer; false: it is not known.
func (d *Detector) Peer(name string) (Status, bool) {
	p := d.peers[name]
	if p == nil {
		return Status{}, false
	}
	return d.status(p), true
}

// Peers yields all known peers, in order of name. The Detector must not be changed meanwhile.
func (d *Detector) Peers() iter.Seq2[string, Status] {
	return func(yield func(string, Status) bool) {
		for _, p := range d.order {
			if !yield(p.name, d.status(p)) {
				return
			}
		}
	}
}

func (d *Detector) status(p *peer) Status {
	_, expected := d.expected[p.name]
	return Status{
		Expected:    expected,
		Incarnation: p.incarnation, Alive: p.alive, Listed: p.listed, Left: p.left,
		Observed: d.canVote(p), Suspected: p.suspected, Doubtful: p.doubtful, Unheard: p.unheard, Deaf: d.deaf(p) && !p.alive, LastHeard: p.lastHeard,
		Watched: p.answered && d.observes(p), Unanswered: p.unanswered,
	}
}

// Counters returns the totals.
func (d *Detector) Counters() Counters { return d.counters }

// TakeChanged reports whether who is alive or doubtful, an incarnation or Counters.Returned may have changed since the last call.
func (d *Detector) TakeChanged() bool {
	changed := d.changed
	d.changed = false
	return changed
}

// TakeVotes returns the votes that must be sent to all peers now.
func (d *Detector) TakeVotes() []Vote {
	votes := d.outbox
	d.outbox = nil
	return votes
}

// find returns a peer, and makes it known first if need be; nil: there are too many, or it is ourselves.
func (d *Detector) find(name string) *peer {
	p := d.peers[name]
	if p == nil && name != d.self.name && len(d.peers) < maxPeers {
		p = &peer{member: newMember(name)}
		d.peers[name] = p
		d.order = slices.Insert(d.order, d.position(name), p)
	}
	return p
}

// position is where a name is in order, or belongs.
func (d *Detector) position(name string) int {
	at, _ := slices.BinarySearchFunc(d.order, name, func(p *peer, name string) int { return cmp.Compare(p.name, name) })
	return at
}

// findIncarnation returns a peer of which an incarnation was mentioned. A later incarnation replaces the known one; for an
// earlier one it returns nil.
func (d *Detector) findIncarnation(name string, incarnation uint64) *peer {
	p := d.find(name)
	if p == nil || incarnation < p.incarnation {
		return nil
	}
	if incarnation > p.incarnation {
		d.restart(p, incarnation)
	}
	return p
}

// restart forgets all that was known of the peer's incarnation before.
func (d *Detector) restart(p *peer, incarnation uint64) {
	*p = peer{
		member: p.member, incarnation: incarnation, listed: p.listed, alive: p.alive, lastAlive: p.lastAlive,
	}
	d.changed, d.candidatesOutdated = true, true
}

// newMember returns the member of a name.
func newMember(name string) member { return member{name, rendezvous.Hash(name)} }
