package gossip

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/daymark-lb/daymark/internal/core/detector"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

func TestMain(m *testing.M) { os.Exit(netnstest.Main(m)) }

// speaker is one of several that gossip over the loopback of the tests' namespace, each on its own address.
type speaker struct {
	*Membership
	at   netip.AddrPort
	end  context.CancelFunc
	over chan error
	// crashed: it ends without telling the others.
	crashed atomic.Bool
	// switches stop it and wake it, if it is on a network of the test.
	switches *switches
}

// begin starts a speaker, which leaves at the end of the test.
func begin(t testing.TB, node, addr string, keys ...string) *speaker {
	t.Helper()
	return beginWith(t, Config{Node: node, Bind: gossipAt(addr), Keys: secrets(keys...)}, nil)
}

func gossipAt(addr string) netip.AddrPort { return netip.AddrPortFrom(netip.MustParseAddr(addr), 7946) }

// beginWith starts a speaker on a network; nil: with nothing in between.
func beginWith(t testing.TB, cfg Config, on *network) *speaker {
	t.Helper()
	cfg.Log = slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	ctx, cancel := context.WithCancel(t.Context())
	s := &speaker{Membership: New(cfg), at: cfg.Bind, end: cancel, over: make(chan error, 1)}
	if on != nil {
		on.join(s)
	}
	go func() {
		s.over <- s.run(ctx, func(list *memberlist.Memberlist) {
			if !s.crashed.Load() {
				s.Membership.leave(list)
			} else if err := list.Shutdown(); err != nil {
				t.Error(err)
			}
		})
	}()
	t.Cleanup(func() { s.leave(t) })
	return s
}

func secrets(keys ...string) [][]byte {
	all := make([][]byte, 0, len(keys))
	for _, key := range keys {
		all = append(all, []byte(key))
	}
	return all
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(line []byte) (int, error) {
	if w.t.Context().Err() == nil {
		w.t.Log(string(bytes.TrimSpace(line)))
	}
	return len(line), nil
}

// leave ends a speaker that tells the others that it leaves.
func (s *speaker) leave(t testing.TB) {
	t.Helper()
	if s.switches != nil {
		s.switches.set(false)
	}
	s.end()
	if s.over == nil {
		return
	}
	if err := <-s.over; err != nil {
		t.Errorf("Start ended with %v", err)
	}
	s.over = nil
}

// crash ends a speaker without telling the others.
func (s *speaker) crash(t testing.TB) {
	t.Helper()
	s.crashed.Store(true)
	s.leave(t)
}

// meet tells each of the speakers of the others.
func meet(t testing.TB, all ...*speaker) {
	t.Helper()
	expected := map[string]ExpectedPeer{}
	for _, s := range all {
		expected[s.cfg.Node] = ExpectedPeer{Address: s.at}
	}
	for _, s := range all {
		s.Set(expected)
	}
}

// heartbeats waits until each of the speakers has heard an answer of each other one.
func heartbeats(t testing.TB, all ...*speaker) {
	t.Helper()
	for _, s := range all {
		for _, other := range all {
			if s != other {
				eventually(t, s.cfg.Node+" hears "+other.cfg.Node, func() bool {
					status := s.status(other.cfg.Node)
					return status.Incarnation == other.Incarnation() && status.Observed && status.Alive
				})
			}
		}
	}
}

// awaits waits, on the speaker's own notifications, until its View is as wanted, and returns how long that took.
func (s *speaker) awaits(t testing.TB, what string, want func(View) bool) time.Duration {
	t.Helper()
	begin := time.Now()
	timeout := time.After(20 * time.Second)
	for !want(s.View()) {
		select {
		case <-s.Changes():
		case <-timeout:
			t.Fatalf("%s: no notification brought it; the view is %+v", what, s.View())
		}
	}
	return time.Since(begin)
}

func alive(nodes ...string) func(View) bool {
	return func(v View) bool { return v.Known && slices.Equal(v.Alive, nodes) }
}

func TestMembership_ThreeMeetAndNoticeWhoIsGone(t *testing.T) {
	a, b, c := begin(t, "a", "127.0.0.1", "k"), begin(t, "b", "127.0.0.2", "k"), begin(t, "c", "127.0.0.3", "k")
	if v := a.View(); v.Known || v.Why == "" || !slices.Equal(v.Alive, []string{"a"}) {
		t.Errorf("told nothing, a sees %+v", v)
	}
	meet(t, a, b, c)
	for _, s := range []*speaker{a, b, c} {
		s.awaits(t, "all three", alive("a", "b", "c"))
		if v := s.View(); v.Why != "" {
			t.Errorf("all are there, but %s", v.Why)
		}
	}

	heartbeats(t, a, b, c)
	c.crash(t)
	t.Logf("a crash was noticed after %v", a.awaits(t, "c is dead", alive("a", "b")))
	if why := a.View().Why; !strings.Contains(why, "does not see c at 127.0.0.3:7946") {
		t.Errorf("the view does not say who is missing: %q", why)
	}
	// A node that starts again under its name is taken back by those who thought it dead, and by those who had no time to.
	c = begin(t, "c", "127.0.0.3", "k")
	meet(t, a, b, c)
	for _, s := range []*speaker{a, b, c} {
		s.awaits(t, "c is back", alive("a", "b", "c"))
	}
	c.crash(t)
	c = begin(t, "c", "127.0.0.3", "k")
	meet(t, a, b, c)
	for _, s := range []*speaker{a, b, c} {
		s.awaits(t, "c is back before it was missed", alive("a", "b", "c"))
	}

	c.leave(t)
	t.Logf("that one leaves was known after %v", a.awaits(t, "c has left", alive("a", "b")))
	b.awaits(t, "c has left", alive("a", "b"))
}

// The others must give its name to the new address.
func TestMembership_ANodeReturnsWithAnotherAddress(t *testing.T) {
	a, b, c := begin(t, "a", "127.0.1.1", "k"), begin(t, "b", "127.0.1.2", "k"), begin(t, "c", "127.0.1.3", "k")
	meet(t, a, b, c)
	a.awaits(t, "all three", alive("a", "b", "c"))
	b.awaits(t, "all three", alive("a", "b", "c"))

	c.crash(t)
	c = begin(t, "c", "127.0.1.33", "k")
	meet(t, a, b, c)
	moved := func(s *speaker) func(View) bool {
		return func(v View) bool {
			_, at, _ := s.peers.addressOf("c")
			return v.Peers["c"].Incarnation == c.Incarnation() && at == c.at
		}
	}
	t.Logf("taken back after %v", a.awaits(t, "c is back elsewhere", moved(a)))
	b.awaits(t, "c is back elsewhere", moved(b))
}

// A node's address is taken off the network: nothing is refused, nothing answers.
func TestMembership_ANodeVanishes(t *testing.T) {
	// Datagrams to a missing address go to a neighbor that is not there.
	netnstest.Veth(t, "void0", netnstest.New(t), "void1")
	for _, line := range []string{
		"addr add 10.9.0.1/32 dev lo", "addr add 10.9.0.2/32 dev lo", "addr add 10.9.0.3/32 dev lo",
		"route add 10.9.0.3/32 dev void0", "neigh add 10.9.0.3 lladdr 02:00:00:00:00:03 dev void0 nud permanent",
	} {
		ip(t, line)
	}
	t.Cleanup(func() { ip(t, "addr flush dev lo to 10.9.0.0/24") })
	a, b, c := begin(t, "a", "10.9.0.1", "k"), begin(t, "b", "10.9.0.2", "k"), begin(t, "c", "10.9.0.3", "k")
	meet(t, a, b, c)
	for _, s := range []*speaker{a, b, c} {
		s.awaits(t, "all three", alive("a", "b", "c"))
	}

	heartbeats(t, a, b, c)
	ip(t, "addr del 10.9.0.3/32 dev lo")
	c.crash(t) // All are in one namespace: it could still speak by the addresses of the others.
	t.Logf("a vanished node was noticed after %v", a.awaits(t, "c is dead", alive("a", "b")))
	b.awaits(t, "c is dead", alive("a", "b"))
	a.awaits(t, "what is said of c", func(v View) bool { return strings.Contains(v.Why, "nothing answers") })

	ip(t, "addr add 10.9.0.3/32 dev lo")
	c = begin(t, "c", "10.9.0.3", "k")
	meet(t, a, b, c)
	for _, s := range []*speaker{a, b, c} {
		s.awaits(t, "together again", alive("a", "b", "c"))
	}
}

func ip(t *testing.T, line string) {
	t.Helper()
	if output, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v: %s", line, err, output)
	}
}

// Gossip that is encrypted with another key, or by another program, changes nothing.
func TestMembership_RejectsAnotherKey(t *testing.T) {
	a, b := begin(t, "a", "127.0.2.1", "k"), begin(t, "b", "127.0.2.2", "k")
	stranger := begin(t, "stranger", "127.0.2.3", "other")
	meet(t, a, b)
	for _, s := range []*speaker{a, b} {
		s.awaits(t, "the other with its key", alive("a", "b"))
	}

	stranger.Set(map[string]ExpectedPeer{"a": {Address: a.at}})
	stranger.awaits(t, "the stranger is told why", func(v View) bool { return strings.Contains(v.Why, "key") })
	if v := stranger.View(); v.Known || len(v.Alive) != 1 {
		t.Errorf("the stranger sees %+v", v)
	}
	for _, s := range []*speaker{a, b} {
		if v := s.View(); !slices.Equal(v.Alive, []string{"a", "b"}) {
			t.Errorf("%s sees %v", s.cfg.Node, v.Alive)
		}
	}
	// With the right key it is no stranger.
	if err := stranger.SetKeys([][]byte{[]byte("k")}); err != nil {
		t.Fatal(err)
	}
	a.awaits(t, "it is let in", alive("a", "b", "stranger"))
}

// The speakers take the steps that SetKeys describes, one after the other; at no time is one missing from another's View.
func TestMembership_KeysChangeWithoutSilence(t *testing.T) {
	a, b, c := begin(t, "a", "127.0.3.1", "old"), begin(t, "b", "127.0.3.2", "old"), begin(t, "c", "127.0.3.3", "old")
	all := []*speaker{a, b, c}
	meet(t, all...)
	for _, s := range all {
		s.awaits(t, "all three", alive("a", "b", "c"))
	}
	heartbeats(t, all...)
	var watching sync.WaitGroup
	done := make(chan struct{})
	for _, s := range all {
		watching.Go(func() {
			for {
				select {
				case <-done:
					return
				case <-s.Changes():
					if v := s.View(); len(v.Alive) != 3 || v.Returned > 0 {
						t.Errorf("%s sees only %v", s.cfg.Node, v.Alive)
					}
				}
			}
		})
	}
	for _, keys := range [][]string{{"old", "new"}, {"new", "old"}, {"new"}} {
		for _, s := range all {
			if err := s.SetKeys(secrets(keys...)); err != nil {
				t.Fatal(err)
			}
			for _, one := range all {
				for _, other := range all {
					// A complete exchange by TCP in both directions, with the keys just as they are.
					if _, err := one.list.Load().Join([]string{other.at.String()}); err != nil {
						t.Errorf("with %v at %s: %v", keys, s.cfg.Node, err)
					}
				}
			}
			// Heartbeats get through in every direction, with the keys just as they are.
			before := time.Now()
			for _, one := range all {
				for _, other := range all {
					eventually(t, "a heartbeat with the keys as they are", func() bool {
						return one == other || one.heardSince(other, before)
					})
				}
			}
		}
	}
	close(done)
	watching.Wait()
	if err := a.SetKeys(nil); err == nil {
		t.Error("no key at all was accepted")
	}
}

// heardSince reports whether a speaker has heard another one since a time.
func (s *speaker) heardSince(other *speaker, since time.Time) bool {
	return s.status(other.cfg.Node).LastHeard.After(since)
}

// status returns what the detector of a speaker knows of a node.
func (s *speaker) status(node string) (status detector.Status) {
	s.peers.withDetector(func(d *detector.Detector) { status, _ = d.Peer(node) })
	return status
}

func TestMembership_IPv6OnlySpeakersMeet(t *testing.T) {
	ip(t, "addr add fd00::a/128 dev lo nodad")
	ip(t, "addr add fd00::b/128 dev lo nodad")
	t.Cleanup(func() { ip(t, "addr flush dev lo to fd00::/64") })
	a, b := begin(t, "a", "fd00::a", "k"), begin(t, "b", "fd00::b", "k")
	meet(t, a, b)
	a.awaits(t, "both", alive("a", "b"))
	b.awaits(t, "both", alive("a", "b"))
}

// Though not at once, and it meets who comes later.
func TestMembership_OneThatIsAloneKnowsIt(t *testing.T) {
	a := begin(t, "a", "127.0.4.1", "k")
	// Its own entry is not another speaker.
	a.Set(map[string]ExpectedPeer{"a": {Address: a.at}})
	if a.View().Known {
		t.Error("it thinks itself alone before a second has passed")
	}
	a.awaits(t, "it knows that it is alone", alive("a"))
	if why := a.View().Why; why != "" {
		t.Errorf("alone as it should be, but %s", why)
	}
	b := begin(t, "b", "127.0.4.2", "k")
	meet(t, a, b)
	a.awaits(t, "b has come", alive("a", "b"))
}

// Until one is given.
func TestMembership_WithoutAKeyThereIsSilence(t *testing.T) {
	a, b := begin(t, "a", "127.0.5.1"), begin(t, "b", "127.0.5.2", "k")
	meet(t, a, b)
	if v := a.View(); v.Known || v.Why != "there is no gossip key yet" {
		t.Errorf("without a key: %+v", v)
	}
	b.awaits(t, "nobody listens at a", func(v View) bool { return strings.Contains(v.Why, "refused") })
	if err := a.SetKeys([][]byte{[]byte("k")}); err != nil {
		t.Fatal(err)
	}
	a.awaits(t, "both", alive("a", "b"))
	b.awaits(t, "both", alive("a", "b"))
}

// So is one that has another key or does not answer.
func TestMembership_WaitsForOneThatHasNoAddressYet(t *testing.T) {
	m := New(Config{Node: "a"})
	m.Set(map[string]ExpectedPeer{"b": {}, "a": {}})
	m.bootstrap.Observe(time.Now().Add(time.Hour), false)
	if m.bootstrap.Known() {
		t.Error("it thinks itself alone")
	}
}

// Nobody listens where the others did, or their nodes are given up.
func TestMembership_TheLastOneLeftKnowsIt(t *testing.T) {
	a := begin(t, "a", "127.0.6.1", "k")
	a.Set(map[string]ExpectedPeer{
		"b": {Address: netip.MustParseAddrPort("127.0.6.2:7946")},
		"c": {Address: netip.MustParseAddrPort("127.0.6.3:7946"), Down: true},
	})
	if took := a.awaits(t, "it knows that it is alone", func(v View) bool { return v.Known }); took < 4*time.Second {
		t.Errorf("it was sure of it after %s", took)
	}
}

func TestMembership_StartFailsWhenItCannotListen(t *testing.T) {
	m := New(Config{Node: "a", Bind: netip.MustParseAddrPort("192.0.2.1:7946"), Keys: [][]byte{[]byte("k")}})
	if err := m.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "192.0.2.1:7946") {
		t.Errorf("got %v", err)
	}
}
