package simulation

import (
	"context"
	"errors"
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"time"
)

// What a call gets that the API server does not answer.
var (
	errRefused = errors.New("dial tcp 192.0.2.1:443: connect: connection refused")
	errLost    = errors.New("http2: client connection lost")
	errDead    = errors.New("this process is dead")
)

const (
	// lostAfter is how long a connection is silent before it counts as lost, as by the pings of HTTP/2.
	lostAfter = 45 * time.Second
	// maxRequest is how long a request or an answer may be on its way, but for one in slowOnes.
	maxRequest = 20 * time.Millisecond
	slowOnes   = 40
	maxSlow    = 1500 * time.Millisecond
)

// lot returns numbers by chance that are the same in each run of a seed, whoever asks first: those of what they are for.
func lot(seed uint64, what string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(what))
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// travel is how long a message is on its way.
func travel(r *rand.Rand) time.Duration {
	if r.IntN(slowOnes) == 0 {
		return time.Duration(r.Int64N(int64(maxSlow)))
	}
	return 500*time.Microsecond + time.Duration(r.Int64N(int64(maxRequest)))
}

// failure of a link.
type failure uint8

const (
	works failure = iota
	// refuses: each call is answered at once by nobody, and the watches end.
	refuses
	// swallows: nothing arrives, and nobody says so.
	swallows
	// deaf: what the process sends arrives, and no answer comes back.
	deaf
)

// link is the way of one machine to the API server. The processes that run on the machine one after the other share it.
type link struct {
	mu      sync.Mutex
	failure failure
	// since and until are when a failure began and ends. One that follows another soon is the same for who may not have heard of all yet.
	since, until time.Time
	watchers     map[*watcher]bool
}

// state of the link, and when it ends.
func (l *link) state() (failure, time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Now().Before(l.until) {
		return l.failure, l.until
	}
	return works, time.Time{}
}

// fail lets a link fail for a time.
func (l *link) fail(f failure, d time.Duration) {
	l.mu.Lock()
	if time.Since(l.until) > lagOfFailures {
		l.since = time.Now()
	}
	l.failure, l.until = f, time.Now().Add(d)
	l.mu.Unlock()
	if f == refuses {
		l.cutWatches()
	}
}

// failingSince is since when the link has failed, or had not worked for long again; zero: it has worked for long.
func (l *link) failingSince() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.until) > lagOfFailures {
		return time.Time{}
	}
	return l.since
}

// failedSince reports whether the link has failed after a time, or a little before.
func (l *link) failedSince(at time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.until.After(at.Add(-lag))
}

// mend ends a failure.
func (l *link) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); now.Before(l.until) {
		l.until = now
	}
}

// cutWatches ends all watches. The informers begin new ones.
func (l *link) cutWatches() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for w := range l.watchers { // order does not matter: they all end now
		w.Stop()
	}
}

// call makes one call of a process: apply is what the API server does. The answer may be lost though it did; a call whose process
// gives it up may still arrive.
func (p *process) call(ctx context.Context, what string, writes bool, apply func() error) error {
	r, alive := p.lotOf(what)
	if !alive || ctx.Err() != nil {
		return errors.Join(errDead, ctx.Err())
	}
	if writes && p.crashes(before) {
		return errDead
	}
	answer := make(chan error, 1)
	go func() {
		time.Sleep(travel(r))
		switch failure, until := p.link.state(); failure {
		case refuses:
			answer <- errRefused
			return
		case swallows:
			time.Sleep(min(time.Until(until), lostAfter))
			answer <- errLost
			return
		case works, deaf:
		}
		err := apply()
		if writes && err == nil && p.crashes(afterwards) {
			return
		}
		time.Sleep(travel(r))
		if failure, until := p.link.state(); failure != works {
			time.Sleep(min(time.Until(until), lostAfter))
			err = errLost
		}
		answer <- err
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-p.ended:
		return errDead
	case err := <-answer:
		return err
	}
}
