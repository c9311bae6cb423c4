// Package cluster builds the worlds that decisions rest on from the objects of a cluster. Its one job is that the
// controller, the speaker and the command line see the same cluster in the same way: an announce.World and an ipam.World are
// begun here and nowhere else; a speaker completes its own with what only its node knows. It refuses to read objects, to
// remember earlier ones, and to decide anything about them.
package cluster

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Objects are the objects of a cluster that Daymark reads, parsed. A program that does not need a kind leaves it empty.
// Lists may be in any order. Values may be shared with others: do not change them.
type Objects struct {
	// Services of any type and class.
	Services []*lb.Service
	// Endpoints of each Service, from all its EndpointSlices.
	Endpoints map[lb.Key]lb.Endpoints
	Nodes     []*lb.Node
	// Namespaces are the labels of each namespace, by its name.
	Namespaces map[string]map[string]string
	// Providers of the Services in a namespace, by its name, where the Namespace names one.
	Providers map[string]string
	// Secrets of the namespace that Daymark runs in.
	Secrets []*corev1.Secret

	// ServiceCIDRs are the ranges of cluster IPs.
	ServiceCIDRs []lb.NamedRange

	Pools             *lb.Pools
	Reservations      []*lb.Reservation
	L2Advertisements  []*lb.L2Advertisement
	BGPAdvertisements []*lb.BGPAdvertisement
	Peers             []*lb.Peer
	BFDProfiles       []*lb.BFDProfile
	Communities       []*v1beta1.Community
	Speakers          []*v1beta1.Speaker
}
