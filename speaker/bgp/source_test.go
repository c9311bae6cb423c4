package bgp

import (
	"net"
	"net/netip"
	"testing"
	"time"
)

func TestDial_FromAPublicAddress(t *testing.T) {
	t.Parallel()
	c := newCable(t)
	c.AddTemporary(t)
	var listener net.Listener
	c.Other.Do(t, func() {
		var err error
		if listener, err = net.Listen("tcp", netip.AddrPortFrom(c.Theirs6, 179).String()); err != nil {
			t.Fatal(err)
		}
	})
	t.Cleanup(func() { _ = listener.Close() })
	conn, err := dialRouter(t.Context(), &settings{myASN: 64512, peerASN: 64513, address: c.Theirs6, port: 179, connectTime: time.Minute, patience: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if from := newTransport(conn).localAddr(); from != c.Ours6 {
		t.Errorf("dialed from %s, want %s", from, c.Ours6)
	}
}
