package gossip

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/shares"
)

// A claim whose nodes have long names fits in a datagram, with as many servers as a table of such names may have.
func TestClaimsMessage_FitsWithATableOfLongNames(t *testing.T) {
	for length := 2; length <= 250; length++ {
		var names []string
		for i := range shares.MaxServers {
			names = append(names, fmt.Sprint(i)+strings.Repeat("x", length-1))
		}
		table := shares.Divide(shares.Table{}, names)
		claim := election.Claim{
			Addr: netip.MustParseAddr("2001:db8::1"), Node: names[0], Incarnation: maxIncarnation - 1, Term: math.MaxUint64, Announced: true,
			Shares: table, Revision: maxIncarnation - 1,
		}
		h := header{
			version: newest, kind: kindClaims, node: names[0], incarnation: maxIncarnation - 1, to: names[1],
			toIncarnation: maxIncarnation - 1, seq: math.MaxUint64,
		}
		if got := len(encode(h, claimsMessage{math.MaxUint64, claimList{claim}}.append(nil, newest))); got > maxDatagram {
			t.Fatalf("a table of %d names of %d bytes makes %d bytes, more than %d", len(table.Servers()), length, got, maxDatagram)
		}
		if length <= 60 && len(table.Servers()) != shares.MaxServers {
			t.Fatalf("names of %d bytes are %d servers", length, len(table.Servers()))
		}
	}
}

// Claims of many shared addresses leave room for what the speakers say of themselves.
func TestExchange_ManyClaimsLeaveRoomForStates(t *testing.T) {
	table := shares.Divide(shares.Table{}, []string{"n0", "n1", strings.Repeat("x", 63)})
	e := exchange{claims: slices.Repeat(claimList{{Addr: netip.MustParseAddr("192.0.2.1"), Node: "n0", Term: 1, Shares: table}}, 100_000)}
	for i := range 1000 {
		e.states = append(e.states, stateRecord{node: fmt.Sprint("n", i), body: make([]byte, 600)})
	}
	if got := len(e.bounded()); got != len(e.states) {
		t.Errorf("%d of %d states fit", got, len(e.states))
	}
}
