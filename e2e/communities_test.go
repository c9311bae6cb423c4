package e2e_test

import (
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// tagged is an advertisement of one pool with a community.
func tagged(community string) string {
	return `
apiVersion: daymark.io/v1beta1
kind: BGPAdvertisement
metadata: {name: marked}
spec:
  ipAddressPools: [marked]
  communities: [` + community + `]
`
}

// A typing error in a community takes nothing from the routes, nor do restarts after it; a new route with one waits.
func TestCommunities_TypingErrorOpensNothingAndClosesNothing(t *testing.T) {
	lab.Need(t, lab.BIRD)
	cluster := daymark(t)
	cluster.Router().Configure(lab.BIRD, lab.RouterSettings{})
	cluster.Pod("marked", "n1")
	cluster.Apply(peer("marked"))
	cluster.Apply(pool("marked", "198.19.30.0/24"))
	cluster.Apply(tagged("no-expor"))
	cluster.Apply(service("marked", "marked"))
	s := cluster.Service("marked")
	address, _ := s.AwaitAddress()
	awaitCondition(t, s, "daymark.io/Announced", "False HeldBack", "BGPAdvertisement marked is held back: no-expor is no community: did you mean no-export?")
	if view := cluster.Router().View(); strings.Contains(view, address.String()) {
		t.Errorf("the route goes out all the same:\n%s", view)
	}

	cluster.Apply(tagged("no-export"))
	awaitCondition(t, s, "daymark.io/Announced", "True Announced", "by BGP (marked)")
	awaitNextHops(t, cluster, address.String(), "n1", "n2", "n3")
	cluster.Apply(tagged("no_export"))
	awaitObjectCondition(t, cluster, "BGPAdvertisement", "marked", "Ready", "False NotFound", "no_export is no community: did you mean no-export?")
	cluster.Controller().Kill()
	cluster.Controller().Start()
	for _, node := range []string{"n1", "n2", "n3"} {
		cluster.Node(node).Speaker().Kill()
		cluster.Node(node).Speaker().Start()
	}
	awaitNextHops(t, cluster, address.String(), "n1", "n2", "n3")
	awaitCondition(t, s, "daymark.io/Announced", "True Announced", "by BGP (marked)")
	if view := cluster.Router().View(); !strings.Contains(view, "(65535,65281)") {
		t.Errorf("the routes have lost their community:\n%s", view)
	}
}
