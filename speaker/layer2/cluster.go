package layer2

import (
	"maps"
	"net"
	"slices"
)

// macSet is a set of MAC addresses.
type macSet map[mac]struct{}

// UpdateClusterMACs says which MAC addresses the nodes of the cluster have. Their speakers take addresses over from
// each other, so that an address in use by one of them is no conflict. The interfaces that we answer on belong to the
// cluster without being named. A string that is not an Ethernet address, such as "", is skipped. Call it before the
// first Set, and again after every change; a call with the same list costs a comparison. A conflict with a host that
// now belongs to the cluster ends at once.
func (r *Responder) UpdateClusterMACs(macs []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.Equal(r.givenMACs, macs) {
		return
	}
	r.givenMACs = slices.Clone(macs)
	r.nodeMACs = macSet{}
	for _, text := range macs {
		if addr, err := net.ParseMAC(text); err == nil && len(addr) == len(mac{}) {
			r.nodeMACs[mac(addr)] = struct{}{}
		}
	}
	r.updateClusterMACs()
}

// updateClusterMACs publishes the cluster's MAC addresses and our own for the receivers. The caller holds mu.
func (r *Responder) updateClusterMACs() {
	all := maps.Clone(r.nodeMACs)
	if all == nil {
		all = macSet{}
	}
	for _, s := range r.sockets {
		all[s.nic.mac] = struct{}{}
	}
	if before := r.clusterMACs.Swap(&all); maps.Equal(*before, all) {
		return
	}
	if r.detector.clearConflicts(r.inCluster) {
		notify(r.changes)
	}
}

func (r *Responder) inCluster(m mac) bool {
	_, ok := (*r.clusterMACs.Load())[m]
	return ok
}
