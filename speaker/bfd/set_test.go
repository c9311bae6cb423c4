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

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/bfdsession"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

func TestMonitor_PortOfAnotherProcess(t *testing.T) {
	c := newCable(t)
	other, err := net.ListenPacket("udp4", ":3784")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	r := start(t)
	wanted := announce.BFDSession{Name: "tor", Peer: c.Theirs}
	const words = "another process has UDP port 3784, such as FRR's bfdd"
	if err := r.Set(t.Context(), []announce.BFDSession{wanted}); err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("Set: %v", err)
	}
	if s := r.status("tor"); !strings.Contains(s.Problem, words) || s.State != bfdsession.Down {
		t.Errorf("%+v", s)
	}
	far := startIn(t, c.Other, announce.BFDSession{Name: "node", Peer: c.Ours})
	other.Close()
	r.up("tor") // No further Set is needed.
	far.up("node")
}

// TestListener_NobodyTakesOurPort: two processes with the same port would each receive a part of the packets.
func TestListener_NobodyTakesOurPort(t *testing.T) {
	c, other := newCable(t), newCable(t)
	r := start(t, announce.BFDSession{Name: "a", Peer: c.Theirs, Device: c.Near}, announce.BFDSession{Name: "b", Peer: other.Theirs},
		announce.BFDSession{Name: "c", Peer: c.Theirs, Device: other.Near})
	for _, s := range r.Status() {
		if want := map[string]string{"a": c.Near, "c": other.Near}[s.Name]; s.Problem != "" || s.Device != want {
			t.Errorf("%+v", s)
		}
	}
	for _, key := range []listenerKey{{}, {device: c.Near}, {device: other.Near}} {
		for _, shared := range []bool{false, true} {
			if conn, err := bindOne(t.Context(), key, shared); err == nil {
				conn.Close()
				t.Errorf("%+v can be bound again, shared %t", key, shared)
			}
		}
	}
}

func TestMonitor_InvalidSessionsAreExplained(t *testing.T) {
	c := newCable(t)
	good := announce.BFDSession{Name: "good", Peer: c.Theirs}
	for _, row := range []struct {
		session announce.BFDSession
		words   string
	}{
		{announce.BFDSession{Name: "bad"}, "invalid IP is not the address of a peer"},
		{announce.BFDSession{Name: "bad", Peer: netip.MustParseAddr("224.0.0.1")}, "224.0.0.1 is not the address of a peer"},
		{announce.BFDSession{Name: "bad", Peer: c.TheirsLL}, "the link-local address fe80::2 needs its interface"},
		{announce.BFDSession{Name: "bad", Peer: c.TheirsLL.WithZone(c.Near), MultiHop: true}, "is never more than one hop away"},
		{announce.BFDSession{Name: "bad", Peer: c.TheirsLL.WithZone("nowhere0")}, "there is no interface nowhere0"},
		{announce.BFDSession{Name: "bad", Peer: c.Theirs6, Device: "nowhere0"}, "there is no interface nowhere0"},
		{announce.BFDSession{Name: "bad", Peer: c.Theirs, Local: c.Ours6}, "are not of the same family"},
		{announce.BFDSession{Name: "bad", Peer: c.Theirs, Local: netip.MustParseAddr("198.18.7.7")}, "this node has no address 198.18.7.7"},
		{announce.BFDSession{Name: "bad", Peer: c.Theirs}, "session good monitors the same path"},
		{announce.BFDSession{Name: "good", Peer: c.Theirs6}, "another session has the same name"},
	} {
		t.Run(row.words, func(t *testing.T) {
			r := start(t)
			err := r.Set(t.Context(), []announce.BFDSession{good, row.session})
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

// TestMonitor_InterfaceThatReturns: the new interface has another index, though the same name and addresses.
func TestMonitor_InterfaceThatReturns(t *testing.T) {
	c := newCable(t)
	near := announce.BFDSession{Name: "tor", Peer: c.TheirsLL.WithZone(c.Near), Profile: profile(50*ms, 20)}
	r := start(t, near)
	far := startIn(t, c.Other, announce.BFDSession{Name: "node", Peer: c.OursLL.WithZone(c.Far), Profile: profile(50*ms, 20)})
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
	far.up("node") // The other end has a new interface, too.
}

// TestMonitor_SetInAnyOrder: whatever was set before, the sessions are those that were set last.
func TestMonitor_SetInAnyOrder(t *testing.T) {
	c := newCable(t)
	r, far := start(t), startIn(t, c.Other,
		announce.BFDSession{Name: "4", Peer: c.Ours, Profile: profile(50*ms, 20)}, announce.BFDSession{Name: "6", Peer: c.Ours6, Profile: profile(50*ms, 20)},
		announce.BFDSession{Name: "m", Peer: c.Ours, MultiHop: true, Profile: profile(50*ms, 20)})
	four := announce.BFDSession{Name: "4", Peer: c.Theirs, Profile: profile(50*ms, 20)}
	six := announce.BFDSession{Name: "6", Peer: c.Theirs6, Profile: profile(50*ms, 20)}
	multi := announce.BFDSession{Name: "m", Peer: c.Theirs, MultiHop: true, Profile: profile(50*ms, 20)}
	for _, desired := range [][]announce.BFDSession{{four}, {six, multi}, {}, {four, six, multi}, {multi}, {six, four}, nil, {four, multi}} {
		r.set(desired...)
		if got := len(r.Status()); got != len(desired) {
			t.Fatalf("%d sessions, want %d", got, len(desired))
		}
		if got, err := testutil.GatherAndCount(r.registry, "daymark_bfd_session_up"); err != nil || got != len(desired) {
			t.Fatalf("%d sessions are counted (%v), want %d", got, err, len(desired))
		}
		for i := range desired {
			r.up(desired[i].Name)
			far.up(desired[i].Name)
		}
		r.Monitor.mu.Lock()
		keys := map[listenerKey]struct{}{}
		for p := range r.sessions {
			keys[p.listenerKey()] = struct{}{}
		}
		if len(r.listeners) != len(keys) || len(r.byAddress) != len(desired) || len(r.byDiscriminator) != len(desired) {
			t.Errorf("%d listeners, %d by address, %d by discriminator", len(r.listeners), len(r.byAddress), len(r.byDiscriminator))
		}
		r.Monitor.mu.Unlock()
	}
	if told := r.onDownCalls(); len(told) > 0 {
		t.Errorf("failed: %q", told)
	}
}

func TestMonitor_ChangesWakes(t *testing.T) {
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

func TestSender_SourcePortBelongsToOneSession(t *testing.T) {
	c := newCable(t)
	const free = 50000
	s, err := newSender(t.Context(), path{peer: c.Theirs}, 0, func(port int) bool { return port != free })
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if s.port != free || s.conn.LocalAddr().(*net.UDPAddr).Port != free {
		t.Errorf("port %d", s.port)
	}
	r := start(t, announce.BFDSession{Name: "tor", Peer: c.Theirs})
	r.Monitor.mu.Lock()
	defer r.Monitor.mu.Unlock()
	for _, w := range r.sessions {
		if !r.portTaken(w.sender.port) || r.portTaken(free) {
			t.Errorf("port %d is not taken, or %d is", w.sender.port, free)
		}
	}
}

// TestSender_TTLClassAndPorts: they are as RFC 5881 sections 4 and 5 want.
func TestSender_TTLClassAndPorts(t *testing.T) {
	c := newCable(t)
	for name, peer := range map[string]netip.Addr{"IPv4": c.Theirs, "IPv6": c.Theirs6} {
		t.Run(name, func(t *testing.T) {
			seen := capture(t, c, peer)
			start(t, announce.BFDSession{Name: "tor", Peer: peer}, announce.BFDSession{Name: "far", Peer: peer, MultiHop: true})
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
