package reconcile

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/announce"
)

func TestSessionsStayWhileItIsNotKnownWhichThereAre(t *testing.T) {
	router := netip.MustParseAddr("192.0.2.1")
	path := []announce.Path{{Prefix: netip.MustParsePrefix("198.19.0.1/32")}}
	first, second := announce.Session{Name: "tor/a", Peer: "tor", Address: router}, announce.Session{Name: "tor/b", Peer: "tor", Address: router.Next()}
	slip := announce.Session{Name: "tor", Peer: "tor", Problem: "annotation: no address", RoutersUnknown: true, Paths: path}
	other := announce.Session{Name: "other", Peer: "other", Address: router}
	names := func(sessions []announce.Session) (names []string) {
		for _, s := range sessions {
			names = append(names, s.Name)
		}
		return names
	}
	for _, row := range []struct {
		name        string
		before, now []announce.Session
		want        []string
	}{
		{"nothing is unknown", []announce.Session{first, second, other}, []announce.Session{first}, []string{"tor/a"}},
		{"one of two has a slip", []announce.Session{first, second, other}, []announce.Session{first, slip}, []string{"tor/a", "tor", "tor/b"}},
		{"of another peer", []announce.Session{other}, []announce.Session{slip}, []string{"tor"}},
		{"the slip is there still", []announce.Session{first, slip}, []announce.Session{slip}, []string{"tor", "tor/a"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := remember(row.before, row.now)
			if !slices.Equal(names(got), row.want) {
				t.Fatalf("sessions %v, want %v", names(got), row.want)
			}
			for _, s := range got[len(row.now):] {
				if s.Problem != slip.Problem || len(s.Paths) != 1 || !s.Address.IsValid() {
					t.Errorf("what stays is %+v", s)
				}
			}
		})
	}
}
