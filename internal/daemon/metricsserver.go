package daemon

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"

	"github.com/spf13/pflag"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

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

// MetricsServer are the options of the server of the metrics.
func (l *listeners) MetricsServer() metricsserver.Options {
	options := metricsserver.Options{BindAddress: l.Metrics}
	if l.secure {
		options.SecureServing, options.CertDir, options.FilterProvider = true, l.certDir, readersFilter
		// A reader asks once in a while, and one that is not known must not have hundreds of requests in one connection.
		options.TLSOpts = []func(*tls.Config){func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} }}
	}
	return options
}
