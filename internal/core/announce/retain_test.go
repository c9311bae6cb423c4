package announce

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

func TestSessionMemory_WhileRoutersAreUnknown(t *testing.T) {
	router := netip.MustParseAddr("192.0.2.1")
	path := []Path{{Prefix: netip.MustParsePrefix("198.19.0.1/32")}}
	first, second := Session{Name: "tor/a", Peer: "tor", Address: router}, Session{Name: "tor/b", Peer: "tor", Address: router.Next()}
	unknown := Session{Name: "tor", Peer: "tor", Problem: "annotation: no address", RoutersUnknown: true, Paths: path}
	other := Session{Name: "other", Peer: "other", Address: router}
	names := func(sessions []Session) (names []string) {
		for _, s := range sessions {
			names = append(names, s.Name)
		}
		return names
	}
	for _, row := range []struct {
		name        string
		before, now []Session
		want        []string
	}{
		{"nothing is unknown", []Session{first, second, other}, []Session{first}, []string{"tor/a"}},
		{"one of two cannot be read", []Session{first, second, other}, []Session{first, unknown}, []string{"tor/a", "tor", "tor/b"}},
		{"of another peer", []Session{other}, []Session{unknown}, []string{"tor"}},
		{"it still cannot be read", []Session{first, unknown}, []Session{unknown}, []string{"tor", "tor/a"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			memory := SessionMemory{sessions: row.before}
			got, wait := memory.Next(time.Time{}, row.now, nil)
			if wait != 0 {
				t.Errorf("to ask again after %s", wait)
			}
			if !slices.Equal(names(got), row.want) {
				t.Fatalf("sessions %v, want %v", names(got), row.want)
			}
			for _, s := range got[len(row.now):] {
				if s.Problem != unknown.Problem || len(s.Paths) != 1 || !s.Address.IsValid() {
					t.Errorf("what stays is %+v", s)
				}
			}
		})
	}
}

// gatewayScene is a node whose default gateways change; what is established is by the address of the router.
type gatewayScene struct {
	*testing.T
	world  *World
	memory SessionMemory
	now    time.Time
}

func newGatewayScene(t *testing.T) *gatewayScene {
	s := &gatewayScene{T: t, world: cluster(), now: time.Unix(1000, 0)}
	s.world.Peers[0].Address, s.world.Peers[0].GatewayFamily, s.world.Peers[0].HoldTime = netip.Addr{}, lb.IPv4, 90*time.Second
	return s
}

// pass runs a pass some time later, with these gateways and these sessions established, and checks which sessions there are. A
// gateway with a star is a backup.
func (s *gatewayScene) pass(later time.Duration, gateways, established []string, want ...string) (wait time.Duration) {
	s.Helper()
	s.now, s.world.Gateways = s.now.Add(later), nil
	for _, text := range gateways {
		text, backup := strings.CutSuffix(text, "*")
		s.world.Gateways = append(s.world.Gateways, lb.Gateway{Addr: netip.MustParseAddr(text), Backup: backup})
	}
	up := map[string]bool{}
	for _, router := range established {
		up["router/"+router] = true
	}
	sessions, wait := s.memory.Next(s.now, Compute(s.world).Sessions, up)
	var got []string
	for i := range sessions {
		text := "unknown"
		if sessions[i].Address.IsValid() {
			text = sessions[i].Address.String()
		}
		if sessions[i].Problem != "" {
			text += "!"
		}
		if sessions[i].Retiring {
			text += " retiring"
		}
		got = append(got, text)
	}
	if !slices.Equal(got, want) {
		s.Errorf("sessions %v, want %v", got, want)
	}
	return wait
}

func TestSessionMemory_NewGatewayComesBeforeTheOldOneGoes(t *testing.T) {
	const old, next = "192.0.2.1", "192.0.2.2"
	s := newGatewayScene(t)
	s.pass(0, []string{old}, nil, old)
	s.pass(time.Second, []string{old}, []string{old}, old)
	s.pass(time.Second, nil, []string{old}, "unknown!", old+"!")
	s.pass(time.Hour, nil, []string{old}, "unknown!", old+"!")
	s.pass(time.Second, []string{next}, []string{old}, next, old)
	s.pass(time.Hour, []string{next}, []string{old}, next, old) // The new one does not come up.
	if wait := s.pass(time.Second, []string{next}, []string{old, next}, next, old); wait != 90*time.Second {
		t.Errorf("to ask again after %s, want the hold time", wait)
	}
	if wait := s.pass(80*time.Second, []string{next}, []string{old, next}, next, old); wait != 10*time.Second {
		t.Errorf("to ask again after %s, want what is left of it", wait)
	}
	if wait := s.pass(10*time.Second, []string{next}, []string{old, next}, next, old+" retiring"); wait != retireTime {
		t.Errorf("to ask again after %s, want the time to retire", wait)
	}
	s.pass(time.Second, []string{next}, []string{old}, next, old) // The new one failed in the last moment.
	s.pass(time.Second, []string{next}, []string{old, next}, next, old)
	s.pass(95*time.Second, []string{next}, []string{old, next}, next, old+" retiring")
	s.pass(5*time.Second, []string{next}, []string{old, next}, next)
}

func TestSessionMemory_GatewayThatComesBackCostsNothing(t *testing.T) {
	const a, b, uplink = "192.0.2.1", "192.0.2.2", "198.51.100.1"
	s := newGatewayScene(t)
	both := []string{a, b}
	s.pass(0, []string{a, b, uplink + "*"}, nil, a, b)
	s.pass(time.Second, []string{a, b, uplink + "*"}, both, a, b)
	s.pass(time.Second, []string{a, uplink + "*"}, both, a, b)
	s.pass(time.Second, []string{uplink}, both, uplink, a, b) // The kernel uses the backup now.
	s.pass(30*time.Second, []string{a, b, uplink + "*"}, both, a, b)
	s.pass(time.Hour, []string{a}, both, a, b) // The time begins anew.
	s.pass(time.Second, []string{a}, []string{a}, a)
	s.pass(time.Second, []string{a}, nil, a) // It failed: not dialed again.
}

func TestSessionMemory_GatewayThatAnotherPeerNamesIsLeftToIt(t *testing.T) {
	s := newGatewayScene(t)
	other := *s.world.Peers[0]
	other.Name, other.GatewayFamily, other.Address = "other", 0, netip.MustParseAddr("192.0.2.1")
	s.pass(0, []string{"192.0.2.1"}, nil, "192.0.2.1")
	s.world.Peers = append(s.world.Peers, &other)
	s.pass(time.Second, []string{"192.0.2.2"}, []string{"192.0.2.1"}, "192.0.2.1", "192.0.2.2")
}

func TestSessionMemory_PeerThatIsNotMeantAnyMoreLosesItsGateways(t *testing.T) {
	s := newGatewayScene(t)
	s.pass(0, []string{"192.0.2.1"}, nil, "192.0.2.1")
	s.world.Peers = nil
	s.pass(time.Second, []string{"192.0.2.1"}, []string{"192.0.2.1"})
}
