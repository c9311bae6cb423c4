package layer2

import (
	"net/netip"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/shares"
)

// TestSharing_TracesWhoAnswers says why this node does not.
func TestSharing_TracesWhoAnswers(t *testing.T) {
	table := shares.Divide(shares.Table{}, []string{"n1", "n2"})
	mine, theirs := own(0, vip4), own(1, vip4)
	if table.Server(mine) == "n2" {
		mine, theirs = theirs, mine
	}
	v := &vip{}
	v.sharing.Store(&announce.Sharing{Table: table, Own: table.Of("n1")})
	for asker, want := range map[netip.Addr]string{
		theirs:                  "the address is shared, and node n2 answers this client",
		mine:                    "another node of the shared address has told of this client, which is told in turn",
		netip.IPv4Unspecified(): "the address is shared, and its holder answers who asks whether it is in use",
	} {
		if got := anotherAnswers(v, asker); got != want {
			t.Errorf("%v: %s", asker, got)
		}
	}
}
