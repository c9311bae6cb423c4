// Package health answers the health checks of load balancers outside the cluster, which ask each node whether it has
// endpoints of a Service: on the Service's own health-check port (Service.spec.healthCheckNodePort, which Services with
// externalTrafficPolicy Local have), and for every Service at a path of one fixed port. Its one job is to hold those
// ports and to answer with what the plan says. It refuses to find out anything itself: internal/core/announce decides
// how many endpoints there are and whether the node is healthy.
//
// The health-check ports belong to the service proxy; kube-proxy and most others serve them. The mode says what to do
// about that. auto serves a port only if nobody else does, lets a service proxy that starts at the same time try first, does
// not take what such a proxy has let go for a moment, and gives back what it took when one is there again, or, where that cannot be
// seen, never takes what another process has had; on always serves;
// off serves none. The answers equal those of kube-proxy byte for byte, so that a client need
// not know who serves.
package health
