package connections

import (
	"fmt"
	"maps"
	"slices"

	"github.com/vishvananda/netlink"
)

// instead are links that exist where something serves Services in the place of kube-proxy, whatever rules there are.
var instead = map[string]string{
	"kube-ipvs0":    "kube-proxy runs in the mode ipvs, which serves packets of unknown connections itself; the modes nftables and iptables do not",
	"kube-dummy-if": "kube-router serves Services by IPVS",
	"bpfin.cali":    "Calico serves Services by eBPF, before nftables sees a packet",
}

// perhaps are links of network plugins that may serve Services in the place of kube-proxy, or leave them to it.
var perhaps = map[string]string{
	"antrea-gw0":  "Antrea",
	"cilium_host": "Cilium",
	"ovn-k8s-mp0": "OVN-Kubernetes",
}

// firstLink returns the first of some links that the node has, and what it stands for; "": it has none. What the kernel does not tell counts as
// not there.
func firstLink(links map[string]string) (name, stands string) {
	for _, name := range slices.Sorted(maps.Keys(links)) {
		if _, err := netlink.LinkByName(name); err == nil {
			return name, links[name]
		}
	}
	return "", ""
}

// servedInstead says what serves Services on this node in the place of kube-proxy, whose rules may be left over, in words for its operator;
// "": nothing is seen.
func servedInstead() string {
	link, what := firstLink(instead)
	if link == "" {
		return ""
	}
	return fmt.Sprintf("%s (there is the link %s)", what, link)
}

// Beside returns the name of a network plugin of this node that may serve Services in the place of kube-proxy; "": none is seen. Whether it does
// cannot be told from the kernel's rules: kube-proxy leaves its own when it ends. Start looks, and again as often as it renews. Changes tells
// of a change.
func (r *Relay) Beside() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.plugin
}

// lookBeside finds out what Beside returns.
func (r *Relay) lookBeside() {
	_, plugin := firstLink(perhaps)
	r.mu.Lock()
	defer r.mu.Unlock()
	if plugin != r.plugin {
		r.plugin = plugin
		notify(r.changes)
	}
}
