package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// addresses shows scenario 1.
func (d *demo) addresses() {
	d.step("web gets an address")
	d.Apply(service("web", "web", "", ""))
	d.web, _ = d.Service("web").AwaitAddress()
	d.shown("Service web: EXTERNAL-IP %s, from the IPAddressPool segment", d.web)

	d.step("picky gets the address it asks for")
	d.Apply(service("picky", "web", "", "  loadBalancerIP: 192.0.2.210"))
	got, _ := d.Service("picky").AwaitAddress()
	if got.String() != "192.0.2.210" {
		d.Fatalf("it got %s", got)
	}
	d.shown("Service picky asks for loadBalancerIP 192.0.2.210: gets just that")

	d.step("late says why it waits")
	d.Apply(service("early", "web", "single", ""))
	d.Service("early").AwaitAddress()
	d.Apply(service("late", "web", "single", ""))
	late := d.Service("late")
	d.until("late has a condition and an Event", func() error {
		if why := late.ConditionText("daymark.io/AddressAssigned"); !strings.HasPrefix(why, "False") {
			return errors.New(why)
		}
		if len(late.Events()) == 0 {
			return errors.New("there is no Event")
		}
		return nil
	})
	d.shown("Service late wants the one address of pool single, which early has: it waits")
	d.note("its condition and Event say: %s", message(late.ConditionText("daymark.io/AddressAssigned")))

	d.step("late gets the address that early gives back")
	d.Delete(service("early", "web", "single", ""))
	got, _ = late.AwaitAddress()
	d.shown("Service early is deleted: late gets %s", got)
}

// message is a condition without its status and reason.
func message(condition string) string {
	_, text, _ := strings.Cut(condition, ": ")
	return text
}

// segment shows scenario 2.
func (d *demo) segment() {
	d.step("one node answers ARP for web")
	var holders []string
	d.until("a node answers", func() error {
		if d.Client().Holder(d.web) == "" {
			return errors.New(d.Service("web").ConditionText("daymark.io/Announced"))
		}
		return nil
	})
	took := time.Since(d.since)
	if holders = d.Client().WhoHas(d.web); len(holders) != 1 {
		d.Fatalf("ARP for %s is answered by %v", d.web, holders)
	}
	d.shownIn(took, "ARP: who has %s? %s, and nobody else", d.web, holders[0])

	d.step("the client is served")
	answer := d.Client().MustGet(url(d.web))
	d.shown("client$ curl %s  →  %s", url(d.web), answer)
}

// routed shows scenario 3.
func (d *demo) routed() {
	d.step("every node announces shop by BGP")
	d.Apply(service("shop", "shop", "routed", ""))
	address, _ := d.Service("shop").AwaitAddress()
	d.next(address, "n1", "n2", "n3")
	d.shown("Service shop: %s; the router's next hops: %s", address, d.hops(address))

	d.step("the far client is served")
	answer := d.FarClient().MustGet(url(address))
	d.shown("far client$ curl %s  →  %s", url(address), answer)
}

// local shows scenario 4.
func (d *demo) local() {
	d.step("near is announced where its pod is")
	pod := d.Pod("near", "n2")
	d.Apply(service("near", "near", "both", "  externalTrafficPolicy: Local"))
	address, _ := d.Service("near").AwaitAddress()
	took := d.onlyFrom(address, "n2")
	d.shownIn(took, "Service near, announced both ways: %s only from n2, where its pod is", address)

	d.step("the pod sees the clients' own addresses")
	for _, c := range []lab.Client{d.Client(), d.FarClient()} {
		if answer := c.MustGet(url(address)); answer.Client != c.V4 {
			d.Fatalf("the pod saw %s instead of %s", answer.Client, c.V4)
		}
	}
	d.shown("the pod sees both clients by their own addresses, %s and %s", d.Client().V4, d.FarClient().V4)

	d.step("near follows its pod")
	pod.MoveTo("n3")
	d.since = time.Now()
	took = d.onlyFrom(address, "n3")
	answer := d.Client().MustGet(url(address))
	d.shownIn(took, "the pod moves to n3: ARP and BGP follow  →  %s", answer)
}

// health shows scenario 5.
func (d *demo) health() {
	port := d.Service("near").HealthPort()
	d.step("the health-check port says where the pod is")
	d.until("200 on n3 alone", func() error { return d.healthy(port, "n3") })
	by := "the speakers"
	if d.ServiceProxy() == lab.KubeProxy {
		by = "kube-proxy"
	}
	d.shown("port %d, served by %s: 200 on n3, 503 on n1 and n2", port, by)
}

// failOver shows scenario 6. The pod is on a node that stays, so that what fails and comes back is the address alone.
func (d *demo) failOver() {
	d.step("the pod is on another node than the address")
	holder := d.Client().Holder(d.web)
	for _, name := range d.NodeNames() {
		if d.pod.Node() == holder && name != holder {
			d.pod.MoveTo(name)
		}
	}
	probe := d.Client().Probe(url(d.web))
	d.until("the pod serves", func() error {
		answer, err := d.Client().Get(url(d.web))
		if err == nil && answer.Node != d.pod.Node() {
			err = fmt.Errorf("%s", answer)
		}
		return err
	})

	d.step("another node takes over")
	d.Node(holder).Crash()
	crashed := time.Now()
	d.until("the client is served again", func() error { return probe.ServedSince(crashed.Add(20 * time.Millisecond)) })
	report := probe.Stop()
	heir := d.Client().WhoHas(d.web)
	if len(heir) != 1 || heir[0] == holder {
		d.Fatalf("ARP for %s is answered by %v", d.web, heir)
	}
	d.shownIn(report.Outage(), "%s held %s and is unplugged: %s takes over; the client's outage:", holder, d.web, heir[0])
	d.note("as seen by a client that opens a new connection every 10 ms")
	d.Node(holder).Return()
}
