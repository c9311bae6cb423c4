package main

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/e2e/soak/wire"
)

const (
	// asksPerSecond is how many questions the client asks the segment.
	asksPerSecond = 8000
	// crashWithin is how long all addresses of a node that crashed may take.
	crashWithin = time.Minute
)

// segmentToo has the nodes with a host announce the addresses by layer 2 as well.
var segmentToo = fmt.Sprintf(`apiVersion: daymark.io/v1beta1
kind: L2Advertisement
metadata: {name: %[1]s}
spec:
  ipAddressPools: [%[1]s]
  nodeSelectors:
  - matchExpressions: [{key: %[2]s, operator: DoesNotExist}]
`, poolName, simulatedLabel)

// measureCrash has the addresses of all Services held by layer 2 as well, and a node crash: for how long nobody answers for its addresses,
// until others have announced all of them, and what is written because of it.
func (c *cluster) measureCrash() {
	addresses := c.addresses()
	c.Apply(segmentToo)
	c.awaitHeld(len(addresses), c.NodeNames()...)
	if err := c.Client().Route(netip.MustParsePrefix("198.19.0.0/17"), netip.Addr{}, "eth0"); err != nil {
		c.T().Fatalf("%v", err)
	}
	c.settle()
	crashed, held := c.largestHolder(addresses)
	c.note("crash-held", float64(len(held)))

	writesBefore := c.written()
	watch := c.Client().WatchEvery(time.Second*time.Duration(len(held))/asksPerSecond+time.Millisecond, held...)
	heard, stop := c.listen()
	began := time.Now()
	c.Node(crashed).Crash()
	lab.Eventually(c.T(), crashWithin, "others announce and answer for all addresses", func() error {
		time.Sleep(50 * time.Millisecond) // to look all the time would keep a core busy
		return heard.complete(held, crashed, began)
	})
	watch.Stop()
	stop()
	answered, announced := heard.since(held, crashed, began)
	c.noteTimes("crash-answered", answered)
	c.noteTimes("crash-announced", announced)
	writesBetween := c.settle()
	by, sum := writesBetween.since(writesBefore)
	fmt.Printf("    written: %v\n", by)
	c.note("crash-writes", float64(sum))

	c.Node(crashed).Return()
	c.awaitWhole()
	_, sum = c.settle().since(writesBetween)
	c.note("return-writes", float64(sum))
}

// addresses are those of all Services.
func (c *cluster) addresses() (all []netip.Addr) {
	list := &corev1.ServiceList{}
	if err := c.API().List(c.context(), list, client.InNamespace("default")); err != nil {
		c.T().Fatalf("list Services: %v", err)
	}
	for i := range list.Items {
		for _, ingress := range list.Items[i].Status.LoadBalancer.Ingress {
			if address, err := netip.ParseAddr(ingress.IP); err == nil {
				all = append(all, address)
			}
		}
	}
	return all
}

// awaitHeld waits until some speakers hold so many addresses together.
func (c *cluster) awaitHeld(count int, nodes ...string) {
	lab.Eventually(c.T(), 3*time.Minute, "all addresses are held", func() error {
		sum := 0.0
		for _, node := range nodes {
			held, err := c.Node(node).Speaker().Metric(speakerMetrics, "daymark_layer2_addresses_held")
			if err != nil {
				return err
			}
			sum += held
		}
		if int(sum) != count {
			time.Sleep(100 * time.Millisecond) // to ask all the time would keep a core busy
			return fmt.Errorf("%v of %d are", sum, count)
		}
		return nil
	})
}

// largestHolder waits until one node answers for each address, and returns the one that answers for most, with those.
func (c *cluster) largestHolder(addresses []netip.Addr) (node string, held []netip.Addr) {
	const askTogether = 50 // more would not fit into the sockets of those who are asked
	by := map[string][]netip.Addr{}
	lab.Eventually(c.T(), time.Minute, "one node answers for each address", func() error {
		var unsure []netip.Addr
		for some := range slices.Chunk(addresses, askTogether) {
			holders := c.Client().Holders(some...)
			for _, address := range some {
				if len(holders[address]) == 1 {
					by[holders[address][0]] = append(by[holders[address][0]], address)
				} else {
					unsure = append(unsure, address)
				}
			}
		}
		if addresses = unsure; len(unsure) > 0 {
			return fmt.Errorf("of %d that is not so, %s among them", len(unsure), unsure[0])
		}
		return nil
	})
	for _, name := range c.NodeNames() {
		c.T().Logf("%s holds %d addresses", name, len(by[name]))
		if len(by[name]) > len(held) {
			node, held = name, by[name]
		}
	}
	slices.SortFunc(held, netip.Addr.Compare)
	return node, held
}

// heard is when each host first answered for each address, and first announced it.
type heard struct {
	mu        sync.Mutex
	answered  map[saidBy]time.Time
	announced map[saidBy]time.Time
}

type saidBy struct {
	address netip.Addr
	host    string
}

// listen notes what the client's link brings until stop.
func (c *cluster) listen() (h *heard, stop func()) {
	tap, err := wire.Open(c.Client().Host, wire.Resolution)
	if err != nil {
		c.T().Fatalf("%v", err)
	}
	h = &heard{answered: map[saidBy]time.Time{}, announced: map[saidBy]time.Time{}}
	ended := make(chan struct{})
	var reading sync.WaitGroup
	reading.Go(func() {
		for {
			select {
			case <-ended:
				return
			default:
			}
			if frame, ok, err := tap.Next(); err == nil && ok {
				h.add(frame, c.Owner)
			}
		}
	})
	return h, func() {
		close(ended)
		reading.Wait()
		if lost, err := tap.Lost(); err != nil || lost > 0 {
			c.T().Logf("the tap lost %d frames (%v)", lost, err)
		}
		_ = tap.Close()
	}
}

func (h *heard) add(frame wire.Frame, owner func(net.HardwareAddr) string) {
	said, ok := wire.ParseResolution(frame)
	if !ok || said.Kind == wire.Question {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	first := h.answered
	if said.Kind == wire.Announcement {
		first = h.announced
	}
	key := saidBy{said.Address, owner(said.By)}
	if _, known := first[key]; !known {
		first[key] = said.At
	}
}

// complete returns nil when hosts other than the one that crashed have answered for all of some addresses, and announced them.
func (h *heard) complete(addresses []netip.Addr, crashed string, began time.Time) error {
	answered, announced := h.since(addresses, crashed, began)
	if len(answered) < len(addresses) || len(announced) < len(addresses) {
		return fmt.Errorf("of %d addresses %d are answered for and %d announced", len(addresses), len(answered), len(announced))
	}
	return nil
}

// since is how long after a moment another host than the one that crashed first answered for each address, and announced it.
func (h *heard) since(addresses []netip.Addr, crashed string, began time.Time) (answered, announced []time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	wanted := map[netip.Addr]bool{}
	for _, address := range addresses {
		wanted[address] = true
	}
	first := func(all map[saidBy]time.Time) (times []time.Duration) {
		earliest := map[netip.Addr]time.Time{}
		for key, at := range all {
			if known, ok := earliest[key.address]; wanted[key.address] && key.host != crashed && !at.Before(began) && (!ok || at.Before(known)) {
				earliest[key.address] = at
			}
		}
		for _, at := range earliest {
			times = append(times, at.Sub(began))
		}
		return times
	}
	return first(h.answered), first(h.announced)
}
