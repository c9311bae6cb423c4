package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// Starting takes less than a second, and ten Services less than 60 MB. Measured with the programs as `make build` makes them.
func TestPrograms_StartQuicklyAndStaySmall(t *testing.T) {
	cluster := daymark(t)
	cluster.UsePlainBinaries()
	cluster.Pod("small", "n1")
	cluster.Apply(peer("small") + "\n---" + bothWays)
	cluster.Apply(segmentPool("near", "192.0.2.210-192.0.2.219"))
	for i := range 10 {
		name := fmt.Sprintf("small-%d", i)
		cluster.Apply(strings.ReplaceAll(service(name, "near"), "app: "+name, "app: small"))
	}
	programs := []struct {
		lab.Daemon
		healthPort int
	}{{cluster.Controller(), 7471}, {cluster.Node("n1").Speaker(), 7473}}
	for _, p := range programs {
		p.Stop()
		began := time.Now()
		p.Start()
		lab.Eventually(t, time.Second, p.Name+" is healthy", func() error { return p.Healthy(p.healthPort) })
		t.Logf("%s is healthy after %s", p.Name, time.Since(began))
	}
	for i := range 10 {
		address, _ := cluster.Service(fmt.Sprintf("small-%d", i)).AwaitAddress()
		awaitHolder(t, cluster, address)
		awaitNextHops(t, cluster, address.String(), "n1", "n2", "n3")
	}
	for _, p := range programs {
		resident, err := p.Resident()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s uses %d MB", p.Name, resident>>20)
		if resident > 60<<20 {
			t.Errorf("%s uses %d MB, want less than 60", p.Name, resident>>20)
		}
	}
}
