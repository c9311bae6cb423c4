package trace

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"

	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/internal/traceapi"
)

// tokenTime is how long a token is good: the shortest that the API server gives.
const tokenTime = 10 * time.Minute

// errorTextTimeout is how long the reason may take why a connection was closed.
const errorTextTimeout = time.Second

// throughAPI reaches speakers as `kubectl port-forward` does, with a token that is good for traces alone.
func (o *options) throughAPI(ctx context.Context) (*reach, error) {
	config, err := o.Config.ToRESTConfig()
	if err != nil {
		return nil, fmt.Errorf("find the API server: %w", err)
	}
	api, err := corev1client.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	seconds := int64(tokenTime / time.Second)
	asked := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		Audiences: []string{traceapi.Audience}, ExpirationSeconds: &seconds,
	}}
	limited, cancel := context.WithTimeout(ctx, source.Patience)
	defer cancel()
	given, err := api.ServiceAccounts(o.System).CreateToken(limited, traceapi.Account, asked, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("get a token for traces, which the Role daymark-trace lets you: %w", err)
	}
	dial := func(_ context.Context, pod *corev1.Pod) (net.Conn, error) {
		return openTunnel(config, api.RESTClient(), pod, port(pod))
	}
	return &reach{dial, given.Status.Token}, nil
}

// openTunnel opens a connection to a port of a Pod: over WebSockets, or by SPDY where something on the way takes no WebSockets.
func openTunnel(config *rest.Config, api rest.Interface, pod *corev1.Pod, port int32) (net.Conn, error) {
	at := api.Post().Resource("pods").Namespace(pod.Namespace).Name(pod.Name).SubResource("portforward").URL()
	first, err := portforward.NewSPDYOverWebsocketDialerForStreaming(at, config)
	if err != nil {
		return nil, fmt.Errorf("forward a port: %w", err)
	}
	transport, upgrader, err := spdy.RoundTripperFor(config)
	if err != nil {
		return nil, fmt.Errorf("forward a port: %w", err)
	}
	second := spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: transport}, http.MethodPost, at)
	dialer := portforward.NewFallbackDialerForStreaming(first, second, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	})
	connection, _, err := dialer.Dial(portforward.PortForwardProtocolV1Name)
	if err != nil {
		return nil, fmt.Errorf("forward a port of Pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	t := &tunnel{connection: connection, failed: make(chan error, 1)}
	if err := t.open(port); err != nil {
		return nil, errors.Join(fmt.Errorf("forward a port of Pod %s/%s: %w", pod.Namespace, pod.Name, err), connection.Close())
	}
	return t, nil
}

// tunnel is a connection to a port of a Pod. It has no addresses and no deadlines.
type tunnel struct {
	httpstream.Stream
	connection httpstream.Connection
	// failed has what the node says why it cannot forward, or nil.
	failed chan error
}

// open opens the two streams of a forwarded port: for errors, and for data.
func (t *tunnel) open(port int32) error {
	headers := http.Header{}
	headers.Set(corev1.PortForwardRequestIDHeader, "0")
	headers.Set(corev1.PortHeader, strconv.Itoa(int(port)))
	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	failures, err := t.connection.CreateStream(headers)
	if err != nil {
		return fmt.Errorf("open the stream for errors: %w", err)
	}
	_ = failures.Close() // Nothing is sent by it.
	go t.readFailure(failures)
	headers.Set(corev1.StreamType, corev1.StreamTypeData)
	if t.Stream, err = t.connection.CreateStream(headers); err != nil {
		return fmt.Errorf("open the stream for data: %w", err)
	}
	return nil
}

func (t *tunnel) readFailure(from io.Reader) {
	text, _ := io.ReadAll(io.LimitReader(from, 4<<10))
	if len(text) == 0 {
		t.failed <- nil
		return
	}
	t.failed <- errors.New(string(text))
	_ = t.connection.Close() // Ends Read.
}

// Read reads data, and says why there is no more.
func (t *tunnel) Read(p []byte) (int, error) {
	n, err := t.Stream.Read(p)
	if err == nil {
		return n, nil
	}
	select {
	case failure := <-t.failed:
		t.failed <- failure
		if failure != nil {
			return n, failure
		}
	case <-time.After(errorTextTimeout):
	}
	return n, err //nolint:wrapcheck // Who reads looks for io.EOF.
}

// Close ends the connection, and with it the forwarding.
func (t *tunnel) Close() error { return t.connection.Close() } //nolint:wrapcheck // As a net.Conn.

// LocalAddr is none.
func (t *tunnel) LocalAddr() net.Addr { return &net.UnixAddr{} }

// RemoteAddr is none.
func (t *tunnel) RemoteAddr() net.Addr { return &net.UnixAddr{} }

// SetDeadline is not supported.
func (t *tunnel) SetDeadline(time.Time) error { return errors.ErrUnsupported }

// SetReadDeadline is not supported.
func (t *tunnel) SetReadDeadline(time.Time) error { return errors.ErrUnsupported }

// SetWriteDeadline is not supported.
func (t *tunnel) SetWriteDeadline(time.Time) error { return errors.ErrUnsupported }
