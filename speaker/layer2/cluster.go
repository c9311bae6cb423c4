package layer2

import (
	"maps"
	"net"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/announce"
)

// owner is the node and the interface of a MAC address of the cluster; zero: it is an interface that we answer on.
type owner struct{ node, interfaceName string }

// other reports whether it is another node.
func (o owner) other() bool { return o.node != "" }

// UpdateClusterMACs says which MAC addresses the nodes of the cluster have. Their speakers take addresses over from
// each other, so that an address in use by one of them is no conflict, unless nobody has announced it. The interfaces that we
// answer on belong to the cluster without being named. A MAC that is not an Ethernet address, such as "", is skipped. Call it
// before the first Set, and again after every change; a call with the same list costs a comparison. A conflict with a host
// that now belongs to the cluster ends at once.
func (r *Responder) UpdateClusterMACs(macs []announce.NodeMAC) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.Equal(r.givenMACs, macs) {
		return
	}
	r.givenMACs = slices.Clone(macs)
	r.nodeMACs = map[mac]owner{}
	for _, of := range macs {
		if addr, err := net.ParseMAC(of.MAC); err == nil && len(addr) == len(mac{}) {
			r.nodeMACs[mac(addr)] = owner{of.Node, of.Interface}
		}
	}
	r.updateClusterMACs()
}

// updateClusterMACs publishes the cluster's MAC addresses and our own for the receivers. The caller holds mu.
func (r *Responder) updateClusterMACs() {
	all := maps.Clone(r.nodeMACs)
	if all == nil {
		all = map[mac]owner{}
	}
	for _, s := range r.sockets {
		all[s.nic.mac] = owner{}
	}
	if before := r.clusterMACs.Swap(&all); maps.Equal(*before, all) {
		return
	}
	if r.detector.clearConflicts(r.inCluster) {
		notify(r.changes)
	}
}

func (r *Responder) inCluster(m mac) bool {
	_, ok := r.ownerOf(m)
	return ok
}

// ownerOf returns the owner of a MAC address of the cluster; false: it belongs to a foreign host.
func (r *Responder) ownerOf(m mac) (owner, bool) {
	o, ok := (*r.clusterMACs.Load())[m]
	return o, ok
}
