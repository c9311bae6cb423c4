package layer2

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"time"

	"github.com/mdlayher/packet"
)

const (
	// sendTroubleTime is for how long frames, or answers about an address, must fail until the node counts as unable to answer: a full queue
	// empties in less.
	sendTroubleTime = 400 * time.Millisecond
	// sendTestInterval is the time between two frames that try it meanwhile.
	sendTestInterval = 100 * time.Millisecond
	// muteTime is for how long an address is remembered whose answers alone are refused here, and maxMuted how often this node lets go of
	// everything for it in that time.
	muteTime = 10 * time.Minute
	maxMuted = 3
)

// sendTrouble is why the kernel refuses the frames of a socket, since when, and the purpose of the first one. A later one of that purpose
// ends it, and if it was an answer, one about the same address: a rule may let others through.
type sendTrouble struct {
	err   error
	since time.Time
	of    purpose
	// about is the address of an answer.
	about netip.Addr
}

// refusal is why a socket cannot send.
type refusal struct {
	err error
	// about is the address whose answers are refused while others are not; invalid: all frames are, or one that tries it. alone: those about
	// another address that is held are not.
	about netip.Addr
	alone bool
}

func (r *refusal) Error() string {
	what := "frames"
	if r.about.IsValid() {
		what = "answers about " + r.about.String()
	}
	return fmt.Sprintf("%s cannot be sent: %v; is a queue full, or does a rule drop them (nftables egress, tc)?", what, r.err)
}

func (r *refusal) Unwrap() error { return r.err }

// noteSent records whether the kernel took a frame. That an answer is refused counts more than that another frame is.
func (s *socket) noteSent(err error, of purpose, frame []byte) {
	trouble := s.trouble.Load()
	switch {
	case err == nil:
		if trouble != nil && trouble.of == of && (of != asAnswer || s.protocol.describe(frame).target == trouble.about) {
			s.trouble.CompareAndSwap(trouble, nil)
		}
	case errors.Is(err, net.ErrClosed) || trouble != nil && (trouble.of == asAnswer || of != asAnswer):
	default:
		next := &sendTrouble{err: err, since: time.Now(), of: of}
		if of == asAnswer {
			next.about = s.protocol.describe(frame).target
		}
		if s.trouble.CompareAndSwap(trouble, next) && s.troubled != nil {
			notify(s.troubled)
		}
	}
}

// trySending sends an answer and a probe to the interface's own MAC address, where every switch drops them: a rule may drop one and not the
// other. The answer is about an address that is held or was refused, if there is one, since a rule may name addresses, too: of any other a
// network that reads along would learn that it is here. Only when that is refused an answer about no address tells whether all are, for
// a rule may admit the node's own addresses alone.
func (s *socket) trySending(about netip.Addr) error {
	nobody := netip.IPv4Unspecified()
	if s.groups != nil {
		nobody = netip.IPv6Unspecified()
	}
	probe, one := s.protocol.probe(s.nic.mac, nobody), about
	if !about.IsValid() {
		one = nobody
	}
	err := s.tryFrames(s.answerToSelf(one), probe)
	switch {
	case err == nil:
		s.trouble.Store(nil)
		return nil
	case one == about && s.tryFrames(s.answerToSelf(nobody), probe) == nil:
		return &refusal{err: err, about: about}
	}
	return &refusal{err: err}
}

// answerToSelf is an answer about an address as for this node itself.
func (s *socket) answerToSelf(about netip.Addr) []byte {
	return s.protocol.update(s.nic.mac, about, neighbor{mac: s.nic.mac, addr: about})[0]
}

// tryFrames sends frames to the interface's own MAC address.
func (s *socket) tryFrames(frames ...[]byte) error {
	for _, frame := range frames {
		copy(frame, s.nic.mac[:])
		if _, err := s.conn.WriteTo(frame, &packet.Addr{HardwareAddr: s.nic.mac.slice()}); err != nil {
			s.noteSent(err, asAnswer, frame)
			return err
		}
	}
	return nil
}

// answersOther reports whether the socket can send an answer about an address that it answers for and that is not this one.
func (s *socket) answersOther(refused netip.Addr) bool {
	// order does not matter: any will do
	for addr, v := range *s.addresses.Load() {
		if addr != refused && v.held.Load() {
			return s.tryFrames(s.answerToSelf(addr)) == nil
		}
	}
	return false
}

// someHeld is one of the addresses that the socket answers for: this one if it does; invalid if there is none.
func (s *socket) someHeld(preferred netip.Addr) netip.Addr {
	if s.holds(preferred) {
		return preferred
	}
	// order does not matter: any will do
	for addr, v := range *s.addresses.Load() {
		if v.held.Load() {
			return addr
		}
	}
	return netip.Addr{}
}

// watchSending finds out on which interfaces the kernel refuses frames, until ctx ends. It sleeps while none is refused.
func (r *Responder) watchSending(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.troubled:
		}
		tick := time.NewTicker(sendTestInterval)
		for again := true; again; {
			select {
			case <-ctx.Done():
				again = false
			case now := <-tick.C:
				again = r.trySockets(now)
			}
		}
		tick.Stop()
	}
}

// trySockets tries the sockets that could not send, and reports whether there are any that may recover.
func (r *Responder) trySockets(now time.Time) (more bool) {
	for _, s := range *r.live.Load() {
		trouble := s.trouble.Load()
		if trouble == nil {
			continue
		}
		err := s.trySending(s.someHeld(trouble.about))
		switch {
		case err == nil || s.closed.Load():
		case now.Sub(trouble.since) < sendTroubleTime:
			more = true
		case r.mustKeep(s, err):
		default:
			r.cannotSend(s, err)
		}
	}
	return more
}

// muted is an address whose answers alone are refused here.
type muted struct {
	since time.Time
	times int
}

// mustKeep reports whether this node goes on though it cannot answer for one address: it has let go of everything for that before, and the
// address is back again and again. So the other nodes cannot answer for it either, as where all of them have a rule that does not know a new
// address, and what they hold besides must not go with it.
func (r *Responder) mustKeep(s *socket, err error) bool {
	refused := (*refusal)(nil)
	if !errors.As(err, &refused) || !refused.about.IsValid() || !s.answersOther(refused.about) {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	maps.DeleteFunc(r.muted, func(_ netip.Addr, m *muted) bool { return now.Sub(m.since) >= muteTime })
	refused.alone = true
	m := r.muted[refused.about]
	if m == nil {
		m = &muted{since: now}
		r.muted[refused.about] = m
	}
	if m.times++; m.times <= maxMuted {
		return false
	}
	if s.trouble.Store(nil); m.times == maxMuted+1 {
		r.log.Warn("answers about an address cannot be sent, by other nodes neither", "address", refused.about, "error", refused.err)
	}
	return true
}

// cannotSend records that what a socket has is not answered. A later refusal is found anew.
func (r *Responder) cannotSend(s *socket, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.trouble.Store(nil)
	for key, known := range r.sockets {
		if known == s {
			r.failed(key, *s.addresses.Load(), err)
			notify(r.urgent)
		}
	}
}
