package announce

import (
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Compute decides what the node w.Node announces and serves.
func Compute(w *World) *Plan { return new(Computer).Compute(w) }

// Sessions are those of the plan that Compute makes for the node w.Node, without the work for the rest of it.
func Sessions(w *World) []Session {
	r := newRules(w)
	return r.sessions(&derived{routes: r.ownRoutes(), derivedPaths: newDerivedPaths()})
}

func (r *rules) healthPorts() []HealthPort {
	var ports []HealthPort
	for _, s := range r.world.Services {
		if s.Local && s.HealthCheckNodePort != 0 {
			ports = append(ports, HealthPort{s.HealthCheckNodePort, s.Key, r.health(s)})
		}
	}
	slices.SortFunc(ports, HealthPort.compare)
	return ports
}

func (r *rules) healthPaths() HealthPaths {
	services := r.world.Services
	if byKey := func(a, b *lb.Service) int { return a.Key.Compare(b.Key) }; !slices.IsSortedFunc(services, byKey) {
		services = slices.SortedFunc(slices.Values(services), byKey) // as they are only of a World that does not follow another
	}
	paths := HealthPaths{services: services, local: make([]int32, len(services)), healthy: !r.world.OwnProxyFailed}
	for i, s := range services {
		paths.local[i] = int32(r.health(s).LocalEndpoints) //nolint:gosec // G115: lb.MaxEndpoints at most
	}
	return paths
}

// health counts as kube-proxy does: the ready endpoints on this node of the Service's first family.
func (r *rules) health(s *lb.Service) Health {
	family := lb.IPv4
	if s.IPv6First {
		family = lb.IPv6
	}
	return Health{LocalEndpoints: r.world.Endpoints[s.Key].ReadyOnNode(r.world.Node, family), NodeHealthy: !r.world.OwnProxyFailed}
}
