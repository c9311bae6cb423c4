package reconcile

import (
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/status"
)

const (
	// maxUndone is how often others may undo a write of a Service's status before they count as a competing writer.
	maxUndone = 3
	// A Service with a competing writer is written again after minContestWait, then at growing intervals up to maxContestWait.
	minContestWait = time.Second
	maxContestWait = 5 * time.Minute
	// maxConditionsWait takes its place when the other undoes only conditions: without provenance the speakers announce nothing.
	maxConditionsWait = 10 * time.Second
	// contestMemory is how long a write that nobody undid is remembered.
	contestMemory = 10 * time.Minute
	// contestCalm is how long a write must stand before a contest is over, or twice the last wait if that is longer.
	contestCalm = time.Minute
)

// contests finds out which Services have another writer of their status: one that undoes what the controller wrote, again and
// again. Such a Service is written at growing intervals, and its condition names the other.
type contests struct {
	known  map[types.UID]*contest
	pruned time.Time
}

// contest is the writes of the status of one Service.
type contest struct {
	// written is what was last written, and when.
	written fingerprint
	wrote   time.Time
	// perhaps is what a write may have made whose answer has not come: the cache may show it before, or the answer is lost. Nil: there is
	// none.
	perhaps *fingerprint
	// looked is the version of the Service that was last compared with it.
	looked string
	// undone is how often another undid it; noticed: the last write is among them. conditions: it undid no addresses.
	undone              int
	noticed, conditions bool
	// wait between two writes.
	wait backoff
	// finalizer is when the Service may be given the finalizer again if somebody removes it.
	finalizer backoff

	// asked: the other is being looked for.
	asked bool
	mu    sync.Mutex
	other string // the competing writer, once it is known; empty before
}

// fingerprint is what the controller writes into a Service's status, as two numbers: thousands are remembered.
type fingerprint struct{ addresses, conditions uint64 }

var fingerprintSeed = maphash.MakeSeed()

func fingerprintOf(s *status.Service) (f fingerprint) {
	for _, entry := range s.Ingress {
		mode := corev1.LoadBalancerIPModeVIP // what the API server adds
		if entry.IPMode != nil {
			mode = *entry.IPMode
		}
		if entry.IP != "" {
			f.addresses += maphash.Comparable(fingerprintSeed, [2]string{entry.IP, string(mode)})
		}
	}
	for _, c := range s.Conditions {
		f.conditions += maphash.Comparable(fingerprintSeed, [4]string{c.Type, string(c.Status), c.Reason, c.Message})
	}
	return f
}

// wrote records a write of a Service.
func (c *contests) wrote(w *serviceWrite, now time.Time) {
	known := c.known[w.service.UID]
	if known == nil {
		if c.known == nil {
			c.known = map[types.UID]*contest{}
		}
		known = &contest{wrote: now}
		c.known[w.service.UID] = known
	}
	if known.noticed || w.urgency().ofAddress() {
		known.wrote = now
	}
	known.written, known.noticed, known.perhaps = fingerprintOf(&w.desired), false, nil
	if w.desired.Finalizer && w.service.lostFinalizer() {
		known.finalizer.fail(now, minContestWait, maxContestWait)
	}
}

// perhaps records a write of a Service that may have been made.
func (c *contests) perhaps(w *serviceWrite) {
	if known := c.known[w.service.UID]; known != nil {
		made := fingerprintOf(&w.desired)
		known.perhaps = &made
	}
}

// prune forgets writes that stand.
func (c *contests) prune(now time.Time) {
	if now.Sub(c.pruned) < contestCalm {
		return
	}
	c.pruned = now
	// order does not matter: each is looked at alone.
	for uid, known := range c.known {
		if now.Sub(known.wrote) > max(contestMemory, 2*maxContestWait) && now.Sub(known.finalizer.until) > contestMemory {
			delete(c.known, uid)
		}
	}
}

// look notices that a Service does not show what was last written.
func (k *contest) look(s *cachedService, now time.Time) {
	if k.noticed || s.Uncertain || s.version == k.looked {
		return
	}
	k.looked = s.version
	shows := fingerprintOf(&s.Written)
	if k.perhaps != nil && shows == *k.perhaps {
		k.written = shows
	}
	if shows == k.written {
		return
	}
	k.noticed, k.conditions = true, shows.addresses == k.written.addresses
	if k.undone++; k.undone >= maxUndone {
		k.wait.fail(now, minContestWait, k.longestWait())
	}
}

// calm reports whether nobody competes for a Service, as far as was seen: what it should have changes with no time that passes.
func (c *contests) calm(s *cachedService) bool {
	k := c.known[s.UID]
	return k == nil || k.undone < maxUndone
}

func (k *contest) longestWait() time.Duration {
	if k.conditions {
		return maxConditionsWait
	}
	return maxContestWait
}

// over reports whether the last write has stood for long enough, and if not, when it will have.
func (k *contest) over(now time.Time) (bool, time.Time) {
	calm := k.wrote.Add(max(contestCalm, 2*k.wait.wait))
	return !k.noticed && now.After(calm), calm
}

// contested changes what a Service should have if another program writes its status, too: as long as that is to be waited for,
// the addresses stay as they are, and the conditions, too, if the other undoes those.
func (l *Loop) contested(s *cachedService, desired status.Service, settings status.Settings, explainer *announce.Explainer) status.Service {
	k, now := l.contests.known[s.UID], l.now()
	if k == nil {
		return desired
	}
	k.look(s, now)
	if k.undone < maxUndone {
		return desired
	}
	other := l.competitorOf(k, s)
	if other == "" {
		return s.Written // the other is not known yet: nothing is written before
	}
	wait := k.wait.until.Sub(now)
	if wait > 0 && k.noticed && k.conditions {
		l.runAgain(wait)
		return s.Written
	}
	message := k.message(other)
	if desired.SameAddresses(&s.Written) {
		over, at := k.over(now)
		if over {
			delete(l.contests.known, s.UID)
			return desired
		}
		l.runAgain(at.Sub(now))
		return desired.Contested(message, now)
	}
	if wait > 0 {
		l.runAgain(wait)
		stays := s.Stays(settings, explainer, now)
		return stays.Contested(message, now)
	}
	return desired.Contested(message, now)
}

func (k *contest) message(other string) string {
	what := "addresses"
	if k.conditions {
		what = "conditions"
	}
	return fmt.Sprintf("%s writes the %s of this Service, too, and undoes what Daymark writes; Daymark tries again at intervals of up to %s: "+
		"stop one of the two, or leave the Service to the other with the annotation daymark.io/provider", other, what, k.longestWait())
}

// removedFinalizer changes what a Service should have if somebody removed the finalizer that it was given: it is given again at
// growing intervals.
func (l *Loop) removedFinalizer(s *cachedService, desired status.Service) status.Service {
	if k := l.contests.known[s.UID]; k != nil && desired.Finalizer && s.lostFinalizer() {
		if wait := k.finalizer.until.Sub(l.now()); wait > 0 {
			l.runAgain(wait)
			desired.Finalizer = false
		}
	}
	return desired
}

// lostFinalizer reports whether the Service was given the finalizer and does not have it.
func (s *cachedService) lostFinalizer() bool { return s.Provenance.Finalizer && !s.Written.Finalizer }
