package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"k8s.io/client-go/util/cert"
	"k8s.io/cri-streaming/pkg/streaming/portforward"

	"github.com/daymark-lb/daymark/e2e/lab/check"
)

// kubeletPort is where the API server calls kubelets.
const kubeletPort = 10250

// ForwardPorts plays the part of a kubelet that `kubectl port-forward` needs, for pods that have the node's network, until the server
// is closed.
func (n *Node) ForwardPorts() (*http.Server, error) {
	certificate, key, err := cert.GenerateSelfSignedCertKey(n.V4.String(), []net.IP{n.V4.AsSlice(), n.V6.AsSlice()}, nil)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	ctx, cancel := check.Context()
	defer cancel()
	listener, err := n.Listen(ctx, fmt.Sprintf(":%d", kubeletPort))
	if err != nil {
		return nil, fmt.Errorf("listen as kubelet of %s: %w", n.Name, err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/portForward/{namespace}/{pod}", func(w http.ResponseWriter, r *http.Request) {
		portforward.ServePortForward(w, r, forwarder{n}, r.PathValue("pod"), "", nil, time.Hour, 30*time.Second, portforward.SupportedProtocols)
	})
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: 10 * time.Second,
		TLSConfig:    &tls.Config{Certificates: []tls.Certificate{pair}},
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}, // HTTP/2 cannot be upgraded to SPDY.
	}
	go func() {
		if err := server.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
			fmt.Fprintf(os.Stderr, "lab: the kubelet of %s stopped serving: %v\n", n.Name, err)
		}
	}()
	return server, nil
}

// forwarder connects to ports on the loopback of a node.
type forwarder struct{ at *Node }

// PortForward copies both ways until one end closes.
func (f forwarder) PortForward(ctx context.Context, _, _ string, port int32, stream io.ReadWriteCloser) error {
	conn, err := f.at.Dial(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	ended := make(chan struct{}, 2)
	for _, ends := range [][2]io.ReadWriter{{conn, stream}, {stream, conn}} {
		go func() {
			_, _ = io.Copy(ends[0], ends[1]) // Either end may break off.
			ended <- struct{}{}
		}()
	}
	<-ended
	return nil
}
