package announce

import (
	"net/netip"
	"slices"
	"testing"
)

func TestRetainSessions_WhileRoutersAreUnknown(t *testing.T) {
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
			got := RetainSessions(row.before, row.now)
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
