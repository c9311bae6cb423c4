package gossip

import (
	"net/netip"
	"strings"
	"testing"
)

func TestWhy_SaysWhatToDo(t *testing.T) {
	at := netip.MustParseAddrPort("10.0.0.2:7946")
	absent := []missingPeer{
		{"b", at, joinFailure{text: "nothing answers"}},
		{"c", netip.MustParseAddrPort("[2001:db8::3]:7946"), joinFailure{}},
	}
	refused := []missingPeer{{"b", at, joinFailure{text: "the connection is refused", refused: true}}}
	silent := []missingPeer{{node: "b"}}
	self := netip.MustParseAddrPort("10.0.2.15:7946")
	same := []missingPeer{{"b", self, joinFailure{}}}
	for _, test := range []struct {
		name        string
		told, known bool
		absent      []missingPeer
		want        string
	}{
		{"before any word", false, false, nil, "it is not known yet which other speakers there are"},
		{"alone, and not yet sure of it", true, false, nil, "no other speaker has been heard yet"},
		{"all is well", true, true, nil, ""},
		{
			"met nobody yet",
			true, false,
			absent,
			"has met none of the other speakers yet, and holds nothing until it has: " +
				"b at 10.0.0.2:7946 (nothing answers), c at [2001:db8::3]:7946; " +
				"TCP and UDP port 7946 must pass between the nodes both ways",
		},
		{
			"one of several is away",
			true, true,
			absent[:1],
			"does not see b at 10.0.0.2:7946 (nothing answers); TCP and UDP port 7946 must pass between the nodes both ways",
		},
		{"no firewall is to blame", true, true, refused, "does not see b at 10.0.0.2:7946 (the connection is refused)"},
		{
			"all nodes have one address",
			true, false,
			same,
			"has met none of the other speakers yet, and holds nothing until it has: b at 10.0.2.15:7946 (that is this node's own " +
				"address: give each node an InternalIP of its own by --node-ip of kubelet, or each speaker an address by " +
				"--gossip-bind-address)",
		},
		{"one that says nothing", true, false, silent, "has met none of the other speakers yet, and holds nothing until it has: b (it has not said where it listens)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := why(self, test.told, test.known, test.absent); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestWhy_StaysShort(t *testing.T) {
	absent := make([]missingPeer, 100)
	for i := range absent {
		absent[i] = missingPeer{"node", netip.MustParseAddrPort("10.0.0.2:7946"), joinFailure{text: "nothing answers"}}
	}
	if got := why(netip.AddrPort{}, true, false, absent); !strings.Contains(got, "and 95 more") || len(got) > 400 {
		t.Errorf("%d bytes: %s", len(got), got)
	}
}
