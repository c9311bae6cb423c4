package cluster

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Parse returns the parsed values of API objects, which may come in any order. Objects of kinds that Daymark does not read
// are skipped. Secrets must be those of the namespace that Daymark runs in and no others. What is wrong with an object
// stands in the Err of its value.
func Parse(objects []runtime.Object) *Objects {
	parsed := &Objects{Namespaces: map[string]map[string]string{}, Providers: map[string]string{}}
	slices := map[lb.Key][]*lb.EndpointSlice{}
	var pools []*lb.Pool
	for _, object := range objects {
		switch o := object.(type) {
		case *corev1.Service:
			parsed.Services = append(parsed.Services, lb.ParseService(o))
		case *discoveryv1.EndpointSlice:
			slice := lb.ParseEndpointSlice(o)
			slices[slice.Service] = append(slices[slice.Service], slice)
		case *corev1.Node:
			parsed.Nodes = append(parsed.Nodes, lb.ParseNode(o))
		case *corev1.Namespace:
			parsed.Namespaces[o.Name] = o.Labels
			if provider := lb.Provider(o); provider != "" {
				parsed.Providers[o.Name] = provider
			}
		case *corev1.Secret:
			parsed.Secrets = append(parsed.Secrets, o)
		case *networkingv1.ServiceCIDR:
			parsed.ServiceCIDRs = append(parsed.ServiceCIDRs, lb.ParseServiceCIDR(o)...)
		case *v1beta1.IPAddressPool:
			pools = append(pools, lb.ParsePool(o))
		default:
			parsed.add(object)
		}
	}
	for i, s := range parsed.Services {
		parsed.Services[i] = s.WithProvider(parsed.Providers[s.Key.Namespace])
	}
	parsed.Pools = lb.NewPools(pools)
	parsed.Endpoints = make(map[lb.Key]lb.Endpoints, len(slices))
	for key, parts := range slices {
		parsed.Endpoints[key] = lb.JoinEndpoints(parts)
	}
	return parsed
}

// add parses an object of Daymark's own group.
func (o *Objects) add(object runtime.Object) {
	switch from := object.(type) {
	case *v1beta1.IPReservation:
		o.Reservations = append(o.Reservations, lb.ParseReservation(from))
	case *v1beta1.L2Advertisement:
		o.L2Advertisements = append(o.L2Advertisements, lb.ParseL2Advertisement(from))
	case *v1beta1.BGPAdvertisement:
		o.BGPAdvertisements = append(o.BGPAdvertisements, lb.ParseBGPAdvertisement(from))
	case *v1beta1.BGPPeer:
		o.Peers = append(o.Peers, lb.ParsePeer(from))
	case *v1beta1.BFDProfile:
		o.BFDProfiles = append(o.BFDProfiles, lb.ParseBFDProfile(from))
	case *v1beta1.Community:
		o.Communities = append(o.Communities, from)
	case *v1beta1.Speaker:
		o.Speakers = append(o.Speakers, from)
	}
}
