package layer2

import (
	"context"
	"maps"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

const (
	// maxBurst questions are sent back to back, then nothing for burstInterval.
	maxBurst      = 100
	burstInterval = time.Millisecond
)

// asker asks nodes of the cluster whether they answer for addresses.
type asker struct {
	// jitter returns numbers in [0, 1).
	jitter func() float64
	// wake says that there are new questions.
	wake chan struct{}

	mu        sync.Mutex
	questions map[election.Question]*asked
}

// asked is a question with its state.
type asked struct {
	inquiry
	paths []announce.Layer2Path
}

func newAsker() *asker {
	return &asker{jitter: rand.Float64, wake: make(chan struct{}, 1), questions: map[election.Question]*asked{}}
}

// set makes these the questions. Those that are known go on; those without a path are not asked.
func (a *asker) set(now time.Time, questions []announce.Layer2Question) {
	a.mu.Lock()
	defer a.mu.Unlock()
	next := make(map[election.Question]*asked, len(questions))
	for _, q := range questions {
		known := a.questions[q.Question]
		if known == nil || len(known.paths) == 0 && len(q.Paths) > 0 {
			known = &asked{inquiry: inquiry{due: now}}
			notify(a.wake)
		}
		known.paths = q.Paths
		next[q.Question] = known
	}
	a.questions = next
}

// answers returns what is known now.
func (a *asker) answers() map[election.Question]election.Answer {
	a.mu.Lock()
	defer a.mu.Unlock()
	answers := make(map[election.Question]election.Answer, len(a.questions))
	for q, state := range a.questions {
		if answers[q] = state.answer; len(state.paths) == 0 {
			answers[q] = election.Unasked
		}
	}
	return answers
}

// heard records that a node uses an address, to which it was asked about or because it announces it, and reports whether that changes an
// answer.
func (a *asker) heard(now time.Time, node string, addr netip.Addr, announced bool) (changed bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	state := a.questions[election.Question{Node: node, Addr: addr}]
	switch {
	case state == nil:
		return false
	case announced:
		state.announced(now)
		notify(a.wake)
		return false
	default:
		return state.heard()
	}
}

// asksBy reports whether any node is asked about an address by an interface.
func (a *asker) asksBy(interfaceName string, addr netip.Addr) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for q, state := range a.questions {
		if q.Addr == addr && slices.ContainsFunc(state.paths, func(p announce.Layer2Path) bool { return p.Interface == interfaceName }) {
			return true
		}
	}
	return false
}

// due returns the questions to be sent now, at most maxBurst, and whether an answer has changed.
func (a *asker) due(now time.Time) (send []announce.Layer2Question, changed bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for q, state := range a.questions {
		if len(send) == maxBurst {
			break
		}
		ask, news := state.step(now, a.jitter())
		if ask {
			send = append(send, announce.Layer2Question{Question: q, Paths: state.paths})
		}
		changed = changed || news
	}
	return send, changed
}

// untilNext returns how long it is until something is due.
func (a *asker) untilNext(now time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	wait := time.Hour // set ends the wait.
	for _, state := range a.questions {
		wait = min(wait, state.due.Sub(now))
	}
	return max(wait, 0)
}

// Ask has these questions asked by unicast, each a few times at once and then about once a second, and no others. What is known
// of each is in Answers; Changes reports when that has changed.
func (r *Responder) Ask(questions []announce.Layer2Question) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.EqualFunc(r.questions, questions, announce.Layer2Question.Equal) {
		return
	}
	opened := maps.Equal(questionKeys(r.questions), questionKeys(questions))
	r.questions = slices.Clone(questions)
	if !opened && !r.stopped {
		_ = r.apply() // Set returns its error, too.
	}
	r.watchAsked()
	r.asker.set(time.Now(), questions)
}

// Answers are what is known now about what Ask asks.
func (r *Responder) Answers() map[election.Question]election.Answer { return r.asker.answers() }

// questionKeys are the sockets that questions need.
func questionKeys(questions []announce.Layer2Question) map[socketKey]bool {
	keys := map[socketKey]bool{}
	for _, q := range questions {
		for _, path := range q.Paths {
			keys[socketKey{path.Interface, lb.FamilyOf(q.Addr)}] = true
		}
	}
	return keys
}

// watchAsked makes all sockets notice who uses the addresses that are asked about. The caller holds mu.
func (r *Responder) watchAsked() {
	watched := make(addressSet, len(r.questions))
	for _, q := range r.questions {
		watched[q.Addr] = &vip{}
	}
	for _, s := range r.sockets {
		s.watch(watched)
	}
}

// ask asks what is due, until ctx ends.
func (r *Responder) ask(ctx context.Context) {
	repeat(ctx, &r.steps.asking, r.asker.wake, func() time.Duration {
		questions, changed := r.asker.due(time.Now())
		if changed {
			r.notifyUrgent()
		}
		for _, q := range questions {
			r.sendQuestion(q)
		}
		if len(questions) == maxBurst {
			time.Sleep(burstInterval)
		}
		return r.asker.untilNext(time.Now())
	})
}

// sendQuestion sends a question by all its paths.
func (r *Responder) sendQuestion(q announce.Layer2Question) {
	for _, path := range q.Paths {
		to, err := net.ParseMAC(path.MAC)
		if err != nil || len(to) != len(mac{}) {
			continue
		}
		for _, s := range *r.live.Load() {
			if s.name == path.Interface && s.protocol == protocols[lb.FamilyOf(q.Addr)] {
				s.ask(q.Addr, mac(to), path.Source)
			}
		}
	}
}
