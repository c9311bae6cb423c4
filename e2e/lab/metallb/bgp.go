package metallb

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/e2e/lab/segment"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/testnet"
)

// routes are what one node announces to the lab's router. FRR does it, as in MetalLB's own frr-k8s, but without its wait of 3 seconds.
type routes struct {
	frr       *testnet.FRR
	processes []*testnet.Process
	services  map[lb.Key][]netip.Addr
}

// router is what MetalLB's reports call the peer.
const router = "router"

func startRoutes(node lab.Node, dir string) (*routes, error) {
	dir = filepath.Join(dir, "m"+node.Name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	core, err := testnet.NewFRR(node.Namespace, dir)
	if err != nil {
		return nil, err
	}
	r := &routes{frr: core}
	for _, name := range []string{"zebra", "bgpd"} {
		p, err := core.Start(name, "")
		if err != nil {
			return r, err
		}
		r.processes = append(r.processes, p)
	}
	return r, core.Configure(context.Background(), fmt.Sprintf(`
router bgp %d
 bgp router-id %s
 no bgp ebgp-requires-policy
 no bgp network import-check
 neighbor %s remote-as %d
 neighbor %[3]s update-source %[2]s
 neighbor %[3]s timers 3 9
 neighbor %[3]s timers connect 1
 address-family ipv6 unicast
  neighbor %[3]s activate
`, lab.NodesASN, node.V4, segment.RouterV4, lab.RouterASN))
}

func (r *routes) close() (err error) {
	for _, p := range slices.Backward(r.processes) {
		err = errors.Join(err, p.Stop())
	}
	return err
}

// set what it announces, and return the Services that are new and gone.
func (r *routes) set(ctx context.Context, services map[lb.Key][]netip.Addr) (begun, ended []lb.Key, err error) {
	before, now := prefixes(r.services), prefixes(services)
	var lines []string
	for p := range now {
		if !before[p] {
			lines = append(lines, network("", p)...)
		}
	}
	for p := range before {
		if !now[p] {
			lines = append(lines, network("no ", p)...)
		}
	}
	begun, ended = changes(r.services, services)
	r.services = services
	if len(lines) > 0 {
		_, err = r.frr.Ask(ctx, "bgpd", append([]string{"configure terminal", fmt.Sprint("router bgp ", lab.NodesASN)}, lines...)...)
	}
	return begun, ended, err
}

func network(no string, p netip.Prefix) []string {
	family := "ipv4"
	if p.Addr().Is6() {
		family = "ipv6"
	}
	return []string{"address-family " + family + " unicast", strings.TrimSpace(no + "network " + p.String()), "exit-address-family"}
}

func prefixes(services map[lb.Key][]netip.Addr) map[netip.Prefix]bool {
	all := map[netip.Prefix]bool{}
	for _, addresses := range services {
		for _, address := range addresses {
			all[segment.Single(address)] = true
		}
	}
	return all
}
