package bfd

import (
	"net/netip"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/bfdsession"
)

// withSession is a Monitor with one session, without sockets, and the listener for its packets.
func withSession(t *testing.T, listens bool) (*Monitor, *session, *listener) {
	desired := &announce.BFDSession{Name: "tor", Peer: netip.MustParseAddr("192.0.2.1"), Profile: profile(300*ms, 3)}
	p, err := pathOf(desired)
	if err != nil {
		t.Fatal(err)
	}
	m, l := New(Config{Resume: listens}), &listener{key: p.listenerKey()}
	s := newSession(p, 7, desired, time.Now())
	if listens {
		s.listen()
	}
	s.listener = l
	m.sessions[p], m.byDiscriminator[7], m.byAddress[s.demuxKey()] = s, s, s
	return m, s, l
}

// FuzzMonitor_Handle: whatever two datagrams say, one that is not for the session or was forwarded changes nothing of it, and
// it is found by its own discriminator and by no other.
func FuzzMonitor_Handle(f *testing.F) {
	up := bfdsession.Packet{State: bfdsession.Up, DetectMult: 3, MyDiscriminator: 9, YourDiscriminator: 7, DesiredMinTx: 300 * ms, RequiredMinRx: 300 * ms}
	earlier, down := up, up
	earlier.YourDiscriminator = 1234 // That of a process before.
	down.State, down.YourDiscriminator = bfdsession.Down, 0
	for _, p := range []bfdsession.Packet{up, earlier, down} {
		for _, listens := range []bool{false, true} {
			f.Add(down.Append(nil), p.Append(nil), true, 255, listens)
			f.Add(down.Append(nil), p.Append(nil), false, 254, listens)
		}
	}
	f.Fuzz(func(t *testing.T, first, second []byte, fromPeer bool, ttl int, listens bool) {
		m, s, l := withSession(t, listens)
		m.handle(l, &datagram{payload: first, from: s.path.peer, ttl: maxTTL})
		before, d := s.snapshot, datagram{payload: second, from: netip.MustParseAddr("192.0.2.2"), ttl: ttl}
		if fromPeer {
			d.from = s.path.peer
		}
		p, err := bfdsession.Parse(second)
		known := err == nil && p.YourDiscriminator == s.snapshot.LocalDiscr
		dropped := m.handle(l, &d)
		if (dropped == "") && (ttl < maxTTL || err != nil || !fromPeer && !known) {
			t.Errorf("taken, and was not for the session: %+v", p)
		}
		if dropped != "" && s.snapshot != before {
			t.Errorf("dropped for %q, and the session is %+v, was %+v", dropped, s.snapshot, before)
		}
		if len(m.byDiscriminator) != 1 || m.byDiscriminator[s.snapshot.LocalDiscr] != s {
			t.Errorf("it is found by %v, and has %d", m.byDiscriminator, s.snapshot.LocalDiscr)
		}
	})
}
