package gossip

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/traceapi"
)

// flood opens connections from an address, sends the beginning of a message of 20 MB and then its bytes, and begins anew when
// it is hung up on, until done. It returns how many bytes were taken.
func flood(from netip.Addr, to netip.AddrPort, connections int, done <-chan struct{}) (taken func() int64) {
	var (
		working sync.WaitGroup
		mu      sync.Mutex
		total   int64
	)
	head := append(append([]byte{}, labelled...), 10)
	head = binary.BigEndian.AppendUint32(head, 20<<20)
	garbage := make([]byte, 64<<10)
	for range connections {
		working.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: from.AsSlice()}, Timeout: time.Second}).Dial("tcp", to.String())
				if err != nil {
					time.Sleep(5 * ms)
					continue
				}
				_ = conn.SetDeadline(time.Now().Add(3 * time.Second))
				n := 0
				for block := head; err == nil && n < 20<<20; block = garbage {
					var more int
					more, err = conn.Write(block)
					n += more
				}
				_, _ = io.Copy(io.Discard, io.LimitReader(conn, 100)) // Whoever holds it must give it up.
				_ = conn.Close()
				mu.Lock()
				total += int64(n)
				mu.Unlock()
				time.Sleep(time.Millisecond)
			}
		})
	}
	return func() int64 { working.Wait(); return total }
}

// watchHeap returns the most that the heap has grown until done.
func watchHeap(done <-chan struct{}) (most func() uint64) {
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	highest := before.HeapAlloc
	over := make(chan struct{})
	go func() {
		defer close(over)
		for {
			select {
			case <-done:
				return
			case <-time.After(20 * ms):
				runtime.ReadMemStats(&now)
				highest = max(highest, now.HeapAlloc)
			}
		}
	}()
	return func() uint64 { <-over; return highest - before.HeapAlloc }
}

// Who has no key, and pretends to be a node as well as not, makes a speaker hold little, and keeps nobody out.
func TestGuard_AFloodOfConnectionsCostsLittle(t *testing.T) {
	for i, test := range []struct {
		name string
		// from is the last byte of the attacker's address; 2 is the address of a member.
		from byte
		most uint64
	}{
		{"from an address of no node", 99, 24 << 20},
		{"in the name of a node", 2, 64 << 20},
	} {
		t.Run(test.name, func(t *testing.T) {
			at := func(last byte) netip.Addr { return netip.AddrFrom4([4]byte{127, 6, byte(i), last}) }
			cfg := func(node string, last byte) Config {
				return Config{Node: node, Bind: gossipAt(at(last).String()), Keys: secrets("k"), Timing: patient()}
			}
			a, b := beginWith(t, cfg("a", 1), nil), beginWith(t, cfg("b", 2), nil)
			meet(t, a, b)
			a.awaits(t, "both", alive("a", "b"))
			heartbeats(t, a, b)

			done := make(chan struct{})
			most, taken := watchHeap(done), flood(at(test.from), a.at, 32, done)
			c := beginWith(t, cfg("c", 3), nil)
			meet(t, a, b, c)
			for _, s := range []*speaker{a, b, c} {
				s.awaits(t, "a third one joins meanwhile", alive("a", "b", "c"))
			}
			links := manyLinks(300)
			c.BroadcastState(links)
			took := a.awaits(t, "a state that comes by TCP", func(v View) bool { return equal(v.Peers["c"].State, links) })
			time.Sleep(2 * time.Second)
			a.awaits(t, "nobody is kept out", alive("a", "b", "c"))
			close(done)
			t.Logf("32 connections brought %d MB, the heap grew by %d MB; a state took %v", taken()>>20, most()>>20, took)
			if grown := most(); grown > test.most {
				t.Errorf("the heap grew by %d MB", grown>>20)
			}
			eventually(t, "all that was held is given back", func() bool {
				a.guard.mu.Lock()
				defer a.guard.mu.Unlock()
				return a.guard.held == 0 && len(a.guard.open) == 0 && a.guard.strangers == 0 && len(a.guard.reading) == 0
			})
		})
	}
}

// As many as a socket takes, of everything that a datagram may look like.
func TestGuard_AFloodOfDatagramsStopsNoHeartbeat(t *testing.T) {
	timing := patient()
	timing.ProbeInterval, timing.ProbeTimeout = time.Second, 500*ms
	all := gather(t, nil, "127.6.9.", timing, "a", "b", "c")
	a := all[0]
	done := make(chan struct{})
	var working sync.WaitGroup
	for _, from := range []string{"127.6.9.99", "127.6.9.2"} {
		for _, head := range [][]byte{nil, labelled, {sealedMagic}} {
			working.Go(func() {
				conn, err := net.DialUDP("udp", &net.UDPAddr{IP: net.ParseIP(from)}, net.UDPAddrFromAddrPort(a.at))
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				garbage := make([]byte, 1000)
				_, _ = rand.Read(garbage)
				copy(garbage, head)
				for tick := time.NewTicker(ms); ; {
					select {
					case <-done:
						tick.Stop()
						return
					case <-tick.C:
					}
					for range 5 { // 30,000 a second of all kinds
						_, _ = conn.Write(garbage)
					}
				}
			})
		}
	}
	claims := all[1].claims("192.0.2.1")
	all[1].BroadcastClaims(claims)
	took := a.awaits(t, "a claim", has(claims))
	for until := time.Now().Add(3 * time.Second); time.Now().Before(until); time.Sleep(5 * ms) {
		for _, s := range all {
			if v := s.View(); !alive("a", "b", "c")(v) {
				t.Fatalf("%s sees %v", s.cfg.Node, v.Alive)
			}
		}
	}
	close(done)
	working.Wait()
	t.Logf("a claim took %v", took)
	all[2].crash(t)
	a.awaits(t, "a crash is found as ever", alive("a", "b"))
	if !slices.Contains(a.peers.listed(), "c") {
		t.Error("it was memberlist that found it")
	}
}

// What is known of the nodes decides, as it is now.
func TestGuard_KnowsTheNodes(t *testing.T) {
	m := New(Config{Node: "self", Keys: secrets("k")})
	isNode := func(addr string) bool { return m.guard.isNode(netip.MustParseAddr(addr)) }
	if isNode("192.0.2.1") {
		t.Error("an address is known before anything is")
	}
	m.SetNodes([]netip.Addr{netip.MustParseAddr("192.0.2.1")})
	m.Set(map[string]ExpectedPeer{"b": {Address: netip.MustParseAddrPort("192.0.2.2:7946")}, "c": {}})
	m.peers.setListed(begins, "d", listing{incarnation: 1, at: netip.MustParseAddrPort("192.0.2.3:7946")}, true)
	m.guard.outdated.Store(true) // As the events of memberlist do.
	m.mergeState(begins, record("d", 1, 1, manyLinks(1)))
	for addr, want := range map[string]bool{
		"192.0.2.1": true, "192.0.2.2": true, "192.0.2.3": true, "fe80::1": true, "192.0.2.9": false, "0.0.0.0": false,
	} {
		if isNode(addr) != want {
			t.Errorf("%s is that of a node: %v", addr, !want)
		}
	}
	if each, all := m.guard.limits(); each < minBytes || all < 2*each {
		t.Errorf("%d bytes each, %d in all", each, all)
	}
}

// A cluster may have more claims than the floor has room for: who starts expects those of the addresses that it wants.
func TestGuard_HasRoomForAHundredThousandClaims(t *testing.T) {
	a, b := New(Config{Node: "a", Keys: secrets("k")}), New(Config{Node: "b", Keys: secrets("k")})
	wanted := map[netip.Addr]struct{}{}
	addr := netip.MustParseAddr("2001:db8::")
	claims := make([]election.Claim, 0, 100_000)
	for range cap(claims) {
		addr = addr.Next()
		wanted[addr] = struct{}{}
		claims = append(claims, election.Claim{Addr: addr, Node: "a", Incarnation: a.Incarnation(), Term: 1 << 20, Announced: true})
	}
	a.mergeClaims(time.Now(), claims, traceapi.Out)
	exchange := delegate{a}.LocalState(false)
	brings := func() (int64, error) {
		from, to := net.Pipe()
		defer to.Close()
		go func() {
			_, _ = from.Write(exchange)
			_ = from.Close()
		}()
		return io.Copy(io.Discard, b.guard.dialed(to))
	}
	if n, err := brings(); !errors.Is(err, errTooLong) {
		t.Errorf("one that waits for no claims takes %d bytes of %d: %v", n, len(exchange), err)
	}
	b.SetWanted(wanted)
	if n, err := brings(); err != nil || n != int64(len(exchange)) {
		t.Errorf("one that waits for them takes %d bytes of %d: %v", n, len(exchange), err)
	}
	b.SetWanted(nil)
	delegate{b}.MergeRemoteState(exchange, false)
	if n, err := brings(); err != nil || n != int64(len(exchange)) {
		t.Errorf("one that has them takes %d bytes of %d: %v", n, len(exchange), err)
	}
	if each, all := b.guard.limits(); each > maxExchange || all > 2*maxExchange {
		t.Errorf("%d bytes for each connection, %d for all", each, all)
	}
}

// Whoever has taken the address of a speaker that is away is asked for all that it knows, and has no key either.
func TestGuard_BoundsWhatIsAnsweredToUs(t *testing.T) {
	a := begin(t, "a", "127.6.8.1", "k")
	away, err := net.Listen("tcp", "127.6.8.2:7946")
	if err != nil {
		t.Fatal(err)
	}
	defer away.Close()
	brought := make(chan int, 1)
	go func() {
		conn, err := away.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(3 * time.Second))
		n, err := conn.Write(binary.BigEndian.AppendUint32([]byte{10}, 20<<20))
		for garbage := make([]byte, 64<<10); err == nil && n < 20<<20; {
			var more int
			more, err = conn.Write(garbage)
			n += more
		}
		brought <- n
	}()
	a.Set(map[string]ExpectedPeer{"b": {Address: netip.MustParseAddrPort("127.6.8.2:7946")}})
	if n := <-brought; n > minBytes+8<<20 { // What the kernel holds comes on top.
		t.Errorf("it took %d MB", n>>20)
	}
}
