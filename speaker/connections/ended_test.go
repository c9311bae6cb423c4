package connections

import (
	"bufio"
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/handover"
)

// A client uses its port again soon after a connection by the node that now takes the address: the new one is another node's all the same.
func TestRelay_ForgetsWhatHasEndedOfAnAddressThatItTakes(t *testing.T) {
	for _, vip := range []netip.Addr{vip4, vip6} {
		r := newRig(t, 2, modeNFTables, false)
		ctx, end := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go r.nodes[1].ns.Do(t, func() { ended <- r.nodes[1].relay.Start(ctx) })
		r.move(1)
		first := r.dialFrom(vip, 45678)
		open := r.dial(vip, 1)
		r.expect("pod2", append(open, first))
		if err := first.Conn.(*net.TCPConn).SetLinger(0); err != nil {
			t.Fatal(err)
		}
		_ = first.Close() // By a reset, so that this host keeps nothing of it, and the node does for ten seconds.
		r.move(0)
		again := r.dialFrom(vip, 45678)
		r.expect("pod1", []*talk{again})

		r.set(1, pass(0, 1))
		r.move(1)
		r.expect("pod1", []*talk{again})
		r.expect("pod2", open)
		end()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		r.set(1, handover.Plan{})
	}
}

// dialFrom opens a connection from a port.
func (r *rig) dialFrom(vip netip.Addr, port int) (c *talk) {
	r.t.Helper()
	r.client.Do(r.t, func() {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{Port: port}, Timeout: 5 * time.Second}
		conn, err := dialer.DialContext(r.t.Context(), "tcp", netip.AddrPortFrom(vip, 80).String())
		if err != nil {
			r.t.Fatal(err)
		}
		r.t.Cleanup(func() { _ = conn.Close() })
		c = &talk{conn, bufio.NewReader(conn)}
	})
	return c
}
