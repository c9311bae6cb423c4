package gossip

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/daymark-lb/daymark/speaker/rawconn"
)

// What those may cost who have not shown yet that they have the key. memberlist reads a message to its end, up to 20 MB, before
// it can decrypt it, so the bytes and connections must be bounded where they come in.
const (
	// maxReading is how many connections are read at once, maxPerAddress how many one node may have; the rest of a node's are
	// closed, those of others wait up to readingTimeout for their turn.
	maxReading, maxPerAddress = 16, 4
	readingTimeout            = time.Second
	// maxStrangers and maxStrangerBytes are the same for all addresses together that no node is known to have.
	maxStrangers, maxStrangerBytes = 2, 256 << 10
	// minBytes, bytesPerNode and bytesPerClaim are the most bytes of a connection of a node: what a speaker may have to tell of a cluster
	// of which we know about as much. A claim has 39 at most; the others may know of twice as many.
	minBytes, bytesPerNode, bytesPerClaim = 1 << 20, 64 << 10, 2 * 39
	// minBudget is the most bytes that are held of all connections, or twice those of one connection if that is more.
	minBudget = 8 << 20
	// strangerDatagrams is how many datagrams a second are looked at that come from unknown addresses.
	strangerDatagrams = 100
	// streamBuffer is the kernel's buffer for a connection that is not read yet.
	streamBuffer = 64 << 10
)

var (
	errTooLong = errors.New("the message is longer than any of ours may be")
	errBusy    = errors.New("other connections hold all memory that is set apart for them")
)

// guard decides which connections and datagrams are looked at. Its methods may be called by several goroutines.
type guard struct {
	// collect returns the addresses of all nodes, outdated says that they may have changed since.
	// claims is how many claims we have or wait for. No stranger makes them more.
	collect  func() map[netip.Addr]struct{}
	claims   func() int
	outdated atomic.Bool
	nodes    atomic.Pointer[map[netip.Addr]struct{}]
	// rejected is called for every datagram that is dropped.
	rejected  func()
	datagrams *rate.Limiter
	reading   chan struct{}

	mu sync.Mutex
	// open counts connections by address; strangers are all from unknown ones.
	open      map[netip.Addr]int
	strangers int
	// held is how many bytes all connections have brought that are not done.
	held int
}

func newGuard(collect func() map[netip.Addr]struct{}, claims func() int, rejected func()) *guard {
	g := &guard{
		collect: collect, claims: claims, rejected: rejected, datagrams: rate.NewLimiter(strangerDatagrams, strangerDatagrams),
		reading: make(chan struct{}, maxReading), open: map[netip.Addr]int{},
	}
	g.nodes.Store(&map[netip.Addr]struct{}{})
	g.outdated.Store(true)
	return g
}

// isNode reports whether an address is that of a node, and no more than that: anybody on the segment can pretend to it, and so
// can a pod whose connections are masqueraded.
func (g *guard) isNode(addr netip.Addr) bool {
	if _, known := (*g.nodes.Load())[addr]; known {
		return true
	}
	if !g.outdated.Swap(false) {
		return false
	}
	nodes := g.collect()
	g.nodes.Store(&nodes)
	_, known := nodes[addr]
	return known
}

// limits returns the most bytes of a node's connection, and of all connections.
func (g *guard) limits() (each, all int) {
	each = min(minBytes+bytesPerNode*len(*g.nodes.Load())+bytesPerClaim*g.claims(), maxExchange+minBytes)
	return each, max(minBudget, 2*each)
}

// labelled is how memberlist's datagrams begin.
var labelled = append([]byte{244, byte(len(label))}, label...)

// admitsDatagram reports whether a datagram is to be decrypted: it looks like one of ours, and comes from a node. A node may
// have an address that we do not know, so of others some are admitted.
func (g *guard) admitsDatagram(from netip.Addr, data []byte) bool {
	if (isSealed(data) || isShort(data) || bytes.HasPrefix(data, labelled)) && (g.isNode(from) || g.datagrams.Allow()) {
		return true
	}
	g.rejected()
	return false
}

// admit returns a connection that is bounded, or closes it and returns nil. It may take readingTimeout.
func (g *guard) admit(conn net.Conn) net.Conn {
	from := conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap() //nolint:forcetypeassert // It is a TCP listener's.
	node := g.isNode(from)
	if !g.enter(from, node) {
		refuse(conn)
		return nil
	}
	limit, _ := g.limits()
	if !node {
		return &boundedConn{Conn: rawconn.New(conn), hold: g.hold, left: maxStrangerBytes, release: func() { g.leave(from, node) }}
	}
	select {
	case g.reading <- struct{}{}:
	case <-time.After(readingTimeout):
		g.leave(from, node)
		refuse(conn)
		return nil
	}
	return &boundedConn{Conn: rawconn.New(conn), hold: g.hold, left: limit, release: func() { <-g.reading; g.leave(from, node) }}
}

// dialed returns a connection of ours that is bounded as that of a node: who answers there has not shown either that it has the key.
// There are few of those at a time, so they need nothing of the budget, which others may use up.
func (g *guard) dialed(conn net.Conn) net.Conn {
	limit, _ := g.limits()
	return &boundedConn{Conn: rawconn.New(conn), hold: func(int) bool { return true }, left: limit, release: func() {}}
}

// refuse closes a connection at once, so that nothing is kept of it.
func refuse(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// enter counts a connection, and reports whether there may be one more.
func (g *guard) enter(from netip.Addr, node bool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case node && g.open[from] < maxPerAddress:
		g.open[from]++
	case !node && g.strangers < maxStrangers:
		g.strangers++
	default:
		return false
	}
	return true
}

func (g *guard) leave(from netip.Addr, node bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !node {
		g.strangers--
	} else if g.open[from]--; g.open[from] == 0 {
		delete(g.open, from)
	}
}

// hold counts bytes that are kept, and reports whether that is still within the budget.
func (g *guard) hold(n int) bool {
	_, all := g.limits()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held += n
	return g.held <= all
}

// boundedConn is a connection that brings no more than it may. One message comes by it, so all of it is unproven until the
// last byte.
type boundedConn struct {
	net.Conn
	hold       func(n int) bool
	left, held int
	release    func()
	closing    sync.Once
}

// Read fails when the connection has brought more than it may.
func (c *boundedConn) Read(b []byte) (int, error) {
	if c.left == 0 {
		return 0, errTooLong
	}
	n, err := c.Conn.Read(b[:min(len(b), c.left)])
	c.left -= n
	c.held += n
	if !c.hold(n) {
		return 0, errBusy
	}
	return n, err //nolint:wrapcheck // memberlist asks whether it is io.EOF.
}

// Close gives back what the connection had of the budget.
func (c *boundedConn) Close() error {
	err := c.Conn.Close()
	c.closing.Do(func() {
		c.hold(-c.held)
		c.release()
	})
	return err //nolint:wrapcheck // memberlist logs it.
}
