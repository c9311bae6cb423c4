package connections

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/daymark-lb/daymark/internal/core/handover"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// renew writes the plan again, if there is one, and finds out whether one can be.
func (r *Relay) renew() { r.write(true) }

func (r *Relay) write(renew bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.isSet {
		r.look(time.Now(), renew)
		return
	}
	if err := r.apply(renew); err != nil {
		r.log.Error("connections cannot be kept open when addresses move", "err", err)
	}
}

// retry writes what has not been written, if that has failed.
func (r *Relay) retry() {
	r.mu.Lock()
	again := r.failed || !r.doubt.IsZero()
	r.mu.Unlock()
	if again {
		r.write(false)
	}
}

// apply writes the plan into the kernel; with renew also what has not changed. What fails in one family does not harm the other. An
// error is of what may go by; what will not is what Unable says. The caller holds mu.
func (r *Relay) apply(renew bool) error {
	r.failed = false
	if len(r.desired.Passages) == 0 && len(r.desired.Counted) == 0 {
		r.reachable() // none are refused any more
		r.look(time.Now(), renew)
		return r.clear()
	}
	if why := r.beside(time.Now()); why != "" {
		r.able(why, 0)
		return r.clear()
	}
	passages := r.reachable()
	var errs []error
	for _, t := range r.tables {
		entries := t.entries(passages, r.until)
		err := t.set(entries, r.rate, r.lease, renew)
		switch {
		case err == nil && len(entries) == 0:
			errs = append(errs, r.tryAgain(t, renew))
		case err == nil:
			t.failing, t.lacking = time.Time{}, ""
		case t.mayPass(err, time.Now(), r.grace):
			errs = append(errs, fmt.Errorf("write the table %s of nftables: %w", t.family, err))
			r.failed = true
			notify(r.again)
		default: // It is tried again when the others are renewed.
			t.lacking = fmt.Sprintf("table %s: %s", t.family, whyRefused(err))
			errs = append(errs, r.remove(t))
		}
	}
	notify(r.written)
	r.able(r.lacking())
	return errors.Join(errs...)
}

// tryAgain finds out at a renewal whether the kernel still lacks something for a table that is not needed at the moment. The caller holds mu.
func (r *Relay) tryAgain(t *table, renew bool) error {
	t.failing = time.Time{}
	if !renew {
		return nil
	}
	return t.try(r.rate)
}

// lacking is what the kernel refused, and the one family of which packets are passed on nevertheless; 0: of both, or of none. The caller
// holds mu.
func (r *Relay) lacking() (why string, only lb.Family) {
	switch v4, v6 := r.tables[0].lacking, r.tables[1].lacking; {
	case v4 == "" && v6 == "":
		return "", 0
	case v4 == "":
		return v6, lb.IPv4
	case v6 == "":
		return v4, lb.IPv6
	default:
		return v4 + "; " + v6, 0
	}
}

// look finds out whether anything could be passed on, while nothing is to be: who plans a move wants to know before. What is not certain is
// said when it has been so for grace, for kube-proxy may just be starting; what the kernel lacks shows only when it is to do something, and
// with renew it is tried again whether it still does. The caller holds mu.
func (r *Relay) look(now time.Time, renew bool) {
	why, certain := unable()
	switch {
	case why == "":
		r.clearDoubt()
		for _, t := range r.tables {
			if err := r.tryAgain(t, renew); err != nil {
				r.log.Debug("a table of nftables without addresses is left", "table", t.family, "error", err)
			}
		}
		r.able(r.lacking())
		return
	case r.doubt.IsZero():
		r.doubt = now
	}
	if certain || now.Sub(r.doubt) >= r.grace {
		r.able(why, 0)
		return
	}
	notify(r.again)
}

// clearDoubt notes that something serves Services beside which packets can be passed on. The caller holds mu.
func (r *Relay) clearDoubt() {
	if !r.looked || !r.doubt.IsZero() {
		notify(r.changes)
	}
	r.doubt, r.looked = time.Time{}, true
}

// beside says why nothing can be passed on beside the service proxy; "": it can, or what the kernel does may be left for now. The caller
// holds mu.
func (r *Relay) beside(now time.Time) string {
	why, certain := unable()
	if why == "" {
		r.clearDoubt()
		return ""
	}
	if r.doubt.IsZero() {
		r.doubt = now
	}
	if certain || now.Sub(r.doubt) >= r.grace || !slices.ContainsFunc(r.tables[:], (*table).exists) {
		return why
	}
	notify(r.again)
	return ""
}

// clear removes the tables. The caller holds mu.
func (r *Relay) clear() error {
	var errs []error
	for _, t := range r.tables {
		errs = append(errs, r.remove(t))
	}
	notify(r.written)
	return errors.Join(errs...)
}

// remove removes a table. The caller holds mu.
func (r *Relay) remove(t *table) error {
	if err := t.remove(); err != nil {
		r.failed = true
		return fmt.Errorf("remove the table %s of nftables: %w", t.family, err)
	}
	return nil
}

// able records why nothing can be passed on, or not of both families; "": it works. The caller holds mu.
func (r *Relay) able(why string, only lb.Family) {
	if r.only == only && why == r.unable {
		return
	}
	r.only = only
	if r.unable = why; why != "" {
		r.log.Warn("connections are not kept open when addresses move", "because", why)
	}
	notify(r.changes)
}

// reachable returns those passages whose next node is on a segment of this one. A packet that is passed on keeps the address of
// the Service, so a router on the way would send it back. The caller holds mu.
func (r *Relay) reachable() []handover.Passage {
	whys := map[netip.Addr]string{} // "" for those that are on one
	var passages []handover.Passage
	for _, p := range r.desired.Passages {
		why, known := whys[p.Via]
		if !known {
			why = offSegment(p.Via)
			whys[p.Via] = why
			if why != "" && r.refused[p.Via] != why {
				r.log.Warn("packets are not passed on to a node", "node", p.Via, "because", why)
			}
		}
		if why == "" && p.Addr.Is4() == p.Via.Is4() && p.Hops > 0 {
			passages = append(passages, p)
		}
	}
	maps.DeleteFunc(whys, func(_ netip.Addr, why string) bool { return why == "" })
	if !maps.Equal(whys, r.refused) {
		notify(r.changes)
	}
	r.refused = whys
	return passages
}
