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

// maxMessageLength is the most bytes that are read of a message. An advertisement fits into the minimum MTU of IPv6,
// 1280 bytes. A longer message is truncated within its last option, which makes it invalid.
const maxMessageLength = 2048

// raSocket sends and receives Router Advertisements and Solicitations on one interface.
type raSocket struct {
	netif *netInterface
	conn  *ndp.Conn
	log   *slog.Logger
	// onChange is called after router or lastErr have changed, and must return at once.
	onChange func()

	// neighbor and schedule belong to the goroutine of serve.
	neighbor neighbor
	schedule schedule

	mu      sync.Mutex
	router  netip.Addr
	lastErr error
	// broken: serve has ended with an error.
	broken bool
}

// open opens a socket that knows no router.
func open(netif *netInterface, log *slog.Logger, onChange func()) (*raSocket, error) {
	// The zone is the index of the interface and not its name. Go caches for a minute which index a name had, and would
	// bind the socket to an interface that has been replaced.
	number := &net.Interface{Index: netif.index, Name: strconv.Itoa(netif.index)}
	conn, _, err := ndp.Listen(number, ndp.Addr(netif.addresses[0].String()))
	if err != nil {
		return nil, fmt.Errorf("open an ICMPv6 socket: %w", err)
	}
	s := &raSocket{netif: netif, conn: conn, log: log, onChange: onChange}
	if err := s.configure(); err != nil {
		return nil, errors.Join(fmt.Errorf("set up an ICMPv6 socket: %w", err), conn.Close())
	}
	return s, nil
}

// configure makes the socket receive Router Advertisements and Solicitations and nothing else.
func (s *raSocket) configure() error {
	var filter ipv6.ICMPFilter
	filter.SetAll(true)
	filter.Accept(ipv6.ICMPTypeRouterAdvertisement)
	filter.Accept(ipv6.ICMPTypeRouterSolicitation)
	return errors.Join(
		s.conn.SetICMPFilter(&filter),
		s.conn.SetControlMessage(ipv6.FlagHopLimit|ipv6.FlagInterface, true),
		// A host is always a member of the all-nodes group, but of the all-routers group only while it forwards.
		s.conn.JoinGroup(allRouters),
	)
}

// close makes serve return.
func (s *raSocket) close() { _ = s.conn.Close() }

// serve sends and receives until the socket is closed or fails. Nobody is woken by a failure: the next apply notices
// it, so that a socket that fails again and again does not keep a core busy.
func (s *raSocket) serve() {
	if err := s.run(); err != nil && !errors.Is(err, net.ErrClosed) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.lastErr, s.broken = err, true
	}
}

// run sends what is due and handles what is received, in turns. The read deadline is the clock. It is checked before
// the queue of the socket, so that a flood of messages does not keep us from sending.
func (s *raSocket) run() error {
	message := make([]byte, maxMessageLength)
	for {
		s.sendDue(time.Now())
		if err := s.conn.SetReadDeadline(s.schedule.nextDue(s.neighbor)); err != nil {
			return fmt.Errorf("set a deadline: %w", err)
		}
		n, control, from, err := s.conn.ReadRaw(message)
		switch {
		case err == nil:
			s.handleMessage(message[:n], control, from.WithZone(""), time.Now())
		case errors.Is(err, os.ErrDeadlineExceeded):
		default:
			return fmt.Errorf("receive: %w", err)
		}
	}
}

// sendDue sends the messages that are due.
func (s *raSocket) sendDue(now time.Time) {
	var errs []error
	solicit, advertise := !s.schedule.solicitAt(s.neighbor).After(now), !s.schedule.advertise.After(now)
	if solicit {
		err := send(s.conn, routerSolicitation(s.netif.mac), allRouters)
		s.schedule.solicitationSent(now, err == nil, rand.Float64()) //nolint:gosec // Only spreads messages.
		errs = append(errs, err)
	}
	if advertise {
		err := send(s.conn, routerAdvertisement(s.netif.mac), netip.IPv6LinkLocalAllNodes())
		s.schedule.advertisementSent(now, err == nil, rand.Float64()) //nolint:gosec // Only spreads messages.
		errs = append(errs, err)
	}
	if solicit || advertise {
		s.setLastErr(errors.Join(errs...))
	}
}

// setLastErr records the result of the last messages, and reports it if it changed.
func (s *raSocket) setLastErr(err error) {
	s.mu.Lock()
	same := (err == nil) == (s.lastErr == nil) && (err == nil || err.Error() == s.lastErr.Error())
	s.mu.Unlock()
	if !same {
		s.update(func() { s.lastErr = err })
	}
}

// handleMessage handles a received message. It ignores messages that were forwarded (their hop limit is less than 255),
// that came in by another interface, or that this node sent.
func (s *raSocket) handleMessage(message []byte, control *ipv6.ControlMessage, from netip.Addr, now time.Time) {
	if control == nil || control.HopLimit != ndp.HopLimit || control.IfIndex != s.netif.index ||
		slices.Contains(s.netif.addresses, from) {
		return
	}
	switch classify(message, from) {
	case advertisement:
		if before := s.neighbor.addr; s.neighbor.observe(from, now) {
			s.log.Info("router found", "interface", s.netif.name, "router", from, "before", before)
			s.update(func() { s.router = from.WithZone(s.netif.name) })
			s.advertiseTo(from, now)
		}
	case solicitation:
		s.schedule.solicitationReceived(now, rand.Float64()) //nolint:gosec // Only spreads messages.
	case invalid:
	}
}

// advertiseTo sends an advertisement to a router that was just found and may not have received one of ours: at once by
// unicast, and by multicast as soon as minAdvertiseDelay permits. This happens at most once in routerTimeout, because a
// router is not replaced more often.
func (s *raSocket) advertiseTo(router netip.Addr, now time.Time) {
	s.schedule.routerFound(now)
	s.setLastErr(send(s.conn, routerAdvertisement(s.netif.mac), router))
}

// update changes router or lastErr and calls onChange.
func (s *raSocket) update(change func()) {
	s.mu.Lock()
	change()
	s.mu.Unlock()
	s.onChange()
}

// state returns the router, whether serve has failed, and the last error.
func (s *raSocket) state() (router netip.Addr, broken bool, lastErr error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.router, s.broken, s.lastErr
}
