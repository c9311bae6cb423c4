package gossip

import (
	"net/netip"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/traceapi"
	"github.com/daymark-lb/daymark/internal/traceapi/tracetest"
	"github.com/daymark-lb/daymark/speaker/trace"
)

// TestMembership_TracesWhereAClaimComesFrom whoever it is that it names: an own claim may come from another, and the other way about.
func TestMembership_TracesWhereAClaimComesFrom(t *testing.T) {
	tracer := trace.New("a")
	a := beginWith(t, Config{Node: "a", Bind: gossipAt("127.1.30.1"), Keys: secrets("k"), Tracer: tracer}, nil)
	b := begin(t, "b", "127.1.30.2", "k")
	meet(t, a, b)
	b.awaits(t, "both", alive("a", "b"))
	for i, test := range []struct {
		by, names *speaker
		want      traceapi.Direction
	}{{a, a, traceapi.Out}, {a, b, traceapi.Out}, {b, b, traceapi.In}, {b, a, traceapi.In}} {
		addr := netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})
		wait := tracetest.Listen(t, tracer, addr)
		test.by.BroadcastClaims([]election.Claim{{Addr: addr, Node: test.names.cfg.Node, Incarnation: test.names.Incarnation(), Term: 1}})
		if e := wait(); e.Direction != test.want || e.On != test.names.cfg.Node || e.Decision != "it counts from now on" {
			t.Errorf("a claim that names %s, by %s: %+v", test.names.cfg.Node, test.by.cfg.Node, e)
		}
	}
}
