package reconcile

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Bounds of the writes.
const (
	// maxAddressWrites is how many writes of addresses are under way at a time.
	maxAddressWrites = 16
	// maxTextWrites is how many other writes are under way at a time.
	maxTextWrites = 4
	// textWritesPerSecond and textWriteBurst bound the rate of the writes that change no address.
	textWritesPerSecond = 200
	textWriteBurst      = 50
	// textPause is how long no other write begins while addresses wait or are being written, which may be for ever.
	textPause = time.Second
	// writeTimeout is how long a write may take.
	writeTimeout = 30 * time.Second
	// A write that failed is repeated after minWriteRetry, then at growing intervals up to maxWriteRetry.
	minWriteRetry = 50 * time.Millisecond
	maxWriteRetry = 5 * time.Second
)

// errOtherTerm means that a write was not made, since it was decided in another term of leadership.
var errOtherTerm = errors.New("decided in another term of leadership")

// urgency of a write: a lower one goes first.
type urgency uint8

const (
	// newAddress gives a Service that has no address one: people wait for it.
	newAddress urgency = iota
	// otherAddress is any other change of addresses.
	otherAddress
	// objectText is the status of an object of Daymark's own group.
	objectText
	// serviceText changes the conditions of a Service and not its addresses.
	serviceText
	urgencies
)

// ofAddress reports whether a write changes addresses, or is waited for as if it did.
func (u urgency) ofAddress() bool { return u <= otherAddress }

// objectKey names an object among all that the controller writes.
type objectKey struct{ kind, namespace, name string }

// write is one write of one object.
type write struct {
	key objectKey
	// version of the object that the write was decided on. Nothing can be written on the same version twice. It is empty for an
	// object that does not exist yet.
	version string
	urgency urgency
	// send makes the write.
	send func(ctx context.Context) error
	// service is set if the object is a Service.
	service *serviceWrite
	// term of leadership in which the write was decided.
	term int
}

// result of the write of a Service.
type result struct {
	*serviceWrite
	err error
}

// writer makes the writes that the loop decides on, so that the loop never waits for one. It has one verb: Set replaces all
// that is still to be written. Addresses go first and at once. All other writes go one after the other at a bounded rate, and
// pause while an address waits or is being written, but for one a second.
//
// One write of an object is under way at a time. What a later pass decides about that object meanwhile is left out, because it
// was decided on a version that is about to be replaced; the loop is woken when the write has ended, and decides again.
type writer struct {
	// work calls a function if this process leads, as Leader.Work does.
	work    func(func(ctx context.Context, term int) error) (led bool, err error)
	log     *slog.Logger
	metrics *metrics
	// changed: there may be something to start.
	changed chan struct{}
	// wakes of the loop.
	wakes chan struct{}
	texts *rate.Limiter

	mu sync.Mutex
	// text is when the last write that changes no address began.
	text time.Time
	// held: no write of an address begins, because a pass is looking.
	held    bool
	pending [urgencies][]*write
	// underWay are the writes that have begun and have not ended.
	underWay map[objectKey]*write
	// addresses and others are how many of each are under way.
	addresses, others int
	// results of the writes of Services, in order, which the loop has not taken yet.
	results []result
	// decided is the version on which the last write of an object was decided, while the loop still sees that version.
	decided map[objectKey]string
	// refused are the writes that the API server refused for their content or for lack of permission, and those of objects
	// that did not exist: they are made again after a time if they are still wanted then.
	refused map[objectKey]*backoff
	// unanswered holds all writes back while the API server does not answer.
	unanswered backoff
	// retry is when the loop is to be woken for a refused write; zero for never.
	retry time.Time
	// again: something was left out, so the loop is woken when the next write ends.
	again bool
	// logged is when a failure was last logged.
	logged time.Time
}

func newWriter(log *slog.Logger, m *metrics, work func(func(ctx context.Context, term int) error) (bool, error)) *writer {
	return &writer{
		work: work, log: log, metrics: m, changed: make(chan struct{}, 1), wakes: make(chan struct{}, 1),
		texts:    rate.NewLimiter(textWritesPerSecond, textWriteBurst),
		underWay: map[objectKey]*write{}, decided: map[objectKey]string{}, refused: map[objectKey]*backoff{},
	}
}

// Start makes writes until ctx ends, and returns when those under way have ended.
func (w *writer) Start(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	for ctx.Err() == nil {
		next, wait := w.take(time.Now())
		if next != nil {
			running.Go(func() { w.make(next) })
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-w.changed:
		case <-timer.C:
		}
		timer.Stop()
	}
	return nil
}

// Hold keeps writes of addresses from beginning until Set is called. It returns what became of the writes that have ended
// since it was called last, and the writes of Services that are under way: they may have been made already.
func (w *writer) Hold() (ended []result, underWay []*serviceWrite) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held = true
	ended, w.results = w.results, nil
	// order does not matter: the caller looks them up by Service.
	for _, one := range w.underWay {
		if one.service != nil {
			underWay = append(underWay, one.service)
		}
	}
	return ended, underWay
}

// Release ends a Hold without a Set: the writes stay as they were.
func (w *writer) Release() {
	w.mu.Lock()
	w.held = false
	w.mu.Unlock()
	notify(w.changed)
}

// Forget drops what has not begun and what has ended: another process leads, or did.
func (w *writer) Forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pending, w.results, w.retry = [urgencies][]*write{}, nil, time.Time{}
	w.decided, w.refused = map[objectKey]string{}, map[objectKey]*backoff{}
	w.countPending()
}

// Set replaces all writes that have not begun. The order among equally urgent ones is kept.
func (w *writer) Set(desired []*write, now time.Time) {
	w.mu.Lock()
	defer notify(w.changed)
	defer w.mu.Unlock()
	w.held = false
	w.pending = [urgencies][]*write{}
	w.retry = time.Time{}
	decided, refused := make(map[objectKey]string, len(w.decided)), make(map[objectKey]*backoff, len(w.refused))
	for _, one := range desired {
		if version, ok := w.decided[one.key]; ok {
			decided[one.key] = version
		}
		if b := w.refused[one.key]; b != nil {
			refused[one.key] = b
		}
		if w.startable(one, now) {
			w.pending[one.urgency] = append(w.pending[one.urgency], one)
		}
	}
	w.decided, w.refused = decided, refused
	w.holdHandOvers(desired)
	w.countPending()
}

// countPending shows how many writes wait. The caller holds the lock.
func (w *writer) countPending() {
	w.metrics.writesPending.WithLabelValues("address").Set(float64(len(w.pending[newAddress]) + len(w.pending[otherAddress])))
	w.metrics.writesPending.WithLabelValues("text").Set(float64(len(w.pending[objectText]) + len(w.pending[serviceText])))
}

// startable reports whether a desired write may begin before the loop decides anew. The caller holds the lock.
func (w *writer) startable(one *write, now time.Time) bool {
	if before := w.underWay[one.key]; before != nil {
		w.again = w.again || !before.same(one)
		return false
	}
	if version, ok := w.decided[one.key]; ok && version == one.version {
		return false // the cache lags; what it shows next wakes the loop
	}
	if b := w.refused[one.key]; b != nil && now.Before(b.until) {
		if w.retry.IsZero() || b.until.Before(w.retry) {
			w.retry = b.until
		}
		return false
	}
	return true
}

// same reports whether two writes of a Service are the same decision.
func (one *write) same(other *write) bool {
	return one.version == other.version && one.service != nil && other.service != nil &&
		one.service.desired.Equal(&other.service.desired)
}

// holdHandOvers leaves out the writes that give an address which another Service still has to lose: the two writes could
// change places. When there is nothing else to do, as when two Services change places, they are made all the same; but for
// those that wait for a write that may not begin.
func (w *writer) holdHandOvers(desired []*write) {
	leaving := map[string]*write{}
	for _, one := range desired {
		for _, ip := range one.taken() {
			leaving[ip] = one
		}
	}
	if len(leaving) == 0 {
		return
	}
	pending := map[*write]bool{}
	for _, one := range slices.Concat(w.pending[newAddress], w.pending[otherAddress]) {
		pending[one] = true
	}
	anyOf := func(*write) bool { return true }
	notPending := func(one *write) bool { return !pending[one] }
	waits := func(one *write, counts func(*write) bool) bool {
		return slices.ContainsFunc(one.given(), func(ip string) bool {
			loser := leaving[ip]
			return loser != nil && loser != one && counts(loser)
		})
	}
	counts := anyOf
	if w.addresses == 0 && !slices.ContainsFunc(slices.Collect(maps.Keys(pending)), func(one *write) bool { return !waits(one, anyOf) }) {
		counts = notPending
	}
	for u := newAddress; u <= otherAddress; u++ {
		w.pending[u] = slices.DeleteFunc(w.pending[u], func(one *write) bool { return waits(one, counts) })
	}
	w.again = w.again || len(w.pending[newAddress])+len(w.pending[otherAddress]) < len(pending)
}

// given are the addresses that a write gives to a Service.
func (one *write) given() []string {
	if one.service == nil || !one.urgency.ofAddress() {
		return nil
	}
	return missingFrom(one.service.desired.Ingress, one.service.service.Written.Ingress)
}

// taken are the addresses that a write takes from a Service.
func (one *write) taken() []string {
	if one.service == nil || !one.urgency.ofAddress() {
		return nil
	}
	return missingFrom(one.service.service.Written.Ingress, one.service.desired.Ingress)
}

// take returns the write that is to begin now, and counts it as begun; nil if there is none before a time has passed.
func (w *writer) take(now time.Time) (*write, time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	wait := time.Minute
	if !w.retry.IsZero() {
		if wait = w.retry.Sub(now); wait <= 0 {
			w.retry, wait = time.Time{}, time.Minute
			notify(w.wakes)
		}
	}
	if paused := w.unanswered.until.Sub(now); paused > 0 {
		return nil, min(wait, paused)
	}
	urgent := len(w.pending[newAddress])+len(w.pending[otherAddress]) > 0
	if urgent && !w.held && w.addresses < maxAddressWrites {
		w.addresses++
		return w.begin(newAddress, otherAddress), 0
	}
	texts := len(w.pending[objectText])+len(w.pending[serviceText]) > 0
	if !texts || w.others >= maxTextWrites {
		return nil, wait // what has to end first notifies
	}
	if pause := w.text.Add(textPause).Sub(now); (urgent || w.addresses > 0) && pause > 0 {
		return nil, min(wait, pause)
	}
	if !w.texts.AllowN(now, 1) {
		return nil, min(wait, time.Second/textWritesPerSecond)
	}
	w.others++
	w.text = now
	return w.begin(objectText, serviceText), 0
}

// begin takes the first of the pending writes of some urgencies.
func (w *writer) begin(of ...urgency) *write {
	for _, u := range of {
		if queue := w.pending[u]; len(queue) > 0 {
			w.pending[u] = queue[1:]
			w.underWay[queue[0].key] = queue[0]
			w.countPending()
			return queue[0]
		}
	}
	return nil
}

// make makes one write that take returned.
func (w *writer) make(one *write) {
	led, err := w.work(func(ctx context.Context, term int) error {
		if term != one.term {
			return errOtherTerm
		}
		ctx, cancel := context.WithTimeout(ctx, writeTimeout)
		defer cancel()
		return one.send(ctx)
	})
	if !led {
		err = errOtherTerm
	}
	w.end(one, err, time.Now())
}

// end records how a write ended.
func (w *writer) end(one *write, err error, now time.Time) {
	w.mu.Lock()
	defer notify(w.changed)
	defer w.mu.Unlock()
	delete(w.underWay, one.key)
	if one.urgency.ofAddress() {
		w.addresses--
	} else {
		w.others--
	}
	if err != errOtherTerm { //nolint:errorlint // never wrapped
		w.metrics.countWrite(one.key.kind, err)
		if one.service != nil {
			w.results = append(w.results, result{one.service, err})
		}
		w.learn(one, err, now)
	}
	if w.again {
		w.again = false
		notify(w.wakes)
	}
}

// learn from the end of a write what may be written when. The caller holds the lock.
func (w *writer) learn(one *write, err error, now time.Time) {
	if err == nil || refused(err) {
		w.unanswered = backoff{}
	}
	switch {
	case err == nil && one.version == "": // the cache will show it, unless it is deleted before
		w.refused[one.key] = &backoff{until: now.Add(maxWriteRetry)}
	case err == nil:
		delete(w.refused, one.key)
		w.decided[one.key] = one.version
	case apierrors.IsConflict(err), apierrors.IsNotFound(err):
		w.decided[one.key] = one.version
	case refused(err):
		if w.refused[one.key] == nil {
			w.refused[one.key] = &backoff{}
		}
		w.refused[one.key].fail(now, minWriteRetry, maxWriteRetry)
		w.failed(one, err, now)
	default:
		if !now.Before(w.unanswered.until) { // those under way at the same time fail together
			w.unanswered.fail(now, minWriteRetry, maxWriteRetry)
		}
		w.failed(one, err, now)
	}
}

// failed logs a write that failed, not more than one in a time, and has the loop decide again.
func (w *writer) failed(one *write, err error, now time.Time) {
	w.again = true
	if now.Sub(w.logged) >= maxWriteRetry {
		w.logged = now
		w.log.Warn("an object could not be written, and will be tried again", "kind", one.key.kind, "namespace", one.key.namespace, "name", one.key.name, "error", err)
	}
}

// backoff is when something may be tried again.
type backoff struct {
	failures int
	// wait is the last one, and until when it ends.
	wait  time.Duration
	until time.Time
}

// fail doubles the wait, between two bounds.
func (b *backoff) fail(now time.Time, least, most time.Duration) {
	wait := most
	if b.failures < 16 {
		wait = min(most, least<<b.failures)
	}
	b.failures++
	b.wait, b.until = wait, now.Add(wait)
}

// notify makes a receiver of a channel run, once for several calls.
func notify(channel chan<- struct{}) {
	select {
	case channel <- struct{}{}:
	default:
	}
}
