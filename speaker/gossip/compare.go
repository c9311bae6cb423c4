package gossip

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/daymark-lb/daymark/internal/core/rendezvous"
)

// What neither datagrams nor gossip have brought comes by an exchange with some other speaker at intervals, as memberlist makes them. One
// costs as much as there are speakers and claims, and at rest it tells nothing. So it is asked first whether both know the same. The
// question goes by TCP, so that a firewall that drops it is noticed as soon as it was. A speaker of an earlier build does not answer.
const (
	// sureEach: one exchange in so many is made without a question, for what summaries do not show.
	sureEach = 20
	// answerTimeout is how long an answer is waited for.
	answerTimeout = time.Second
	// scaledAbove is the number of speakers above which exchanges are made less often, as memberlist does it.
	scaledAbove = 32
)

// summary asks whether the receiver knows the same, or answers.
type summary struct {
	number uint64
	// sum is that of all that the sender knows.
	sum uint64
	// answer: it answers the question of the same number.
	answer bool
}

func (s summary) append(b []byte, _ version) []byte {
	return appendFlagField(appendNumberField(appendNumberField(b, 1, s.number), 2, s.sum), 3, s.answer)
}

func (r *reader) summary() summary {
	var s summary
	r.fields(func(tag uint64, value *reader) bool {
		switch tag {
		case 1:
			s.number = value.number()
		case 2:
			s.sum = value.number()
		case 3:
			s.answer = value.flag()
		default:
			return false
		}
		return true
	})
	return s
}

// exchangeByTurns compares what we know with what some other speaker knows, and exchanges all if that differs, until ctx ends.
func (m *Membership) exchangeByTurns(ctx context.Context) {
	interval := m.cfg.Timing.PushPullInterval
	if interval <= 0 {
		return
	}
	wait := rand.N(interval) //nolint:gosec // Nobody gains by guessing it.
	for turn := 0; ; turn++ {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = exchangeInterval(interval, len(m.peers.listed()))
		to, at, found := m.peers.somebody()
		if !found || turn%sureEach != 0 && m.knowsTheSame(ctx, to) || ctx.Err() != nil {
			continue
		}
		if _, err := m.list.Load().Join([]string{at.String()}); err != nil {
			m.cfg.Log.Debug("exchange what is known", "with", to.String(), "error", err)
		}
	}
}

// exchangeInterval is the time between two turns with so many speakers.
func exchangeInterval(interval time.Duration, speakers int) time.Duration {
	times := 1
	for ; speakers > scaledAbove; speakers = (speakers + 1) / 2 {
		times++
	}
	return interval * time.Duration(times)
}

// knowsTheSame asks another speaker whether it knows the same. One that cannot be reached need not be asked for all.
func (m *Membership) knowsTheSame(ctx context.Context, to memberlist.Address) bool {
	select {
	case <-m.summaries: // An answer that came too late.
	default:
	}
	if len(m.peers.addressesIn(version2, []string{to.Name})) == 0 {
		return false
	}
	asked := summary{number: m.summaryNumber.Add(1), sum: m.sum()}
	if !m.sendReliably(to, kindSummary, asked) {
		return true
	}
	timeout := time.After(answerTimeout)
	for {
		select {
		case got := <-m.summaries:
			if got.number == asked.number {
				return got.sum == asked.sum
			}
		case <-timeout:
			return false
		case <-ctx.Done():
			return true
		}
	}
}

// receiveSummary answers a question, or takes an answer.
func (m *Membership) receiveSummary(from header, body *reader, is verdict) bool {
	s := body.summary()
	if !body.ok() {
		return false
	}
	if is != fresh && is != indirect {
		return true
	}
	if s.answer {
		select {
		case m.summaries <- s:
		default:
		}
		return true
	}
	if to, _, known := m.peers.addressOf(from.node); known && !m.leaving.Load() {
		m.post(kindSummary, summary{s.number, m.sum(), true}, to)
	}
	return true
}

// sum is that of all claims, and of who is there, where, and with which state.
func (m *Membership) sum() uint64 { return m.peers.sum(m.at) ^ rendezvous.Mix(m.claims.digest.Load()) }

// sum is that of the speakers that memberlist counts as alive, given where this one is.
func (s *peerStore) sum(at netip.AddrPort) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := sumOf(s.own.node, at.String(), s.own.incarnation, &s.own)
	for node, status := range s.detector.Peers() {
		if r := s.records[node]; r != nil && status.Listed {
			sum += sumOf(node, r.text, status.Incarnation, r)
		}
	}
	return sum
}

func sumOf(node, at string, incarnation uint64, r *peerRecord) uint64 {
	text := binary.BigEndian.AppendUint64(appendText(appendText(nil, node), at), incarnation)
	if r.stateKnown && r.incarnation == incarnation {
		text = append(binary.BigEndian.AppendUint64(text, r.seq), byte(r.version))
	}
	return rendezvous.Hash(text)
}

// somebody returns one of the speakers that memberlist counts as alive; false: there is none.
func (s *peerStore) somebody() (to memberlist.Address, at netip.AddrPort, found bool) {
	s.mu.Lock()
	var nodes []string
	for node, status := range s.detector.Peers() {
		if status.Listed {
			nodes = append(nodes, node)
		}
	}
	s.mu.Unlock()
	if len(nodes) == 0 {
		return to, at, false
	}
	return s.addressOf(nodes[rand.N(len(nodes))]) //nolint:gosec // As above.
}
