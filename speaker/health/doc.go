// Package health answers the health checks of load balancers outside the cluster, which ask each node whether it has
// endpoints of a Service: on the Service's own health-check port (Service.spec.healthCheckNodePort, which Services with
// externalTrafficPolicy Local have), and for every Service at a path of one fixed port. Its one job is to hold those ports
// and to answer with what the plan says. It refuses to find out anything itself: how many endpoints there are and whether
// the node is well is internal/core/announce's to say.
//
// The health-check ports are by rights the service proxy's, and kube-proxy and most others serve them. The mode says what
// to do about that: auto serves a port only where nobody else does, and gives a service proxy that starts at the same time
// the first try; on insists; off serves none. The answers are those of kube-proxy to the byte, so that whoever asks need
// not know who serves.
package health
