package metallb

import (
	"context"
	"net/netip"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

const (
	poolAnnotation    = "metallb.io/ip-allocated-from-pool"
	requestAnnotation = "metallb.io/loadBalancerIPs"
	sharingAnnotation = "metallb.io/allow-shared-ip"
)

// control gives addresses, as controller/service.go of MetalLB does: it keeps what the status shows while a pool contains it, and else
// clears it and gives another. What the status shows is counted as given, whoever announces it. A write that fails is done again when
// the Service is seen next.
func (s *StandIn) control(ctx context.Context, w *world) {
	used := map[netip.Addr]bool{}
	for _, service := range w.services {
		for _, address := range shown(service) {
			used[address] = true
		}
	}
	for _, service := range w.services {
		version := service.ResourceVersion + w.poolVersions()
		if s.converged[key(service)] == version {
			continue
		}
		changed := service.DeepCopy()
		w.converge(changed, used)
		if s.cluster.API().Status().Update(ctx, changed) == nil {
			s.converged[key(service)] = version
		}
	}
}

// poolVersions change when a pool does, and then MetalLB looks at all Services again.
func (w *world) poolVersions() (all string) {
	for _, p := range w.pools {
		all += "," + p.version
	}
	return all
}

// converge a Service. The whole status is written with the entries made anew, so that they have no ipMode, as MetalLB does it.
func (w *world) converge(service *corev1.Service, used map[netip.Addr]bool) {
	addresses := shown(service)
	for _, address := range addresses {
		if w.poolOf(address) == nil {
			addresses = nil
			break
		}
	}
	if len(addresses) == 0 {
		addresses = w.allocate(service, used)
	}
	delete(service.Annotations, poolAnnotation)
	service.Status.LoadBalancer = corev1.LoadBalancerStatus{}
	for _, address := range addresses {
		used[address] = true
		service.Status.LoadBalancer.Ingress = append(service.Status.LoadBalancer.Ingress, corev1.LoadBalancerIngress{IP: address.String()})
		if service.Annotations == nil {
			service.Annotations = map[string]string{}
		}
		service.Annotations[poolAnnotation] = w.poolOf(address).name
	}
}

// allocate the addresses that a Service asks for, or the first that is free.
func (w *world) allocate(service *corev1.Service, used map[netip.Addr]bool) (given []netip.Addr) {
	if asks := service.Annotations[requestAnnotation]; asks != "" {
		for text := range strings.SplitSeq(asks, ",") {
			wanted, err := netip.ParseAddr(text)
			if err != nil || w.poolOf(wanted) == nil || used[wanted] && service.Annotations[sharingAnnotation] == "" {
				return nil
			}
			given = append(given, wanted)
		}
		return given
	}
	for _, p := range w.pools {
		for _, r := range p.ranges {
			for address := r.From; p.auto && address.Compare(r.To) <= 0; address = address.Next() {
				if !used[address] {
					return []netip.Addr{address}
				}
			}
		}
	}
	return nil
}
