package kubelet

import (
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/e2e/lab/check"
	"github.com/daymark-lb/daymark/e2e/lab/probe"
)

// Control begins to connect to the pods of Web by their own addresses, every 10 ms to one after the other, from the host of the API
// server: past Services, load balancers and routers. What fails there fails because of the machine. Pods of the nodes that are named are
// left out: what is done to these may end them.
func (c *Cluster) Control(without ...string) *probe.Prober {
	c.t.Helper()
	ctx, cancel := check.Context()
	defer cancel()
	pods := &corev1.PodList{}
	check.Must(c.t, "list the pods", c.API.List(ctx, pods, client.InNamespace("default"), client.MatchingLabels{"app": "web"}))
	var urls []string
	for i := range pods.Items {
		if address, err := netip.ParseAddr(pods.Items[i].Status.PodIP); err == nil && !slices.Contains(without, pods.Items[i].Spec.NodeName) {
			urls = append(urls, fmt.Sprintf("http://%s/", netip.AddrPortFrom(address, webPort)))
		}
	}
	if len(urls) == 0 {
		c.t.Fatalf("no pod of web has an address")
	}
	return c.asClient(c.here).Probe(urls...)
}
