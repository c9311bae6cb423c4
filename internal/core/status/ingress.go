package status

import (
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// ingress is what the status of a Service shows: its addresses, and among them at their places the entries that somebody
// else wrote and that stay. It returns the list before if that is equal.
func ingress(before []corev1.LoadBalancerIngress, a *ipam.Assignment) []corev1.LoadBalancerIngress {
	mode := ipMode(a.Service)
	if len(a.PortConflicts) == 0 && isIngress(before, a.Addresses, mode) {
		return before
	}
	list := make([]corev1.LoadBalancerIngress, len(a.Addresses))
	for i, has := range a.Addresses {
		list[i] = corev1.LoadBalancerIngress{IP: has.Addr.String(), IPMode: &mode, Ports: ports(a, has.Addr)}
	}
	for i := range before {
		if staysForeign(&before[i], a) {
			list = slices.Insert(list, min(i, len(list)), before[i])
		}
	}
	if equality.Semantic.DeepEqual(before, list) {
		return before
	}
	return list
}

// ports are those of a Service at an address, if one of them has an error; else none. Who lists a port lists all (KEP-1435).
func ports(a *ipam.Assignment, addr netip.Addr) []corev1.PortStatus {
	failed := func(port lb.Port) bool { return a.PortConflicts[ipam.PortConflict{Addr: addr, Port: port}] }
	if len(a.PortConflicts) == 0 || !slices.ContainsFunc(a.Service.Ports, failed) {
		return nil
	}
	list := make([]corev1.PortStatus, len(a.Service.Ports))
	for i, port := range a.Service.Ports {
		list[i] = corev1.PortStatus{Port: int32(port.Number), Protocol: port.Protocol}
		if failed(port) {
			list[i].Error = new(v1beta1.PortErrorConflict)
		}
	}
	return list
}

// ipMode is that of the addresses of a Service.
func ipMode(s *lb.Service) corev1.LoadBalancerIPMode {
	if s.Proxy {
		return corev1.LoadBalancerIPModeProxy
	}
	return corev1.LoadBalancerIPModeVIP
}

// isIngress reports whether a list shows some addresses of an ipMode and nothing else.
func isIngress(list []corev1.LoadBalancerIngress, addresses []ipam.Address, mode corev1.LoadBalancerIPMode) bool {
	same := len(list) == len(addresses)
	var text [64]byte // compared without an allocation
	for i := 0; same && i < len(addresses); i++ {
		b := &list[i]
		same = b.Hostname == "" && len(b.Ports) == 0 && b.IPMode != nil && *b.IPMode == mode &&
			b.IP == string(addresses[i].Addr.AppendTo(text[:0]))
	}
	return same
}

// staysForeign reports whether an entry that somebody else wrote stays. A name, or what is no address, stands for all
// addresses of the Service: it stays as long as that has none of ours.
func staysForeign(entry *corev1.LoadBalancerIngress, a *ipam.Assignment) bool {
	addr, err := lb.ParseAddr(entry.IP)
	if err != nil {
		return len(a.Addresses) == 0
	}
	return slices.Contains(a.Foreign, addr)
}
