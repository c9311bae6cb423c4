package gossip

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// join reaches for those that are expected and not alive, at every Set and every second, until ctx ends.
func (m *Membership) join(ctx context.Context) {
	ticker := time.NewTicker(joinEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.set:
		case <-ticker.C:
		}
		m.reach(ctx)
	}
}

// reach tries all that are absent, a few side by side. Each is looked at again right before its turn: the first that
// is reached makes us known to the others.
func (m *Membership) reach(ctx context.Context) {
	m.mu.Lock()
	wanted := m.roster.heard() // It answers, and memberlist has not taken it back.
	maps.Copy(wanted, m.expected)
	m.mu.Unlock()
	absent := missing(wanted, m.roster.listed(), nil)

	var (
		trying sync.WaitGroup
		turns  = make(chan struct{}, atOnce)
	)
	for _, other := range absent {
		turns <- struct{}{}
		if ctx.Err() != nil || !other.at.IsValid() || m.isAlive(other.node) {
			<-turns
			continue
		}
		trying.Go(func() {
			m.greet(other.node, other.at)
			<-turns
		})
	}
	trying.Wait()
}

// rejoin reaches at once for those that are heard again, or for the first time, until ctx ends: memberlist shall take
// them back, and a state of ours that does not fit in a datagram is sent to them.
func (m *Membership) rejoin(ctx context.Context) {
	var (
		trying sync.WaitGroup
		turns  = make(chan struct{}, atOnce)
	)
	defer trying.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case node := <-m.back:
			to, at, known := m.roster.where(node)
			message, told := m.stateMessage()
			long, gone := told && len(message) > datagram, !m.isAlive(node)
			if !known || !long && !gone {
				continue
			}
			select {
			case turns <- struct{}{}:
			case <-ctx.Done():
				return
			}
			trying.Go(func() {
				if gone {
					m.greet(node, at)
				}
				if long {
					m.sendReliably(to, message)
				}
				<-turns
			})
		}
	}
}

// greet makes one attempt to reach a speaker and notes how it went.
func (m *Membership) greet(node string, at netip.AddrPort) {
	_, err := m.list.Load().Join([]string{at.String()})

	var failure attempt
	if err != nil {
		failure = outcome(at, err)
	}
	m.mu.Lock()
	before := m.failures[node]
	delete(m.failures, node)
	if _, expected := m.expected[node]; err != nil && expected {
		m.failures[node] = failure
	}
	changed := before != m.failures[node]
	m.reckon()
	m.mu.Unlock()
	if changed {
		notify(m.changes)
	}
}

// isAlive reports whether memberlist counts a speaker as alive.
func (m *Membership) isAlive(node string) bool { return slices.Contains(m.roster.listed(), node) }

// watchClock wakes the receiver when a verdict falls by the passing of time alone.
func (m *Membership) watchClock(ctx context.Context) {
	timer := time.NewTicker(verdictEvery)
	defer timer.Stop()
	for known := false; !known; {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if known = m.View().Known; known {
			notify(m.changes)
		}
	}
}

// verdictEvery is how soon after its time a verdict is noticed.
const verdictEvery = 100 * time.Millisecond

// inWords says what an attempt to reach a speaker came to. memberlist gives its errors as text only.
func inWords(err error) string {
	text := err.Error()
	for _, known := range []struct{ sign, words string }{
		{"connection refused", "the connection is refused, as if no speaker ran there"},
		{"i/o timeout", "nothing answers"},
		{"no route to host", "there is no route to it"},
		{"network is unreachable", "its network is unreachable"},
		{"EOF", "it hangs up, as if its gossip key were another"},
		{"connection reset", "it hangs up, as if its gossip key were another"},
		{"o installed keys could decrypt", "its gossip key is another"},
	} {
		if strings.Contains(text, known.sign) {
			return known.words
		}
	}
	return strings.TrimSpace(strings.Join(strings.Fields(text), " "))
}
