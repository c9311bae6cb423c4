package connections

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/internal/core/handover"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

// A client uses its port again soon after a connection by the node that now takes the address: the new one is another node's all the same.
func TestRelay_ForgetsWhatHasEndedOfAnAddressThatItTakes(t *testing.T) {
	taken := pass(0, 1)
	silent := taken
	silent.Asked = []netip.Addr{nodeAddr(0), nodeAddr6(0)}
	for _, test := range []struct {
		name  string
		plan  handover.Plan
		later bool // Set does not wait for it.
	}{{"the other node is there", taken, false}, {"the other node is silent", silent, true}} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, 2, modeNFTables, false)
			first := r.endedHere(vip4, vip6)
			r.move(0)
			again := []*talk{r.dialFrom(vip4), r.dialFrom(vip6)}
			r.expect("pod1", again)

			if test.later {
				r.start(1)
				netnstest.Eventually(t, "it has looked once, as it does when it starts", func() error {
					if !r.nodes[1].relay.forgetting.begun() {
						return errors.New("not yet")
					}
					return nil
				})
			}
			r.set(1, test.plan)
			if test.later {
				r.awaitForgotten(1)
			}
			r.move(1)
			r.expect("pod1", again)
			r.expect("pod2", first)
		})
	}
}

// What ends while it is counted is forgotten, for the node may take the address again.
func TestRelay_ForgetsWhatEndsOfAnAddressThatHasMovedAway(t *testing.T) {
	r := newRig(t, 2, modeNFTables, false)
	r.set(1, handover.Plan{Counted: counted(vip4, vip6)})
	open := r.endedHere(vip4, vip6)
	if n := r.endedAt(1); n != 2 {
		t.Fatalf("%d connections have ended", n)
	}
	r.start(1)
	r.awaitForgotten(1)
	r.expect("pod2", open)
}

// reusedPort is the client's port of the connections that end, to each address another.
func reusedPort(vip netip.Addr) int { return 45678 + vip.BitLen() }

func (f *forgetting) begun() bool { f.mu.Lock(); defer f.mu.Unlock(); return !f.due.IsZero() }

// endedHere has node 1 serve a connection to each address from one port that ends, and another that stays open, which is returned.
func (r *rig) endedHere(addrs ...netip.Addr) (open []*talk) {
	r.t.Helper()
	r.move(1)
	sh(r.t, r.nodes[1].ns, "sysctl -qw net.netfilter.nf_conntrack_tcp_timeout_close=120") // as long as what is closed by both sides
	for _, addr := range addrs {
		ends := r.dialFrom(addr)
		open = append(open, r.dial(addr, 1)...)
		r.expect("pod2", []*talk{ends})
		if err := ends.Conn.(*net.TCPConn).SetLinger(0); err != nil {
			r.t.Fatal(err)
		}
		_ = ends.Close() // By a reset, so that this host keeps nothing of it.
	}
	r.expect("pod2", open)
	return open
}

// entriesAt is how many entries of connections that its service proxy has had a node has, of those that are counted.
func (r *rig) entriesAt(i int, counts func(*connection) bool) (count int) {
	r.t.Helper()
	r.nodes[i].ns.Do(r.t, func() {
		for _, f := range []family{ipv4, ipv6} {
			if err := f.dump(func(c connection) {
				if c.protocol == unix.IPPROTO_TCP && c.status&statusDstNAT != 0 && counts(&c) {
					count++
				}
			}); err != nil {
				r.t.Fatal(err)
			}
		}
	})
	return count
}

// endedAt is how many entries of connections that have ended a node has.
func (r *rig) endedAt(i int) int { return r.entriesAt(i, (*connection).ended) }

func (r *rig) awaitForgotten(i int) {
	r.t.Helper()
	netnstest.Eventually(r.t, "what has ended is forgotten", func() error {
		if n := r.endedAt(i); n > 0 {
			return fmt.Errorf("there are %d entries", n)
		}
		return nil
	})
}

// dialFrom opens a connection from the port that is used again.
func (r *rig) dialFrom(vip netip.Addr) (c *talk) {
	r.t.Helper()
	r.client.Do(r.t, func() {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{Port: reusedPort(vip)}, Timeout: 5 * time.Second}
		conn, err := dialer.DialContext(r.t.Context(), "tcp", netip.AddrPortFrom(vip, 80).String())
		if err != nil {
			r.t.Fatal(err)
		}
		r.t.Cleanup(func() { _ = conn.Close() })
		c = &talk{conn, bufio.NewReader(conn)}
	})
	return c
}
