package unnumbered

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/mdlayher/ndp"
	"golang.org/x/net/ipv6"
)

// longest message that is read whole. An advertisement fits into the least MTU of IPv6, 1280 bytes; of a longer one the
// end is cut off, and with it the last option, which makes it invalid.
const longest = 2048

// port is our ear and mouth on one interface.
type port struct {
	on   *station
	conn *ndp.Conn
	log  *slog.Logger
	// told is called after router or trouble have changed, and must return at once.
	told func()

	// neighbor and rhythm belong to serve.
	neighbor neighbor
	rhythm   rhythm

	mu      sync.Mutex
	router  netip.Addr
	trouble error
	// broken: serve has ended by itself.
	broken bool
}

// open opens a port that knows nothing yet.
func open(on *station, log *slog.Logger, told func()) (*port, error) {
	// The zone is the number of the interface, not its name: Go remembers for a minute which number a name had, and
	// would bind the socket to an interface that has been replaced.
	number := &net.Interface{Index: on.index, Name: strconv.Itoa(on.index)}
	conn, _, err := ndp.Listen(number, ndp.Addr(on.addresses[0].String()))
	if err != nil {
		return nil, fmt.Errorf("open an ICMPv6 socket: %w", err)
	}
	p := &port{on: on, conn: conn, log: log, told: told}
	if err := p.prepare(); err != nil {
		return nil, errors.Join(fmt.Errorf("set up an ICMPv6 socket: %w", err), conn.Close())
	}
	return p, nil
}

// prepare makes the socket receive what we want to hear and nothing else.
func (p *port) prepare() error {
	var filter ipv6.ICMPFilter
	filter.SetAll(true)
	filter.Accept(ipv6.ICMPTypeRouterAdvertisement)
	filter.Accept(ipv6.ICMPTypeRouterSolicitation)
	return errors.Join(
		p.conn.SetICMPFilter(&filter),
		p.conn.SetControlMessage(ipv6.FlagHopLimit|ipv6.FlagInterface, true),
		// A host is in the group of all nodes without asking; in that of all routers it is only while it forwards.
		p.conn.JoinGroup(allRouters),
	)
}

// close makes serve return.
func (p *port) close() { _ = p.conn.Close() }

// serve speaks and listens until the port is closed or breaks. Of a break nobody is told: it is noticed at the next look,
// so that a socket that breaks at once, again and again, keeps nobody busy.
func (p *port) serve() {
	if err := p.exchange(); err != nil && !errors.Is(err, net.ErrClosed) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.trouble, p.broken = err, true
	}
}

// exchange says what is due and hears what comes, by turns. The deadline of the socket is the clock, and it is looked at
// before the queue: no flood of messages keeps us from speaking.
func (p *port) exchange() error {
	message := make([]byte, longest)
	for {
		p.speak(time.Now())
		if err := p.conn.SetReadDeadline(p.rhythm.next(p.neighbor)); err != nil {
			return fmt.Errorf("set a deadline: %w", err)
		}
		n, control, from, err := p.conn.ReadRaw(message)
		switch {
		case err == nil:
			p.hear(message[:n], control, from.WithZone(""), time.Now())
		case errors.Is(err, os.ErrDeadlineExceeded):
		default:
			return fmt.Errorf("receive: %w", err)
		}
	}
}

// speak sends what is due.
func (p *port) speak(now time.Time) {
	var errs []error
	solicit, advertise := !p.rhythm.solicitAt(p.neighbor).After(now), !p.rhythm.advertise.After(now)
	if solicit {
		err := send(p.conn, question(p.on.mac), allRouters)
		p.rhythm.solicited(now, err == nil, rand.Float64()) //nolint:gosec // Only spreads messages.
		errs = append(errs, err)
	}
	if advertise {
		err := send(p.conn, announcement(p.on.mac), netip.IPv6LinkLocalAllNodes())
		p.rhythm.advertisedAt(now, err == nil, rand.Float64()) //nolint:gosec // Only spreads messages.
		errs = append(errs, err)
	}
	if solicit || advertise {
		p.complain(errors.Join(errs...))
	}
}

// complain notes what has become of the last messages.
func (p *port) complain(err error) {
	p.mu.Lock()
	same := (err == nil) == (p.trouble == nil) && (err == nil || err.Error() == p.trouble.Error())
	p.mu.Unlock()
	if !same {
		p.change(func() { p.trouble = err })
	}
}

// hear takes note of a message. What was forwarded by somebody (its hop limit is less than 255), came in by another
// interface or is our own or another program's of this node is passed over.
func (p *port) hear(message []byte, control *ipv6.ControlMessage, from netip.Addr, now time.Time) {
	if control == nil || control.HopLimit != ndp.HopLimit || control.IfIndex != p.on.index ||
		slices.Contains(p.on.addresses, from) {
		return
	}
	switch kindOf(message, from) {
	case advertisement:
		if before := p.neighbor.addr; p.neighbor.hear(from, now) {
			p.log.Info("router found", "interface", p.on.name, "router", from, "before", before)
			p.change(func() { p.router = from.WithZone(p.on.name) })
			p.greet(from, now)
		}
	case solicitation:
		p.rhythm.asked(now, rand.Float64()) //nolint:gosec // Only spreads messages.
	case invalid:
	}
}

// greet tells a router of us that has just come and may not have heard us: at once, to itself alone, which the least time
// between advertisements to all does not concern, and to all as soon as that permits. There is no more than one greeting
// in 30 s, as often as another router can take a place.
func (p *port) greet(router netip.Addr, now time.Time) {
	p.rhythm.met(now)
	p.complain(send(p.conn, announcement(p.on.mac), router))
}

// change changes what others see, and tells them.
func (p *port) change(by func()) {
	p.mu.Lock()
	by()
	p.mu.Unlock()
	p.told()
}

// state is what a port has come to.
func (p *port) state() (router netip.Addr, broken bool, trouble error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.router, p.broken, p.trouble
}
