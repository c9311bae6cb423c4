package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// Promise: a session is taken out of use, and brought back, without a connection that is lost, and the cluster says that it is on purpose.

func TestBGP_MaintenanceAndShutdownOfAPeerLoseNoConnection(t *testing.T) {
	lab.Need(t, lab.FRR)
	cluster := daymark(t)
	cluster.Router().Configure(lab.FRR, lab.RouterSettings{})
	cluster.Pod("serviced", "n1")
	cluster.Apply(peer("serviced", only("NotIn", "n2")))
	cluster.Apply(peer("spare", only("In", "n2")))
	cluster.Apply(routedPool("serviced", "198.19.33.0/24"))
	cluster.Apply(service("serviced", "serviced"))
	address, _ := cluster.Service("serviced").AwaitAddress()
	awaitNextHops(t, cluster, address.String(), "n1", "n2", "n3")
	awaitThroughAll(t, cluster, address)
	probe, watch := cluster.FarClient().Probe(url(address)), cluster.Router().Watch(address.String())
	lab.Eventually(t, waitTimeout, "the client is served", func() error { return probe.ServedSince(time.Time{}) })

	administer := func(state string) {
		cluster.Kubectl("patch", "bgppeer", "serviced", "--type", "merge", "-p",
			fmt.Sprintf(`{"spec":{"adminState":%q,"shutdownMessage":"new line card"}}`, state))
	}
	says := func(reason, words string) {
		lab.Eventually(t, waitTimeout, "the condition says "+reason, func() error {
			got := cluster.Kubectl("get", "bgppeer", "serviced", "-o",
				`jsonpath={.status.conditions[?(@.type=="SessionsEstablished")].reason}: {.status.conditions[?(@.type=="SessionsEstablished")].message}`)
			if !strings.HasPrefix(got, reason+": ") || !strings.Contains(got, words) {
				return fmt.Errorf("it says %s", got)
			}
			return nil
		})
	}
	administer("Maintenance")
	awaitNextHops(t, cluster, address.String(), "n2")
	says("Maintenance", "2 of 2 nodes have their sessions")
	administer("Down")
	says("AdministrativelyDown", "0 of 2 nodes have their sessions")
	administer("Up")
	awaitNextHops(t, cluster, address.String(), "n1", "n2", "n3")
	says("Established", "2 of 2")
	served := time.Now()
	lab.Eventually(t, waitTimeout, "the client is served", func() error { return probe.ServedSince(served) })
	changes, report := watch.Stop(), probe.Stop()
	t.Logf("%s; next hops: %v", report, changes)
	mustHaveServedAllRouted(t, report, changes)
}
