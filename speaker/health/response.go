package health

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// writeHealth answers as kube-proxy does (k8s.io/kubernetes, pkg/proxy/healthcheck): status 200 if the node has
// endpoints and is healthy, else 503. The number of endpoints is in the body, and in a header that load balancers use
// as a weight.
func writeHealth(w http.ResponseWriter, service lb.Key, health announce.Health) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Load-Balancing-Endpoint-Weight", strconv.Itoa(health.LocalEndpoints))
	if health.LocalEndpoints > 0 && health.NodeHealthy {
		w.WriteHeader(http.StatusOK)
	} else {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	// An error means that the client has gone.
	_, _ = fmt.Fprintf(w, "{\n\t\"service\": {\n\t\t\"namespace\": %q,\n\t\t\"name\": %q\n\t},\n"+
		"\t\"localEndpoints\": %d,\n\t\"serviceProxyHealthy\": %v\n}",
		service.Namespace, service.Name, health.LocalEndpoints, health.NodeHealthy)
}

// servePort answers on the health-check port of a Service, for any path.
func (s *Server) servePort(port uint16, w http.ResponseWriter) {
	s.healthMu.RLock()
	known, ok := s.byPort[port]
	s.healthMu.RUnlock()
	if !ok { // The port is being closed.
		http.Error(w, "no Service has this health-check port any more", http.StatusNotFound)
		return
	}
	writeHealth(w, known.Service, known.Health)
}

// Handler answers for every Service at /healthz/services/<namespace>/<name>, and with 404 for an unknown one.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz/services/{namespace}/{name}", func(w http.ResponseWriter, r *http.Request) {
		service := lb.Key{Namespace: r.PathValue("namespace"), Name: r.PathValue("name")}
		s.healthMu.RLock()
		health, ok := s.byService.Of(service)
		s.healthMu.RUnlock()
		if !ok {
			http.Error(w, fmt.Sprintf("no Service %s is known here", service), http.StatusNotFound)
			return
		}
		writeHealth(w, service, health)
	})
	return mux
}
