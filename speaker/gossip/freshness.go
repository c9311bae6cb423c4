package gossip

import (
	"time"

	"github.com/hashicorp/memberlist"
)

// freshness tells messages of a speaker that come for the first time from those that were recorded and are sent again.
type freshness struct {
	// received are the numbers of the messages from incarnation of.
	of       uint64
	received window
	// asked are the numbers of our pings that it has not answered yet.
	asked window
	// came is when the last message of it came, whether new or not.
	came time.Time
}

// verdict on a message.
type verdict int

const (
	// fresh: it was made for this run of ours, and comes for the first time. Only such a message is a sign of life.
	fresh verdict = iota
	// repeated: it was made for this run of ours, and may have been here before.
	repeated
	// unbound: whether it is new cannot be told, because its sender does not know this run of ours, or is not the latest that
	// we know of its node, or because version 1 does not say it.
	unbound
	// indirect: it is new, and has not come by datagram, so it is no sign that datagrams come.
	indirect
)

// judge says whether a message is new. Version 1 is believed of those who speak nothing else.
func (s *peerStore) judge(now time.Time, from header) verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.record(from.node).came = now
	if from.version == version1 {
		if s.record(from.node).versions.max == version1 {
			return fresh
		}
		return unbound
	}
	s.detector.Mentioned(now, from.node, from.incarnation)
	r := s.record(from.node)
	if r.learn(from) {
		s.cached, s.changed = nil, true
	}
	if from.incarnation > r.of {
		r.of, r.received = from.incarnation, window{}
	}
	switch {
	case from.to != s.own.node || from.toIncarnation != s.own.incarnation || from.incarnation < r.of:
		return unbound
	case r.received.add(from.seq):
		r.noteOpens(from)
		return fresh
	default:
		return repeated
	}
}

// overtaken reports whether a message that its sender made later has been judged: what it says of the sender is no longer so.
func (s *peerStore) overtaken(from header) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return from.seq < s.record(from.node).received.highest
}

// spokeTimeout is how long after a message of it came a speaker is no host on which none runs.
const spokeTimeout = 5 * time.Second

// spokeLately reports of a speaker whether anything of it has come lately. A message that was recorded counts: it makes us wait, no more.
func (s *peerStore) spokeLately(now time.Time) func(node string) bool {
	return func(node string) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		r := s.records[node]
		return r != nil && !r.came.IsZero() && now.Sub(r.came) < spokeTimeout
	}
}

// pinged notes that pings of a number are sent.
func (s *peerStore) pinged(number uint64, all []memberlist.Address) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, to := range all {
		s.record(to.Name).asked.add(number)
	}
}

// answered notes the pong to a ping, and reports whether it was asked for, and is the first. The numbers of our pings are
// those of no other run of ours, so a pong that was recorded answers none.
func (s *peerStore) answered(node string, number uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.record(node).asked.remove(number)
}
