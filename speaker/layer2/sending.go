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
// ends it: a rule may let others through.
type sendTrouble struct {
	err   error
	since time.Time
	of    purpose
}

// noteSent records whether the kernel took a frame. That an answer is refused counts more than that another frame is.
func (s *socket) noteSent(err error, of purpose) {
	trouble := s.trouble.Load()
	switch {
	case err == nil:
		if trouble != nil && trouble.of == of {
			s.trouble.CompareAndSwap(trouble, nil)
		}
	case errors.Is(err, net.ErrClosed) || trouble != nil && (trouble.of == asAnswer || of != asAnswer):
	case s.trouble.CompareAndSwap(trouble, &sendTrouble{err, time.Now(), of}) && s.troubled != nil:
		notify(s.troubled)
	}
}

// trySending sends an answer and a probe to the interface's own MAC address, where every switch drops them: a rule may drop one and not the
// other. The answer is about an address that is held, if there is one. Of any other a network that reads along would learn that it is here.
func (s *socket) trySending() error {
	nobody := netip.IPv4Unspecified()
	if s.groups != nil {
		nobody = netip.IPv6Unspecified()
	}
	about := s.someHeld(nobody)
	answer := s.protocol.update(s.nic.mac, about, neighbor{mac: s.nic.mac, addr: about})[0]
	for _, frame := range [][]byte{answer, s.protocol.probe(s.nic.mac, nobody)} {
		copy(frame, s.nic.mac[:])
		if _, err := s.conn.WriteTo(frame, &packet.Addr{HardwareAddr: s.nic.mac.slice()}); err != nil {
			s.noteSent(err, asAnswer)
			return fmt.Errorf("frames cannot be sent: %w; is a queue full, or does a rule drop them (nftables egress, tc)?", err)
		}
	}
	s.trouble.Store(nil)
	return nil
}

// someHeld is one of the addresses that the socket answers for, or another one if there is none.
func (s *socket) someHeld(other netip.Addr) netip.Addr {
	// order does not matter: any will do
	for addr, v := range *s.addresses.Load() {
		if v.held.Load() {
			return addr
		}
	}
	return other
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
		err := s.trySending()
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
