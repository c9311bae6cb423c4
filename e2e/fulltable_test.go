package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// Promise: a router that tells the nodes a full table does them no harm: they learn nothing, and go on to announce.

func TestBGP_ManyRoutesDoNoHarm(t *testing.T) {
	const routes, growth = 100_000, 20 << 20
	lab.Need(t, lab.BIRD)
	cluster := daymark(t)
	cluster.UsePlainBinaries()
	cluster.Pod("full", "n1")
	cluster.Router().Configure(lab.BIRD, lab.RouterSettings{})
	cluster.Apply(peer("full"))
	cluster.Apply(routedPool("full", "198.19.21.0/24"))
	cluster.Apply(service("full", "full"))
	address, _ := cluster.Service("full").AwaitAddress()
	awaitNextHops(t, cluster, address.String(), "n1", "n2", "n3")
	speaker := cluster.Node("n1").Speaker()
	before := resident(t, speaker)
	installed := kernelRoutes(t, cluster.Node("n1"))

	cluster.Router().Configure(lab.BIRD, lab.RouterSettings{Announced: routes})
	began := time.Now()
	most := before
	lab.Eventually(t, time.Minute, "the speaker has refused all routes", func() error {
		most = max(most, resident(t, speaker))
		count, err := speaker.Metric(7472, "daymark_bgp_prefixes_received_total")
		if err == nil && count < routes {
			err = fmt.Errorf("it has refused %.0f", count)
		}
		return err
	})
	t.Logf("%d routes were refused within %s; the speaker had %d MB, and %d at most meanwhile", routes, ms(time.Since(began)), before>>20, most>>20)
	if most-before > growth {
		t.Errorf("the speaker grew by %d MB, want less than %d", (most-before)>>20, growth>>20)
	}
	if now := kernelRoutes(t, cluster.Node("n1")); now != installed {
		t.Errorf("the kernel of n1 has\n%s, and had\n%s", now, installed)
	}
	cluster.Apply(service("later", "full", "externalTrafficPolicy: Cluster"))
	later, _ := cluster.Service("later").AwaitAddress()
	cluster.PodWith("later", "n2", map[string]string{"app": "later"})
	awaitNextHops(t, cluster, later.String(), "n1", "n2", "n3")
	awaitNextHops(t, cluster, address.String(), "n1", "n2", "n3")
}

func resident(t *testing.T, p lab.Daemon) int64 {
	t.Helper()
	bytes, err := p.Resident()
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

// kernelRoutes are a node's routes as `ip route` shows them.
func kernelRoutes(t *testing.T, node lab.Node) string {
	t.Helper()
	routes, err := node.Run(t.Context(), "", "ip", "route", "show")
	if err != nil {
		t.Fatal(err)
	}
	return routes
}
