package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

func (d *demo) until(what string, condition func() error) {
	lab.Eventually(d, 15*time.Second, what, condition)
}

// next waits until the router forwards the address to just these nodes.
func (d *demo) next(address netip.Addr, nodes ...string) {
	d.until("the router's next hops", func() error {
		if got := d.Router().NextHopNodes(address.String()); !slices.Equal(got, nodes) {
			return fmt.Errorf("the router's next hops are %v", got)
		}
		return nil
	})
}

func (d *demo) hops(address netip.Addr) string {
	hops := fmt.Sprint(d.Router().NextHops(address.String()))
	return strings.Trim(hops, "[]")
}

// onlyFrom waits until ARP and BGP both name that node and no other.
func (d *demo) onlyFrom(address netip.Addr, node string) (took time.Duration) {
	d.next(address, node)
	d.until("ARP", func() error {
		if got := d.Client().Holder(address); got != node {
			return fmt.Errorf("ARP for %s is answered by %q", address, got)
		}
		return nil
	})
	took = time.Since(d.since)
	if got := d.Client().WhoHas(address); !slices.Equal(got, []string{node}) {
		d.Fatalf("ARP for %s is answered by %v", address, got)
	}
	return took
}

func (d *demo) healthy(port int, where string) error {
	for _, n := range d.Nodes() {
		want := 503
		if n.Name == where {
			want = 200
		}
		status, _, err := n.Get(port, "/healthz")
		if err != nil {
			return err
		}
		if status != want {
			return fmt.Errorf("%s answers %d", n.Name, status)
		}
	}
	return nil
}

func url(a netip.Addr) string { return "http://" + netip.AddrPortFrom(a, 80).Addr().String() + "/" }
