package health

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// reply answers as kube-proxy does (k8s.io/kubernetes, pkg/proxy/healthcheck): 200 when the node has endpoints and is
// well, else 503; how many it has in the body, and in a header that load balancers take as a weight.
func reply(w http.ResponseWriter, service lb.Key, health announce.Health) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Load-Balancing-Endpoint-Weight", strconv.Itoa(health.LocalEndpoints))
	if health.LocalEndpoints > 0 && health.NodeHealthy {
		w.WriteHeader(http.StatusOK)
	} else {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	// An error here means that whoever asked has gone.
	_, _ = fmt.Fprintf(w, "{\n\t\"service\": {\n\t\t\"namespace\": %q,\n\t\t\"name\": %q\n\t},\n"+
		"\t\"localEndpoints\": %d,\n\t\"serviceProxyHealthy\": %v\n}",
		service.Namespace, service.Name, health.LocalEndpoints, health.NodeHealthy)
}

// answerPort answers on the health-check port of a Service, whatever is asked for.
func (s *Server) answerPort(port uint16, w http.ResponseWriter) {
	s.answers.RLock()
	known, ok := s.byPort[port]
	s.answers.RUnlock()
	if !ok { // The port is being closed.
		http.Error(w, "no Service has this health-check port any more", http.StatusNotFound)
		return
	}
	reply(w, known.Service, known.Health)
}

// Handler answers for every Service at /healthz/services/<namespace>/<name>, with 404 for one that is not known.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz/services/{namespace}/{name}", func(w http.ResponseWriter, r *http.Request) {
		service := lb.Key{Namespace: r.PathValue("namespace"), Name: r.PathValue("name")}
		s.answers.RLock()
		health, ok := s.byService[service]
		s.answers.RUnlock()
		if !ok {
			http.Error(w, fmt.Sprintf("no Service %s is known here", service), http.StatusNotFound)
			return
		}
		reply(w, service, health)
	})
	return mux
}
