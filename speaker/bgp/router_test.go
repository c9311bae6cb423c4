package bgp

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
	"github.com/vishvananda/netlink"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/netnstest"
	"github.com/daymark-lb/daymark/internal/testnet"
)

// hosts counts the addresses on the loopback interface, from 198.19.128.1, for routers that run in the test process.
var hosts atomic.Int32

func newHost(t testing.TB) netip.Addr {
	t.Helper()
	n := hosts.Add(1)
	addr := netip.AddrFrom4([4]byte{198, 19, 128 + byte(n>>8), byte(n)})
	netnstest.Address(t, "lo", netip.PrefixFrom(addr, 32))
	t.Cleanup(func() {
		lo, err := netlink.LinkByName("lo")
		if err == nil {
			err = netlink.AddrDel(lo, &netlink.Addr{IPNet: testnet.IPNet(netip.PrefixFrom(addr, 32))})
		}
		if err != nil {
			t.Errorf("%s is not removed: %v", addr, err)
		}
	})
	return addr
}

// local makes a desired session with a router in this process. It has a source address of its own.
func local(t testing.TB, name string, router netip.Addr, change func(*announce.Session)) announce.Session {
	t.Helper()
	ours := newHost(t)
	s := announce.Session{
		Name: name, Peer: name, MyASN: 64512, PeerASN: 64513, Address: router, Source: ours, RouterID: ours, NextHop4: ours,
		HoldTime: 9 * time.Second, ConnectTime: 2 * time.Second, Families: []lb.Family{lb.IPv4},
	}
	if change != nil {
		change(&s)
	}
	return s
}

// routerSettings are the settings of a router that the tests implement: AS 64513, both families, graceful restart with the N
// bit.
func routerSettings(change func(*settings)) *settings {
	s := &settings{
		myASN: 64513, routerID: netip.MustParseAddr("192.0.2.250"), holdTime: 9 * time.Second, ipv4: true, ipv6: true,
		restartTime: time.Minute, bfd: true, bfdSeen: true,
	}
	if change != nil {
		change(s)
	}
	return s
}

func (s *settings) mustEncodeOpen(t testing.TB) []byte {
	t.Helper()
	message, err := s.encodeOpen(false)
	if err != nil {
		t.Fatal(err)
	}
	return message
}

// router accepts connections and sessions, and keeps what it is sent, as GoBGP's codec decodes it.
type router struct {
	t        testing.TB
	settings *settings

	mu   sync.Mutex
	conn net.Conn
	meds map[netip.Prefix]uint32
	// hops are the next hops by prefix; updates is the number of UPDATE messages.
	hops    map[netip.Prefix]netip.Addr
	updates int
	// notified is the last NOTIFICATION message, without its header.
	notified []byte

	// discard: it reads what it is sent, and forgets it.
	discard atomic.Bool
}

func startRouter(t testing.TB, sessions ...announce.Session) *router {
	t.Helper()
	return startRouterWith(t, sessions[0].Address, routerSettings(func(s *settings) { s.ipv6 = false }))
}

func startRouterWith(t testing.TB, at netip.Addr, with *settings) *router {
	t.Helper()
	r := &router{t: t, settings: with}
	r.clear()
	listener, err := net.Listen("tcp", netip.AddrPortFrom(at, 179).String())
	if err != nil {
		t.Fatal(err)
	}
	var ended sync.WaitGroup
	ended.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			ended.Go(func() { r.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		r.hangUp()
		ended.Wait()
	})
	return r
}

func (r *router) clear() {
	r.meds, r.hops = map[netip.Prefix]uint32{}, map[netip.Prefix]netip.Addr{}
	r.updates = 0
}

// hangUp closes the present connection.
func (r *router) hangUp() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.conn != nil {
		_ = r.conn.Close()
	}
}

// serve runs a session on a connection. The routes are those of the newest connection.
func (r *router) serve(conn net.Conn) {
	r.mu.Lock()
	r.conn = conn
	r.clear()
	r.mu.Unlock()
	defer func() {
		_ = conn.Close()
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.conn == conn { // The routes go with the connection.
			r.meds, r.hops = map[netip.Prefix]uint32{}, map[netip.Prefix]netip.Addr{}
		}
	}()
	_, _ = conn.Write(r.settings.mustEncodeOpen(r.t))
	_, _ = conn.Write(keepaliveMessage)
	over := make(chan struct{})
	defer close(over)
	go func() { // Send keepalives until the end.
		beat := time.NewTicker(time.Second)
		defer beat.Stop()
		for {
			select {
			case <-over:
				return
			case <-beat.C:
				_, _ = conn.Write(keepaliveMessage)
			}
		}
	}()
	for {
		var header [19]byte
		if _, err := io.ReadFull(conn, header[:]); err != nil {
			return
		}
		body := make([]byte, int(header[16])<<8+int(header[17])-19)
		if _, err := io.ReadFull(conn, body); err != nil {
			return
		}
		if r.discard.Load() {
			continue
		}
		message, err := bgp.ParseBGPMessage(append(header[:], body...))
		if err == nil && len(body) > 4096-19 {
			err = errors.New("it is too long")
		}
		if err != nil {
			r.t.Errorf("the router does not understand a message: %v", err)
			return
		}
		r.take(message)
	}
}

func (r *router) take(message *bgp.BGPMessage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m, is := message.Body.(*bgp.BGPNotification); is {
		r.notified = append([]byte{m.ErrorCode, m.ErrorSubcode}, m.Data...)
	}
	m, ok := message.Body.(*bgp.BGPUpdate)
	if !ok {
		return
	}
	if end, _ := m.IsEndOfRib(); !end {
		r.updates++
		r.learn(m)
	}
}

// learn takes an UPDATE. Prefixes without MED have MED 0.
func (r *router) learn(m *bgp.BGPUpdate) {
	prefix := func(n bgp.PathNLRI) netip.Prefix { return n.NLRI.(*bgp.IPAddrPrefix).Prefix }
	announced := m.NLRI
	withdrawn := m.WithdrawnRoutes
	var med uint32
	var next netip.Addr
	for _, attribute := range m.PathAttributes {
		switch a := attribute.(type) {
		case *bgp.PathAttributeMultiExitDisc:
			med = a.Value
		case *bgp.PathAttributeNextHop:
			next = a.Value
		case *bgp.PathAttributeMpReachNLRI:
			announced, next = append(announced, a.Value...), a.Nexthop
		case *bgp.PathAttributeMpUnreachNLRI:
			withdrawn = append(withdrawn, a.Value...)
		}
	}
	for _, n := range withdrawn {
		delete(r.meds, prefix(n))
	}
	for _, n := range announced {
		r.meds[prefix(n)], r.hops[prefix(n)] = med, next
	}
}

// holds waits until the router has exactly the given paths.
func (r *router) holds(paths []announce.Path) {
	r.t.Helper()
	want := map[netip.Prefix]uint32{}
	for _, p := range paths {
		want[p.Prefix] = 0
		if p.Attributes.MED != nil {
			want[p.Prefix] = *p.Attributes.MED
		}
	}
	netnstest.Eventually(r.t, "the router has what was asked for", func() error {
		r.mu.Lock()
		defer r.mu.Unlock()
		if !maps.Equal(r.meds, want) {
			return fmt.Errorf("it has %d, not %d", len(r.meds), len(want))
		}
		return nil
	})
}

// lastNotified is the last NOTIFICATION message that the router was sent; empty: none.
func (r *router) lastNotified() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.notified
}

// count is the number of prefixes that the router has.
func (r *router) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.meds)
}
