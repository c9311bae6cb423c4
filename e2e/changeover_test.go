package e2e_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/e2e/lab/metallb"
)

// Promise: Services change over from MetalLB to Daymark one at a time, and back, each with the address that it has, and interrupted no
// longer than by a fail-over.

const ofMetalLB = `
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: lan, namespace: metallb-system}
spec: {addresses: [192.0.2.200-192.0.2.209]}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: lan, namespace: metallb-system}
spec: {ipAddressPools: [lan]}
`

// movingService has the port 80, or another one, of the pod "moving".
func movingService(name string, port int, annotations string) string {
	return fmt.Sprintf(`
apiVersion: v1
kind: Service
metadata: {name: %s, annotations: {%s}}
spec:
  type: LoadBalancer
  selector: {app: moving}
  ports: [{port: %d, targetPort: 8080}]
`, name, annotations, port)
}

func TestChangeOver_FromMetalLBAndBack(t *testing.T) {
	cluster := daymark(t)
	p := buildPlugin(t, cluster)
	// What --serve-classless=false does in a cluster where all is MetalLB's.
	cluster.Kubectl("annotate", "namespace", "default", "daymark.io/provider=metallb")
	t.Cleanup(func() { cluster.Kubectl("annotate", "namespace", "default", "daymark.io/provider-") })
	metallb.Install(t, cluster)
	cluster.Apply(ofMetalLB)
	metallb.Start(t, cluster)

	cluster.Pod("moving", "n1")
	names := []string{"moving-1", "moving-2", "moving-3"}
	for _, name := range names {
		cluster.Apply(movingService(name, 80, ""))
	}
	const shared = `metallb.io/allow-shared-ip: both, metallb.io/loadBalancerIPs: 192.0.2.209`
	cluster.Apply(movingService("moving-both", 80, shared) + "---" + movingService("moving-too", 81, shared))
	addresses, urls := map[string]netip.Addr{}, []string{}
	for _, name := range append(names, "moving-both", "moving-too") {
		addresses[name], _ = cluster.Service(name).AwaitAddress()
		awaitHolder(t, cluster, addresses[name])
		urls = append(urls, url(addresses[name]))
	}
	cluster.Apply(segmentPool("moving", "192.0.2.200-192.0.2.209"))
	awaitMembers(t, cluster)
	p.says("migrate plan", 0, "advertisements", "change over with it: default/moving-both, default/moving-too", "Later")

	all := []netip.Addr{addresses["moving-1"], addresses["moving-2"], addresses["moving-3"], addresses["moving-both"]}
	for _, page := range urls[:4] {
		cluster.Client().MustGet(page)
	}
	probe, watch := cluster.Client().Probe(urls[:4]...), cluster.Client().Watch(all...)
	lab.Eventually(t, waitTimeout, "the client is served", func() error { return probe.ServedSince(time.Time{}) })
	began := time.Now()
	p.does("migrate next --yes", "default/moving-both: Daymark's, with 192.0.2.209", "default/moving-too: Daymark's")
	for _, name := range names {
		p.does("migrate next --yes", fmt.Sprintf("default/%s: Daymark's, with %s", name, addresses[name]))
		awaitCondition(t, cluster.Service(name), "daymark.io/Announced", "True")
	}
	p.says("migrate plan", 0, "moving-3", "Done", "Ready") // which is to uninstall MetalLB
	there := time.Now()
	for _, name := range names {
		p.does("migrate back --yes default/"+name, fmt.Sprintf("default/%s: MetalLB's, with %s", name, addresses[name]))
		awaitCondition(t, cluster.Service(name), "daymark.io/Provenance", "no condition")
	}

	report, observations := probe.Stop(), watch.Stop()
	t.Logf("%s; there: nobody answered for %s, two did for %s; back: nobody for %s, two for %s; %v", report,
		ms(observations.Unheld(began)), ms(observations.Shared(began)), ms(observations.Unheld(there)), ms(observations.Shared(there)),
		observations.Holders(all[0], began))
	if err := report.FirstError(); err != nil {
		t.Logf("the first connection that failed says: %v", err)
	}
	mustBeUnder(t, "the outage", report.Outage())
	mustBeUnder(t, "the time without a holder", observations.Unheld(began))
	mustBeUnder(t, "the time with two holders", observations.Shared(began))
	for name, address := range addresses {
		if now, _ := cluster.Service(name).AwaitAddress(); now != address {
			t.Errorf("%s has %s now, and had %s", name, now, address)
		}
	}
}

// does runs a command line that must end with status 0 and print some texts.
func (p *plugin) does(line string, wanted ...string) {
	p.t.Helper()
	stdout, stderr, status := p.run(line)
	missing := slices.ContainsFunc(wanted, func(text string) bool { return !strings.Contains(stdout, text) })
	if status != 0 || missing {
		p.t.Fatalf("kubectl daymark %s ended with status %d, want 0 and %q: %s%s", line, status, wanted, stdout, stderr)
	}
	p.t.Logf("kubectl daymark %s: %s", line, stdout[strings.LastIndex(strings.TrimSpace(stdout), "\n")+1:])
}
