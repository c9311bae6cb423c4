package e2e_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// Promise: where the gossip has another network than the addresses, and a switch of theirs is cut, clients of both parts go
// on to be served, and once it is mended there is one holder.
func TestLayer2_BothPartsOfACutSegmentAreServed(t *testing.T) {
	cluster := daymark(t)
	awaitMembers(t, cluster)
	address, _ := secondAddress(t, cluster)
	holder := awaitHolder(t, cluster, address)
	awaitAnswerer(t, "before the cut, in the far client's part", cluster.FarClient(), address, holder)
	names := cluster.NodeNames()
	apart := names[(slices.Index(names, holder)+1)%len(names)]
	hold(2 * time.Second) // In which each node has the others' answers: only what has answered can be cut.

	began := time.Now()
	cluster.CutSecondSegment(apart)
	awaitAnswerer(t, "in the part of "+apart, cluster.FarClient(), address, apart)
	t.Logf("%s stands in for %s after %s", apart, holder, ms(time.Since(began)))
	awaitAnswerer(t, "in the part of the holder", cluster.Client(), address, holder)
	for _, client := range []lab.Client{cluster.Client(), cluster.FarClient()} {
		if _, err := client.Get("http://" + address.String()); err != nil {
			t.Errorf("%s is not served: %v", client.Name, err)
		}
	}
	awaitObjectCondition(t, cluster, "Speaker", apart, "MembershipKnown", "True", "stands in for "+holder, address.String())
	awaitCondition(t, cluster.Service("second"), "daymark.io/Announced", "True", apart+" stands in for "+holder)

	mended := time.Now()
	cluster.MendSecondSegment()
	for _, client := range []lab.Client{cluster.Client(), cluster.FarClient()} {
		awaitAnswerer(t, "once it is mended, of "+client.Name, client, address, holder)
	}
	t.Logf("one holder %s after it was mended", ms(time.Since(mended)))
	lab.Eventually(t, waitTimeout, "the far client goes to the holder", func() error {
		if at := cluster.FarClient().Resolved(address); at != holder {
			return fmt.Errorf("it goes to %q", at)
		}
		return nil
	})
}

// awaitAnswerer waits until one node alone answers a client.
func awaitAnswerer(t *testing.T, where string, client lab.Client, address netip.Addr, node string) {
	t.Helper()
	lab.Eventually(t, waitTimeout, fmt.Sprintf("%s alone answers %s", node, where), func() error {
		if got := client.WhoHas(address); !slices.Equal(got, []string{node}) {
			return fmt.Errorf("%v do", got)
		}
		return nil
	})
}
