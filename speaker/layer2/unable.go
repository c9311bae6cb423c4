package layer2

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Waits between attempts on an interface on which this node is unable to answer. The wait doubles when an attempt succeeds and
// the answering fails again soon.
const (
	minUnableWait = time.Second
	maxUnableWait = time.Minute
	// triesWithout is after how many attempts one leaves out what was refused: the rule may concern that address alone, which may be gone.
	triesWithout = 16
)

// Unable says that this node cannot answer for addresses of a family on an interface, though the interface is as it should be:
// the kernel refuses the socket, a group, or every frame.
type Unable struct {
	Interface string
	Family    lb.Family
	Why       string
}

// failure is why a socket cannot be had.
type failure struct {
	why string
	// addr is one of the addresses that could not be added.
	addr netip.Addr
	// refused is the address whose answers could not be sent, of no other that is held it is known that they can; invalid: there is none.
	refused netip.Addr
	// tries counts the attempts.
	tries int
	wait  time.Duration
	// due is the time of the next attempt; once one has succeeded, the time from which a failure is a new one.
	due       time.Time
	recovered bool
}

// Unable returns where this node cannot answer now, in order. It is tried again all the time; Changes tells of a change.
func (r *Responder) Unable() []Unable {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []Unable
	for _, key := range slices.SortedFunc(maps.Keys(r.failures), socketKey.compare) {
		if f := r.failures[key]; !f.recovered {
			list = append(list, Unable{key.name, key.family, f.why})
		}
	}
	return list
}

// failed records that addresses could not be added to a socket. An interface that has gone meanwhile is no failure: whoever
// follows the links knows. The caller holds mu.
func (r *Responder) failed(key socketKey, addresses addressSet, err error) {
	if found := lookUp(key.name); found.err != nil || len(addresses) == 0 {
		return
	}
	f, now := r.failures[key], time.Now()
	switch {
	case f == nil || f.recovered && now.After(f.due):
		f = &failure{wait: minUnableWait}
	case f.recovered:
		f = &failure{wait: min(2*f.wait, maxUnableWait)}
	}
	for f.addr = range addresses {
		break // any will do
	}
	if refused := (*refusal)(nil); errors.As(err, &refused) {
		f.refused = refused.about
		if refused.alone {
			f.refused = netip.Addr{} // The node can answer for others, and who holds this one now finds out by itself.
		}
	}
	f.why, f.due = err.Error(), now.Add(f.wait)
	r.failures[key] = f
	notify(r.unable)
	notify(r.changes)
}

// retryUnable tries where this node is unable to answer whether it is able now, until ctx ends. It sleeps while there is nothing
// to try.
func (r *Responder) retryUnable(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.unable:
		}
		tick := time.NewTicker(minUnableWait / 4)
		for again := true; again; {
			select {
			case <-ctx.Done():
				again = false
			case now := <-tick.C:
				again = r.tryDue(now)
			}
		}
		tick.Stop()
	}
}

// tryDue tries what is due, and reports whether there is more to try.
func (r *Responder) tryDue(now time.Time) (more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	// order does not matter: each interface is tried by itself.
	for key, f := range r.failures {
		switch err := r.try(key, f, now); {
		case now.Before(f.due):
		case errors.Is(err, errNoInterface) || f.recovered:
			delete(r.failures, key)
			notify(r.changes)
		case err != nil:
			f.why, f.due = err.Error(), now.Add(f.wait)
		default:
			f.recovered, f.due = true, now.Add(2*f.wait)
			notify(r.changes)
		}
	}
	return len(r.failures) > 0
}

// errNoInterface: the interface is gone, down or of another kind.
var errNoInterface = errors.New("the interface cannot be used")

// try opens a socket as for an address, if that is due, sends by it, and closes it. What was refused about one address alone is tried once more.
func (r *Responder) try(key socketKey, f *failure, now time.Time) error {
	if now.Before(f.due) || f.recovered {
		return nil
	}
	found := lookUp(key.name)
	if found.err != nil {
		return errNoInterface
	}
	s, err := open(key, found.nic, r.metrics.of(key.family), r, r.tracer)
	if err != nil {
		return err
	}
	defer s.close()
	if s.groups != nil {
		if err := s.groups.join(f.addr); err != nil {
			return fmt.Errorf("try again: %w", err)
		}
	}
	about := f.refused
	if f.tries++; f.tries%triesWithout == 0 {
		about = netip.Addr{}
	}
	return s.trySending(about)
}
