package layer2

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/mdlayher/packet"
)

const (
	// sendTroubleTime is for how long every frame must fail until the node counts as unable to answer: a full queue empties in less.
	sendTroubleTime = 400 * time.Millisecond
	// sendTestInterval is the time between two frames that try it meanwhile.
	sendTestInterval = 100 * time.Millisecond
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
	// about is the address whose answers are refused while others are not; invalid: all frames are, or one that tries it.
	about netip.Addr
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

// trySending sends an answer about no address and a probe to the interface's own MAC address, where every switch drops them: a rule may drop
// one and not the other. Then it sends an answer about an address, if there is one, since a rule may name addresses, too. This comes last,
// and only about what is held or was refused: of any other a network that reads along would learn that it is here.
func (s *socket) trySending(about netip.Addr) error {
	nobody := netip.IPv4Unspecified()
	if s.groups != nil {
		nobody = netip.IPv6Unspecified()
	}
	if err := s.tryFrames(s.answerToSelf(nobody), s.protocol.probe(s.nic.mac, nobody)); err != nil {
		return &refusal{err: err}
	}
	if about.IsValid() {
		if err := s.tryFrames(s.answerToSelf(about)); err != nil {
			return &refusal{err, about}
		}
	}
	s.trouble.Store(nil)
	return nil
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

// watchSending finds out on which interfaces the kernel refuses all frames, until ctx ends. It sleeps while none is refused.
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
		default:
			r.cannotSend(s, err)
		}
	}
	return more
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
