package gossip

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"
)

const ms = time.Millisecond

// begins is the time at which tests with a time of their own start.
var begins = time.Unix(1e9, 0)

// network is what lies between the speakers of a test. It can be cut between any two, by address and for datagrams and
// connections alike, and a speaker can be stopped, as a signal stops a process.
type network struct {
	mu  sync.Mutex
	cut map[[2]netip.Addr]bool
	// sent counts datagrams by sender.
	sent map[netip.Addr]int
	// drops says which datagrams are lost, by their size; nil: none.
	drops func(size int) bool
	// deaf is the speaker that nothing arrives at, so that it has no connections either.
	deaf netip.Addr
	// unconnected are the addresses that connections come neither from nor to, ungossiped those that memberlist's datagrams do not come to.
	unconnected, ungossiped map[netip.Addr]bool
}

// disconnect lets no connections through from or to an address any more, or again. Datagrams do get through.
func (n *network) disconnect(at netip.Addr, is bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.unconnected[at] = is
}

// keepGossip lets none of memberlist's own datagrams through to an address any more.
func (n *network) keepGossip(at netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ungossiped[at] = true
}

func (n *network) keepsGossip(at netip.Addr) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.ungossiped[at]
}

func (n *network) isUnconnected(all ...netip.Addr) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.ContainsFunc(all, func(at netip.Addr) bool { return n.unconnected[at] })
}

// deafen lets nothing arrive at a speaker, though what it sends by datagram does arrive.
func (n *network) deafen(s *speaker) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.deaf = s.at.Addr()
}

func (n *network) isDeaf(all ...netip.Addr) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Contains(all, n.deaf)
}

// lose has datagrams lost from now on, though connections work.
func (n *network) lose(drops func(size int) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.drops = drops
}

func (n *network) loses(size int) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.drops != nil && n.drops(size)
}

func newNetwork() *network {
	return &network{cut: map[[2]netip.Addr]bool{}, sent: map[netip.Addr]int{}, unconnected: map[netip.Addr]bool{}, ungossiped: map[netip.Addr]bool{}}
}

// part cuts a speaker off from others, both ways.
func (n *network) part(one *speaker, others ...*speaker) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, other := range others {
		n.cut[[2]netip.Addr{one.at.Addr(), other.at.Addr()}] = true
		n.cut[[2]netip.Addr{other.at.Addr(), one.at.Addr()}] = true
	}
}

// mute lets others be heard by a speaker again that they were parted from, and go on without hearing it.
func (n *network) mute(one *speaker, others ...*speaker) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, other := range others {
		delete(n.cut, [2]netip.Addr{other.at.Addr(), one.at.Addr()})
	}
}

// heal undoes all cuts.
func (n *network) heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.cut)
	n.deaf = netip.Addr{}
}

func (n *network) isCut(from, to netip.Addr) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sent[from]++
	return n.cut[[2]netip.Addr{from, to}]
}

func (n *network) sentBy(s *speaker) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.sent[s.at.Addr()]
}

// join puts a speaker that has not begun on the network.
func (n *network) join(s *speaker) {
	s.switches = &switches{}
	s.switches.cond = sync.NewCond(&s.switches.mu)
	s.listen = func(at netip.AddrPort, log *slog.Logger, guard *guard, sealed receiver) (memberlist.NodeAwareTransport, error) {
		inner, err := listen(at, log, guard, sealed)
		if err != nil {
			return nil, err
		}
		t := &tap{
			NodeAwareTransport: inner, network: n, at: at.Addr(), switches: s.switches,
			packets: make(chan *memberlist.Packet), streams: make(chan net.Conn), done: make(chan struct{}),
		}
		go pass(t, inner.PacketCh(), t.packets, func() bool { return n.keepsGossip(t.at) })
		go pass(t, inner.StreamCh(), t.streams, func() bool { return false })
		return t, nil
	}
	s.awake = func() {
		s.switches.wait()
		s.switches.ticked.Store(true)
	}
}

// switches stop a speaker and wake it again.
type switches struct {
	mu      sync.Mutex
	cond    *sync.Cond
	stopped bool
	// ticked: a tick has been delivered.
	ticked atomic.Bool
}

func (s *switches) set(stopped bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = stopped
	s.cond.Broadcast()
}

func (s *switches) isStopped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopped
}

// wait waits while the speaker is stopped.
func (s *switches) wait() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.stopped {
		s.cond.Wait()
	}
}

// tap is a transport through the network.
type tap struct {
	memberlist.NodeAwareTransport
	network  *network
	switches *switches
	at       netip.Addr
	packets  chan *memberlist.Packet
	streams  chan net.Conn
	done     chan struct{}
}

// pass forwards what comes and is not lost, except while the speaker is stopped.
func pass[T any](t *tap, from <-chan T, to chan<- T, isLost func() bool) {
	for {
		select {
		case each := <-from:
			t.switches.wait()
			if isLost() {
				continue
			}
			select {
			case to <- each:
			case <-t.done:
			}
		case <-t.done:
			return
		}
	}
}

// drain does nothing while the speaker is stopped: who asks then is the test.
func (t *tap) drain() {
	if !t.switches.isStopped() {
		t.NodeAwareTransport.(*transport).drain()
	}
}

func (t *tap) PacketCh() <-chan *memberlist.Packet { return t.packets }

func (t *tap) StreamCh() <-chan net.Conn { return t.streams }

func (t *tap) Shutdown() error {
	err := t.NodeAwareTransport.Shutdown()
	close(t.done)
	return err
}

func (t *tap) WriteTo(b []byte, addr string) (time.Time, error) {
	return t.WriteToAddress(b, memberlist.Address{Addr: addr})
}

func (t *tap) WriteToAddress(b []byte, to memberlist.Address) (time.Time, error) {
	t.switches.wait()
	if at := netip.MustParseAddrPort(to.Addr).Addr(); t.network.isCut(t.at, at) || t.network.isDeaf(at) || t.network.loses(len(b)) {
		return time.Now(), nil
	}
	return t.NodeAwareTransport.WriteToAddress(b, to)
}

func (t *tap) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	return t.DialAddressTimeout(memberlist.Address{Addr: addr}, timeout)
}

func (t *tap) DialAddressTimeout(to memberlist.Address, timeout time.Duration) (net.Conn, error) {
	t.switches.wait()
	if at := netip.MustParseAddrPort(to.Addr).Addr(); t.network.isCut(t.at, at) || t.network.isDeaf(t.at, at) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("i/o timeout")}
	} else if t.network.isUnconnected(t.at, at) {
		select { // As long as it takes who waits for an answer to a packet that is dropped.
		case <-time.After(timeout):
		case <-t.done:
		}
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("i/o timeout")}
	}
	return t.NodeAwareTransport.DialAddressTimeout(to, timeout)
}

// eventually waits for a condition of which nothing notifies.
func eventually(t testing.TB, what string, is func() bool) time.Duration {
	t.Helper()
	begin := time.Now()
	for !is() {
		if time.Since(begin) > 20*time.Second {
			t.Fatalf("%s: still not", what)
		}
		time.Sleep(time.Millisecond)
	}
	return time.Since(begin)
}
