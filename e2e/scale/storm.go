package main

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/e2e/load"
)

const (
	// poolName is the pool of all Services, and the batch that is created at once.
	poolName = "many"
	// bareSample is how many Services the bare API server is asked to create, before and after; all of them would take as long as what is
	// measured.
	bareSample = 500
	// endpointsEach is how many endpoints a Service has.
	endpointsEach = 3
	// quietFor is how long nothing is written before the cluster counts as quiet.
	quietFor = 3 * time.Second
)

// ours are what is written because this program creates Services: these, their endpoints, and the API server's own notes of cluster IPs.
var ours = []string{"services", "endpointslices", "ipaddresses"}

// network has all Services announced by BGP. Addresses up to 198.19.127.255 are theirs, those above are the nodes' without a host.
var network = fmt.Sprintf(`apiVersion: daymark.io/v1beta1
kind: IPAddressPool
metadata: {name: %[1]s}
spec: {addresses: [198.19.0.0/17], autoAssign: false}
---
apiVersion: daymark.io/v1beta1
kind: BGPAdvertisement
metadata: {name: %[1]s}
spec: {ipAddressPools: [%[1]s]}
---
apiVersion: daymark.io/v1beta1
kind: BGPPeer
metadata: {name: router}
spec: {myASN: %[2]d, peerASN: %[3]d, peerAddress: %[4]s, holdTime: 9s, connectTime: 1s}
`, poolName, lab.NodesASN, lab.RouterASN, lab.RouterV4)

// measureStorm creates all Services at once: the time until the last has its address and its route, and what that takes. Before, while
// nothing of Daymark runs, and after, the bare API server creates some: for each one it counts all cluster IPs that there are, twice, so what
// a Service costs it grows with their number.
func (c *cluster) measureStorm() {
	sample := min(bareSample, c.size.services)
	bare := c.bare(sample, func(*corev1.Service) {})

	c.storeEndpoints() // before anybody watches: see controlplane.Store
	c.start()
	c.settle()
	before, writesBefore, began := c.spent(), c.written(), time.Now()
	load.CreateServices(c.T(), c.Cluster, poolName, poolName, c.size.services)
	c.note("created", time.Since(began).Seconds())
	load.AwaitAddresses(c.T(), c.Cluster, poolName, poolName, c.size.services)
	c.note("addressed", time.Since(began).Seconds())
	load.AwaitRoutes(c.T(), c.Cluster, c.size.services)
	c.note("routed", time.Since(began).Seconds())
	by, _ := c.spent().since(before)
	writesAfter := c.settle()
	for _, kind := range []string{controllerKind, speakerKind} {
		c.note("storm-"+kind, by[kind].Seconds())
	}
	each, sum := writesAfter.since(writesBefore, ours...)
	fmt.Printf("    written: %v\n", each)
	c.note("storm-writes", float64(sum)/float64(c.size.services))

	// Nobody serves those without a load balancer.
	among := c.bare(sample, func(s *corev1.Service) {
		s.Spec.Type, s.Spec.AllocateLoadBalancerNodePorts = corev1.ServiceTypeClusterIP, nil
	})
	fmt.Printf("    the bare API server: %s for each of the first, %s for each of the last\n", bare, among)
	c.note("bare", (bare+among).Seconds()/2*float64(c.size.services))
}

// bare is how long the API server takes to create a Service, as the mean of so many that are deleted again.
func (c *cluster) bare(sample int, change func(*corev1.Service)) time.Duration {
	took := load.CreateServices(c.T(), c.Cluster, "bare", poolName, sample, change)
	load.DeleteServices(c.T(), c.Cluster, "bare", sample)
	return took / time.Duration(sample)
}

// storeEndpoints gives every Service its endpoints, spread over the nodes. They are put into etcd past the API server before the Services
// are there, so that they cost nothing while these are created.
func (c *cluster) storeEndpoints() {
	var all []client.Object
	for i := range c.size.services {
		var on []string
		for j := range endpointsEach {
			on = append(on, c.nodes[(i*endpointsEach+j)%len(c.nodes)])
		}
		all = append(all, load.Endpoints(load.Name(poolName, i), on...))
	}
	c.Store(c.context(), "endpointslices", all)
}

// measureSteady measures a cluster that has its Services: memory, the processor at rest, new Services one at a time, and the processor
// while endpoints change all the time.
func (c *cluster) measureSteady() {
	const (
		rest      = 10 * time.Second
		changing  = 20 * time.Second
		perSecond = 50
		samples   = 9
	)
	c.noteMemory()
	before := c.spent()
	time.Sleep(rest)
	c.noteShares("rest-", before)

	var addressed, routed []time.Duration
	writesBefore := c.written()
	for i := range samples {
		a, r := c.newService(fmt.Sprintf("new-%d", i))
		addressed, routed = append(addressed, a), append(routed, r)
		time.Sleep(500 * time.Millisecond) // so that it is the only one
	}
	c.noteTimes("new-addressed", addressed)
	c.noteTimes("new-routed", routed)
	by, sum := c.settle().since(writesBefore, ours...)
	fmt.Printf("    written: %v\n", by)
	c.note("new-writes", float64(sum)/samples)

	before = c.spent()
	ctx, stop := withTimeout(changing)
	defer stop()
	changed := load.ChangeEndpoints(ctx, c.Cluster, poolName, c.size.services, perSecond)
	c.note("changes", float64(changed)/changing.Seconds())
	c.noteShares("changing-", before)
}

// newService creates a Service with endpoints, and returns how long it took until it had its address, and until the router's kernel
// forwarded to every node.
func (c *cluster) newService(name string) (addressed, routed time.Duration) {
	object := load.WithoutNodePorts(name, poolName)
	if err := c.API().Create(c.context(), load.Endpoints(name, c.nodes[0])); err != nil {
		c.T().Fatalf("create endpoints: %v", err)
	}
	began := time.Now()
	if err := c.API().Create(c.context(), object); err != nil {
		c.T().Fatalf("create a Service: %v", err)
	}
	var address netip.Addr
	lab.Eventually(c.T(), time.Minute, "the new Service has an address", func() (err error) {
		if err := c.API().Get(c.context(), client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		if len(object.Status.LoadBalancer.Ingress) == 0 {
			return errors.New("it has none")
		}
		address, err = netip.ParseAddr(object.Status.LoadBalancer.Ingress[0].IP)
		return err
	})
	addressed = time.Since(began)
	lab.Eventually(c.T(), time.Minute, "the router forwards it", func() error {
		if hops := c.Router().NextHops(address.String()); len(hops) != c.settings.speakers {
			return fmt.Errorf("it forwards to %v", hops)
		}
		return nil
	})
	return addressed, time.Since(began)
}

// noteTimes notes the median and the longest of some times, in milliseconds.
func (c *cluster) noteTimes(key string, times []time.Duration) {
	sorted := slices.Sorted(slices.Values(times))
	c.note(key, float64(sorted[len(sorted)/2].Milliseconds()))
	c.note(key+"-most", float64(sorted[len(sorted)-1].Milliseconds()))
}
