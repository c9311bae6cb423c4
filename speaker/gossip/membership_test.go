package gossip

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/netnstest"
)

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

// Gossip that is encrypted with another key, or by another program, changes nothing.
func TestMembership_RejectsAnotherKey(t *testing.T) {
	a, b := begin(t, "a", "127.0.2.1", "k"), begin(t, "b", "127.0.2.2", "k")
	outsider := begin(t, "outsider", "127.0.2.3", "other")
	meet(t, a, b)
	for _, s := range []*speaker{a, b} {
		s.awaits(t, "the other with its key", alive("a", "b"))
	}

	outsider.Set(map[string]ExpectedPeer{"a": {Address: a.at}})
	outsider.awaits(t, "the outsider is told why", func(v View) bool { return strings.Contains(v.Why, "key") })
	if v := outsider.View(); v.Known || len(v.Alive) != 1 {
		t.Errorf("the outsider sees %+v", v)
	}
	for _, s := range []*speaker{a, b} {
		if v := s.View(); !slices.Equal(v.Alive, []string{"a", "b"}) {
			t.Errorf("%s sees %v", s.cfg.Node, v.Alive)
		}
	}
	// With the right key it is no outsider.
	if err := outsider.SetKeys([][]byte{[]byte("k")}); err != nil {
		t.Fatal(err)
	}
	a.awaits(t, "it is let in", alive("a", "b", "outsider"))
}

// The speakers take the steps that SetKeys describes, one after the other; at no time is one missing from another's View.
func TestMembership_KeysChangeWithoutSilence(t *testing.T) {
	var all []*speaker
	for i, node := range []string{"a", "b", "c"} {
		at := gossipAt(fmt.Sprint("127.0.3.", i+1))
		all = append(all, beginWith(t, Config{Node: node, Bind: at, Keys: secrets("old"), Timing: patient()}, nil))
	}
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
	if err := all[0].SetKeys(nil); err == nil {
		t.Error("no key at all was accepted")
	}
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
