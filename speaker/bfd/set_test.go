package bfd

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/daymark-lb/daymark/internal/core/bfdsession"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

func TestAPortThatIsTaken(t *testing.T) {
	c := newCable(t)
	other, err := net.ListenPacket("udp4", ":3784")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	r := start(t)
	wanted := Session{Name: "tor", Peer: c.Theirs}
	const words = "another process has UDP port 3784, such as FRR's bfdd"
	if err := r.Set(t.Context(), []Session{wanted}); err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("Set: %v", err)
	}
	if s := r.status("tor"); !strings.Contains(s.Problem, words) || s.State != bfdsession.Down {
		t.Errorf("%+v", s)
	}
	far := startIn(t, c.Other, Session{Name: "node", Peer: c.Ours})
	other.Close()
	r.up("tor") // By itself.
	far.up("node")
}

// TestNobodyTakesOurPort: two processes with one port would each get a part of the packets.
func TestNobodyTakesOurPort(t *testing.T) {
	c, other := newCable(t), newCable(t)
	r := start(t, Session{Name: "a", Peer: c.Theirs, Device: c.Near}, Session{Name: "b", Peer: other.Theirs},
		Session{Name: "c", Peer: c.Theirs, Device: other.Near})
	for _, s := range r.Status() {
		if s.Problem != "" {
			t.Errorf("%+v", s)
		}
	}
	for _, e := range []ear{{}, {device: c.Near}, {device: other.Near}} {
		for _, shared := range []bool{false, true} {
			if conn, err := bindOne(t.Context(), e, shared); err == nil {
				conn.Close()
				t.Errorf("%+v can be bound again, shared %t", e, shared)
			}
		}
	}
}

func TestWhatCannotBeHadIsRefusedInWords(t *testing.T) {
	c := newCable(t)
	good := Session{Name: "good", Peer: c.Theirs}
	for _, row := range []struct {
		session Session
		words   string
	}{
		{Session{Name: "bad"}, "invalid IP is not the address of a peer"},
		{Session{Name: "bad", Peer: netip.MustParseAddr("224.0.0.1")}, "224.0.0.1 is not the address of a peer"},
		{Session{Name: "bad", Peer: c.TheirsLL}, "the link-local address fe80::2 needs its interface"},
		{Session{Name: "bad", Peer: c.TheirsLL.WithZone(c.Near), MultiHop: true}, "is never more than one hop away"},
		{Session{Name: "bad", Peer: c.TheirsLL.WithZone("nowhere0")}, "there is no interface nowhere0"},
		{Session{Name: "bad", Peer: c.Theirs6, Device: "nowhere0"}, "there is no interface nowhere0"},
		{Session{Name: "bad", Peer: c.Theirs, Local: c.Ours6}, "are not of the same family"},
		{Session{Name: "bad", Peer: c.Theirs, Local: netip.MustParseAddr("198.18.7.7")}, "this node has no address 198.18.7.7"},
		{Session{Name: "bad", Peer: c.Theirs}, "session good watches the same path"},
		{Session{Name: "good", Peer: c.Theirs6}, "another session has the same name"},
	} {
		t.Run(row.words, func(t *testing.T) {
			r := start(t)
			err := r.Set(t.Context(), []Session{good, row.session})
			if err == nil || !strings.Contains(err.Error(), row.words) {
				t.Errorf("Set: %v", err)
			}
			all := r.Status()
			if len(all) != 2 || !slices.ContainsFunc(all, func(s Status) bool { return strings.Contains(s.Problem, row.words) }) ||
				!slices.ContainsFunc(all, func(s Status) bool { return s.Problem == "" && s.Peer == c.Theirs }) {
				t.Errorf("%+v", all)
			}
			if problems, err := testutil.GatherAndLint(r.registry); err != nil || len(problems) > 0 {
				t.Errorf("metrics: %v %v", problems, err)
			}
		})
	}
}

// TestAnInterfaceThatReturns has another index, though its name and addresses are the same.
func TestAnInterfaceThatReturns(t *testing.T) {
	c := newCable(t)
	near := Session{Name: "tor", Peer: c.TheirsLL.WithZone(c.Near), Profile: profile(50*ms, 20)}
	r := start(t, near)
	far := startIn(t, c.Other, Session{Name: "node", Peer: c.OursLL.WithZone(c.Far), Profile: profile(50*ms, 20)})
	r.up("tor")
	removeLink(t, c.Near)
	if s := r.await("tor", "says what is wrong", func(s Status) bool {
		return s.State == bfdsession.Down && s.Problem == "there is no interface "+c.Near
	}); s.Downs != 1 {
		t.Errorf("%+v", s)
	}
	netnstest.Veth(t, c.Near, c.Other, c.Far)
	c.AddLinkLocal(t)
	r.up("tor")
	far.up("node") // It followed its interface too.
}

// TestSetInAnyOrder: whatever was wanted before, what is there is what is wanted last.
func TestSetInAnyOrder(t *testing.T) {
	c := newCable(t)
	r, far := start(t), startIn(t, c.Other,
		Session{Name: "4", Peer: c.Ours, Profile: profile(50*ms, 20)}, Session{Name: "6", Peer: c.Ours6, Profile: profile(50*ms, 20)},
		Session{Name: "m", Peer: c.Ours, MultiHop: true, Profile: profile(50*ms, 20)})
	four := Session{Name: "4", Peer: c.Theirs, Profile: profile(50*ms, 20)}
	six := Session{Name: "6", Peer: c.Theirs6, Profile: profile(50*ms, 20)}
	multi := Session{Name: "m", Peer: c.Theirs, MultiHop: true, Profile: profile(50*ms, 20)}
	for _, desired := range [][]Session{{four}, {six, multi}, {}, {four, six, multi}, {multi}, {six, four}, nil, {four, multi}} {
		r.set(desired...)
		if got := len(r.Status()); got != len(desired) {
			t.Fatalf("%d sessions, want %d", got, len(desired))
		}
		for i := range desired {
			r.up(desired[i].Name)
			far.up(desired[i].Name)
		}
		r.Monitor.mu.Lock()
		ears := map[ear]struct{}{}
		for p := range r.watches {
			ears[p.ear()] = struct{}{}
		}
		if len(r.listeners) != len(ears) || len(r.byAddress) != len(desired) || len(r.byDiscriminator) != len(desired) {
			t.Errorf("%d listeners, %d by address, %d by discriminator", len(r.listeners), len(r.byAddress), len(r.byDiscriminator))
		}
		r.Monitor.mu.Unlock()
	}
	if told := r.told(); len(told) > 0 {
		t.Errorf("failed: %q", told)
	}
}

func TestChangesWakes(t *testing.T) {
	c := newCable(t)
	near, _, _, _ := pair(t, c, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	select {
	case <-near.Changes():
	default:
		t.Error("not awake though the session came up")
	}
	c.cut(t)
	for near.status("tor").State == bfdsession.Up {
		select {
		case <-near.Changes():
		case <-ctx.Done():
			t.Fatal("nobody said that the session is down")
		}
	}
}

func TestASourcePortIsOneSessionsOwn(t *testing.T) {
	c := newCable(t)
	const free = 50000
	s, err := dial(t.Context(), path{peer: c.Theirs}, 0, func(port int) bool { return port != free })
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if s.port != free || s.conn.LocalAddr().(*net.UDPAddr).Port != free {
		t.Errorf("port %d", s.port)
	}
	r := start(t, Session{Name: "tor", Peer: c.Theirs})
	r.Monitor.mu.Lock()
	defer r.Monitor.mu.Unlock()
	for _, w := range r.watches {
		if !r.portTaken(w.sender.port) || r.portTaken(free) {
			t.Errorf("port %d is not taken, or %d is", w.sender.port, free)
		}
	}
}

// TestPacketsOnTheWire: TTL, class and ports are what RFC 5881 sections 4 and 5 ask for.
func TestPacketsOnTheWire(t *testing.T) {
	c := newCable(t)
	for name, peer := range map[string]netip.Addr{"IPv4": c.Theirs, "IPv6": c.Theirs6} {
		t.Run(name, func(t *testing.T) {
			seen := capture(t, c, peer)
			start(t, Session{Name: "tor", Peer: peer}, Session{Name: "far", Peer: peer, MultiHop: true})
			first, second := <-seen, <-seen
			for _, p := range []captured{first, second} {
				if p.ttl != 255 || p.class != 0xc0 || p.source < 49152 || p.length != bfdsession.PacketSize {
					t.Errorf("%+v", p)
				}
			}
			if first.source == second.source {
				t.Errorf("two sessions send from port %d", first.source)
			}
		})
	}
}
