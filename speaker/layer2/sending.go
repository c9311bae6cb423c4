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

// sendTrouble is why the kernel refuses the frames of a socket, and since when.
type sendTrouble struct {
	err   error
	since time.Time
}

// noteSent records whether the kernel took a frame.
func (s *socket) noteSent(err error) {
	switch {
	case err == nil:
		if s.trouble.Load() != nil {
			s.trouble.Store(nil)
		}
	case !errors.Is(err, net.ErrClosed) && s.trouble.CompareAndSwap(nil, &sendTrouble{err, time.Now()}) && s.troubled != nil:
		notify(s.troubled)
	}
}

// trySending sends a frame that concerns nobody, to the interface's own MAC address, where every switch drops it.
func (s *socket) trySending() error {
	nobody := netip.IPv4Unspecified()
	if s.groups != nil {
		nobody = netip.IPv6Unspecified()
	}
	frame := s.protocol.probe(s.nic.mac, nobody)
	copy(frame, s.nic.mac[:])
	_, err := s.conn.WriteTo(frame, &packet.Addr{HardwareAddr: s.nic.mac.slice()})
	s.noteSent(err)
	if err != nil {
		return fmt.Errorf("frames cannot be sent: %w; is a queue full, or does a rule drop them (nftables egress, tc)?", err)
	}
	return nil
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
