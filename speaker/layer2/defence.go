package layer2

import (
	"net/netip"
	"time"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// defenceIntervals: a defence is sent once (RFC 5227 section 2.4), and is no announcement that is repeated.
var defenceIntervals = []time.Duration{}

// defence is a sender that announces a held address once, because a foreign host uses it; to is that host if it alone is told, because
// the address is shared.
type defence struct {
	*socket

	addr netip.Addr
	to   mac
}

// via implements update.
func (d defence) via() sender { return d.socket }

// announce implements sender. It sends nothing for what is no longer held, or is shared or not any more.
func (d defence) announce(addr netip.Addr, _ int, _ bool) {
	if d.to == (mac{}) {
		d.socket.announce(addr, 0, false)
		return
	}
	if v := (*d.addresses.Load())[addr]; v != nil && v.held.Load() && v.shared() != nil {
		d.inform(addr, d.to)
	}
}

// defend announces a held address once, because a foreign host uses it. Of a shared address each node tells its own clients, and the
// holder the host. All of it has to wait for the budget of its interface: who announces many of our addresses must not make us send as
// many frames at once.
func (r *Responder) defend(u addressUse) {
	r.metrics.of(lb.FamilyOf(u.addr)).defences.Inc()
	v := r.detector.sharedVIP(u.addr)
	if v != nil {
		// A frame now and then must not make other addresses wait for so many.
		r.tellOwn(u.addr, v, periodic, *r.live.Load())
	}
	var defences []update
	for _, s := range *r.live.Load() {
		switch {
		case v == nil && s.holds(u.addr):
			defences = append(defences, defence{socket: s, addr: u.addr})
		case v != nil && v.shared() != nil && v.shared().Holder && s.holds(u.addr):
			defences = append(defences, defence{s, u.addr, u.by})
		}
	}
	r.announcer.tell(defences, u.addr, defending, defenceIntervals)
}
