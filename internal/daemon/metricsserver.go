package daemon

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"path/filepath"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/cert"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// certificateAge is how long a certificate counts before its files are read again.
const certificateAge = 10 * time.Second

// listeners says where metrics and profiles are served, and to whom.
type listeners struct {
	// Metrics is the address to serve metrics on; "0" for none.
	Metrics string
	// secure: they are served by TLS, to those whom the API server lets read them. certDir has the certificate.
	secure  bool
	certDir string
	// Pprof is the address to serve profiles on; "0" for none.
	Pprof string
}

func (l *listeners) add(set *pflag.FlagSet) {
	set.StringVar(&l.Metrics, "metrics-bind-address", l.Metrics, "address:port for metrics, 0 for none; without an address on all of the node's or Pod's")
	set.BoolVar(&l.secure, "metrics-secure", false,
		"serve metrics by TLS, and to those alone whose token the API server knows and who may get /metrics there")
	set.StringVar(&l.certDir, "metrics-cert-dir", "", "folder with tls.crt and tls.key for --metrics-secure; without one the program signs its own")
	set.StringVar(&l.Pprof, "pprof-bind-address", "0", "address:port on the loopback for profiles at /debug/pprof, 0 for none")
}

func (l *listeners) validate() error {
	if err := validateBind("--metrics-bind-address", l.Metrics); err != nil {
		return err
	}
	if l.certDir != "" && !l.secure {
		return errors.New("--metrics-cert-dir needs --metrics-secure")
	}
	if l.certDir != "" { // The server would sign its own in place of one that is not there.
		if _, err := tls.LoadX509KeyPair(filepath.Join(l.certDir, "tls.crt"), filepath.Join(l.certDir, "tls.key")); err != nil {
			return fmt.Errorf("--metrics-cert-dir: %w", err)
		}
	}
	// A profile shows what is in memory, and takes processor time.
	return ValidateLoopback("--pprof-bind-address", l.Pprof)
}

// ValidateLoopback returns an error when an address of a flag is neither on the loopback nor 0.
func ValidateLoopback(flag, bind string) error {
	if err := validateBind(flag, bind); err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(bind)
	if address, parseErr := netip.ParseAddr(host); err == nil && host != "localhost" && (parseErr != nil || !address.IsLoopback()) {
		return fmt.Errorf("%s must be on the loopback, as localhost:6060, and not %q", flag, bind)
	}
	return nil
}

// Serve has a manager serve metrics and profiles, before its caches are filled: they are needed when the API server does not answer.
func (l *listeners) Serve(m manager.Manager, log *slog.Logger) error {
	metricsServer, err := l.metricsServer(m.GetConfig(), m.GetHTTPClient(), log)
	if err != nil {
		return err
	}
	for _, server := range []*manager.Server{metricsServer, l.pprofServer(log)} {
		if server == nil {
			continue
		}
		if err := m.Add(server); err != nil {
			return fmt.Errorf("add to the manager: %w", err)
		}
	}
	return nil
}

// metricsServer serves the metrics; nil: nobody does.
func (l *listeners) metricsServer(config *rest.Config, client *http.Client, log *slog.Logger) (*manager.Server, error) {
	if l.Metrics == "0" {
		return nil, nil
	}
	handler := promhttp.HandlerFor(metrics.Registry, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError})
	late := newLateListener("metrics", l.Metrics, log)
	if !l.secure {
		return serverOn(late, "/metrics", handler), nil
	}
	certificate, err := l.certificate()
	if err != nil {
		return nil, err
	}
	readers, err := newReaders(config, client, nil)
	if err != nil {
		return nil, err
	}
	// A reader asks once in a while, and one that is not known must not have hundreds of requests in one connection.
	secured := tls.NewListener(late, &tls.Config{NextProtos: []string{"http/1.1"}, GetCertificate: certificate})
	return serverOn(secured, "/metrics", readers.filter(logr.FromSlogHandler(log.Handler()), handler)), nil
}

// pprofServer serves the profiles; nil: nobody does.
func (l *listeners) pprofServer(log *slog.Logger) *manager.Server {
	if l.Pprof == "0" {
		return nil
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return serverOn(newLateListener("profiles", l.Pprof, log), "/debug/pprof/", mux)
}

// serverOn serves a path on a listener.
func serverOn(listener net.Listener, path string, handler http.Handler) *manager.Server {
	mux, timeout := http.NewServeMux(), shutdownTimeout
	mux.Handle(path, handler)
	return &manager.Server{
		Name: path, ShutdownTimeout: &timeout, Listener: listener,
		Server: &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 90 * time.Second, MaxHeaderBytes: 64 << 10},
	}
}

// certificate returns what gives the server its certificate: the files in certDir as they are, or else one that the program signs.
func (l *listeners) certificate() (func(*tls.ClientHelloInfo) (*tls.Certificate, error), error) {
	if l.certDir != "" {
		return (&renewed{folder: l.certDir}).certificate, nil
	}
	text, key, err := cert.GenerateSelfSignedCertKey("localhost", []net.IP{{127, 0, 0, 1}}, nil)
	if err != nil {
		return nil, fmt.Errorf("sign a certificate for the metrics: %w", err)
	}
	own, err := tls.X509KeyPair(text, key)
	if err != nil {
		return nil, fmt.Errorf("sign a certificate for the metrics: %w", err)
	}
	return func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &own, nil }, nil
}

// renewed is a certificate in files that others renew: it is read again when it is asked for and certificateAge has passed. While the files
// cannot be read, as in the middle of a renewal, the last one serves.
type renewed struct {
	folder string

	mu   sync.Mutex
	read time.Time
	last *tls.Certificate
}

func (r *renewed) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last != nil && time.Since(r.read) < certificateAge {
		return r.last, nil
	}
	newest, err := tls.LoadX509KeyPair(filepath.Join(r.folder, "tls.crt"), filepath.Join(r.folder, "tls.key"))
	switch {
	case err == nil:
		r.read, r.last = time.Now(), &newest
	case r.last == nil:
		return nil, fmt.Errorf("--metrics-cert-dir: %w", err)
	}
	return r.last, nil
}
