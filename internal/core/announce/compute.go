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

func (r *rules) healthPaths() map[lb.Key]Health {
	paths := make(map[lb.Key]Health, len(r.world.Services))
	for _, s := range r.world.Services {
		paths[s.Key] = r.health(s)
	}
	return paths
}

// health counts as kube-proxy does: the ready endpoints on this node of the Service's first family.
func (r *rules) health(s *lb.Service) Health {
	family := lb.IPv4
	if len(s.Families) > 0 {
		family = s.Families[0]
	}
	return Health{LocalEndpoints: r.world.Endpoints[s.Key].ReadyOnNode(r.world.Node, family), NodeHealthy: !r.world.OwnProxyFailed}
}
