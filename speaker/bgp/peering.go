package bgp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

const (
	// openWait is how long a router that has accepted the connection may take for its OPEN message (RFC 4271 section 8.2.2).
	openWait = 4 * time.Minute
	// openHint is how long it takes until the status says that this is what the session waits for.
	openHint = 5 * time.Second
)

// keepalive is the whole message.
var keepalive = append(appendHeader(nil, bgp.BGP_MSG_KEEPALIVE)[:16], 0, bgp.BGP_HEADER_LENGTH, bgp.BGP_MSG_KEEPALIVE)

// peering is one connection with a router.
type peering struct {
	settings settings
	wire     *wire
	view     *view
	// agreed with the router; nothing until its OPEN message has come.
	agreed  terms
	encoder *encoder
	told    *table
	// asked wakes the writer when the router asks for paths again, and again says which.
	asked chan struct{}
	again [2]atomic.Bool // IPv4, IPv6
}

func newPeering(s *settings, w *wire, v *view) *peering {
	return &peering{settings: *s, wire: w, view: v, told: &table{}, asked: make(chan struct{}, 1)}
}

// verdict says what is against a message in a state, other than its content: RFC 4271 section 8.2.2, RFC 6608.
func verdict(state v1beta1.BGPSessionState, kind uint8) error {
	var subcode uint8
	switch {
	case kind == bgp.BGP_MSG_NOTIFICATION:
		return nil
	case state == openSent && kind != bgp.BGP_MSG_OPEN:
		subcode = 1
	case state == openConfirm && kind != bgp.BGP_MSG_KEEPALIVE:
		subcode = 2
	case state == v1beta1.BGPEstablished && kind == bgp.BGP_MSG_OPEN:
		subcode = 3
	default:
		return nil
	}
	return objection(bgp.BGP_ERROR_FSM_ERROR, subcode, nil, fmt.Sprintf("the router sent a message of type %d", kind))
}

// next reads a message that is allowed in a state. A NOTIFICATION is an error.
func (p *peering) next(state v1beta1.BGPSessionState) (message, error) {
	m, err := p.wire.read()
	if err != nil {
		return m, p.explain(state, err)
	}
	if m.kind == bgp.BGP_MSG_NOTIFICATION {
		return m, notified(m.body)
	}
	return m, verdict(state, m.kind)
}

// hungUp is the end of a connection that the router has closed.
var hungUp = &ending{words: "router closed the connection"}

// explain says what it means that nothing could be read.
func (p *peering) explain(state v1beta1.BGPSessionState, err error) error {
	var known *ending
	switch {
	case errors.As(err, &known):
		return err
	case timedOut(err) && state == openSent:
		return &ending{
			words: fmt.Sprintf("router accepted the connection and sent no OPEN message for %.0f minutes", openWait.Minutes()),
			code:  bgp.BGP_ERROR_HOLD_TIMER_EXPIRED,
		}
	case timedOut(err):
		return &ending{words: "hold timer expired", code: bgp.BGP_ERROR_HOLD_TIMER_EXPIRED}
	case state == openSent && closed(err):
		return &ending{words: "router closed the connection before it sent an OPEN message"}
	case closed(err):
		return hungUp
	}
	return fmt.Errorf("the connection broke: %w", err)
}

// closed tells whether an error means that the other end has closed the connection.
func closed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe)
}

// greet exchanges OPEN and the first KEEPALIVE messages, after which the session is established.
func (p *peering) greet(ctx context.Context, restarting bool) error {
	open, err := p.settings.open(restarting)
	if err != nil {
		return err
	}
	if err := p.send(ctx, open); err != nil {
		return err
	}
	p.view.enter(openSent)
	if err := p.await(ctx, openWait); err != nil {
		return err
	}
	hint := time.AfterFunc(openHint, func() { p.view.wait(openSent, "router accepted the connection and has sent no OPEN message yet") })
	m, err := p.next(openSent)
	hint.Stop()
	if err != nil {
		return err
	}
	if err := p.accept(m.body); err != nil {
		return err
	}
	if err := p.send(ctx, keepalive); err != nil {
		return err
	}
	p.view.enter(openConfirm)
	if err := p.await(ctx, cmp.Or(p.agreed.hold, openWait)); err != nil {
		return err
	}
	if _, err = p.next(openConfirm); err != nil {
		return err
	}
	return p.await(ctx, p.agreed.hold)
}

// accept takes the router's OPEN message, or says what is against it. The codec that reads the capabilities is a library:
// should it panic over what a router has made up, that ends this connection and nothing else.
func (p *peering) accept(body []byte) (err error) {
	defer func() {
		if trouble := recover(); trouble != nil {
			err = malformed(bgp.BGP_ERROR_OPEN_MESSAGE_ERROR, 0, nil, fmt.Sprint("a capability cannot be read: ", trouble))
		}
	}()
	said, err := parseOpen(body)
	if err != nil {
		return err
	}
	agreed, err := p.settings.agree(said)
	if err != nil {
		return err
	}
	p.agreed, p.encoder = *agreed, newEncoder(&p.settings, agreed)
	return nil
}

// await bounds the wait for the next message; 0: there is no bound.
func (p *peering) await(ctx context.Context, limit time.Duration) error {
	deadline := time.Time{}
	if limit > 0 {
		deadline = time.Now().Add(limit)
	}
	_ = p.wire.conn.SetReadDeadline(deadline) // Fails on a closed connection, as reading will.
	if ctx.Err() != nil {                     // Asked after that: hurry sets a nearer deadline when ctx ends.
		return context.Cause(ctx)
	}
	return nil
}

// listen reads what an established router sends until the connection ends, and says why it did. It never writes, so that
// a router that writes without end, and does not read, cannot stop us from reading.
func (p *peering) listen(ctx context.Context) error {
	var speed gauge
	for {
		if speed.read(ctx) {
			p.view.flood(speed.flooded())
		}
		m, err := p.next(v1beta1.BGPEstablished)
		if err != nil {
			return err
		}
		switch m.kind {
		case bgp.BGP_MSG_UPDATE:
			refused, err := prefixesIn(m.body)
			if err != nil {
				return err
			}
			p.view.refused.Add(int64(refused))
		case bgp.BGP_MSG_ROUTE_REFRESH:
			p.ask(m.body)
			continue // RFC 4271 section 8.2.2: only KEEPALIVE and UPDATE restart the hold timer.
		}
		if err := p.await(ctx, p.agreed.hold); err != nil {
			return err
		}
	}
}

// ask notes that a router asks for a family's paths again. Another family means nothing, nor do RFC 7313's marks of where an
// answer begins and ends, 1 and 2; any other value of that octet is to be ignored (RFC 2918 section 3).
func (p *peering) ask(body []byte) {
	afi, mark, safi := uint16(body[0])<<8|uint16(body[1]), body[2], body[3]
	for _, family := range p.agreed.families {
		if w := wireFamily(family); w.Afi() == afi && w.Safi() == safi && mark != 1 && mark != 2 {
			p.again[place(family)].Store(true)
			poke(p.asked)
		}
	}
}

// send writes messages. A router that does not read them is given up: RFC 9687.
func (p *peering) send(ctx context.Context, messages ...[]byte) error {
	patience := 2 * p.agreed.hold
	if patience == 0 {
		patience = openWait
	}
	for _, message := range messages {
		err := p.wire.write(ctx, message, patience)
		switch {
		case err == nil:
		case timedOut(err) && ctx.Err() == nil:
			return &ending{words: "router does not read what it is sent: send hold timer expired", code: sendHoldTimer}
		case closed(err):
			return hungUp
		default:
			return err
		}
	}
	return nil
}
