package source

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// errSilent says that the API server has not answered in time.
var errSilent = errors.New("no answer in time")

// failure says in words why objects of a kind cannot be read, and what to do about it. The address of a request tells a person nothing.
func (c *cluster) failure(kind Kind, err error) error {
	server := "the API server at " + c.config.Host
	var untrusted *tls.CertificateVerificationError
	var plain tls.RecordHeaderError
	var network *net.OpError
	var status apierrors.APIStatus
	switch {
	case errors.Is(err, errSilent):
		return fmt.Errorf("%s has not answered for %s when asked for %s: it is overloaded, or something between drops packets; --request-timeout has it wait longer",
			server, c.patience, kind.Name())
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("%s does not accept your credentials: they have expired, or are those of another cluster (kubectl auth whoami): %w", server, err)
	case errors.As(err, &untrusted), errors.As(err, new(x509.UnknownAuthorityError)):
		return fmt.Errorf("the certificate of %s is not trusted: the kubeconfig is that of another cluster, or something between has put in its own: %w", server, cause(err))
	case errors.As(err, &plain), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return fmt.Errorf("what answers at %s does not speak TLS: it is another program: %w", c.config.Host, cause(err))
	case errors.As(err, &network) && network.Op == "dial":
		return fmt.Errorf("%s cannot be reached: is it up, and is this the right cluster (kubectl config current-context)? %w", server, cause(err))
	case strings.HasPrefix(err.Error(), "serializer for "):
		return fmt.Errorf("what answers at %s is no API server: it is another program, or a proxy that wants a login first: %w", c.config.Host, err)
	case errors.As(err, &status) && (status.Status().Code >= 500 || status.Status().Code == 429):
		return fmt.Errorf("%s answers with an error of its own, try again later: list %s: %w", server, kind.Name(), err)
	}
	return fmt.Errorf("list %s from %s: %w", kind.Name(), server, cause(err))
}

// cause of an error, without the address of the request.
func cause(err error) error {
	if request := (*url.Error)(nil); errors.As(err, &request) {
		return request.Err
	}
	return err
}
