// Package probe looks at the network as its users do: clients that fetch pages, ask a segment who has an address, and
// remember over time what they saw; and the router's routes over time. It changes nothing that it
// looks at, except for what a kernel has cached.
package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab/check"
	"github.com/daymark-lb/daymark/e2e/lab/segment"
	"github.com/daymark-lb/daymark/internal/testnet"
)

// Answer is what a pod says of itself and of the client it saw.
type Answer struct {
	Pod, Node string
	Client    netip.Addr
}

func (a Answer) String() string { return fmt.Sprintf("%s on %s, hello %s", a.Pod, a.Node, a.Client) }

func parseAnswer(s string) (a Answer, err error) {
	var client string
	s = strings.ReplaceAll(strings.TrimSpace(s), ",", "")
	if _, err := fmt.Sscanf(s, "%s on %s hello %s", &a.Pod, &a.Node, &client); err != nil {
		return a, fmt.Errorf("read the answer %q: %w", s, err)
	}
	a.Client, err = netip.ParseAddr(client)
	if err != nil {
		return a, fmt.Errorf("read the answer %q: %w", s, err)
	}
	return a, nil
}

// Client is a host that uses Services with methods for tests.
type Client struct {
	*segment.Host
	t       check.T
	network *segment.Segment
	nodes   []*segment.Host
}

// NewClient is the host as a client. The nodes are those of the cluster whose Services it uses.
func NewClient(t check.T, host *segment.Host, network *segment.Segment, nodes []*segment.Host) Client {
	return Client{host, t, network, nodes}
}

// getTimeout is under the second after which TCP sends a lost SYN again: asking anew is quicker.
const getTimeout = 500 * time.Millisecond

// Get fetches the page over a new connection and returns the pod's answer; it waits half a second at most.
func (c Client) Get(url string) (Answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), getTimeout)
	defer cancel()
	body, err := Page(ctx, c.Namespace, url)
	if err != nil {
		return Answer{}, err
	}
	return parseAnswer(body)
}

// MustGet is Get that tries for five seconds: the service proxies take a moment to learn of a Service.
func (c Client) MustGet(url string) (answer Answer) {
	c.t.Helper()
	check.Eventually(c.t, 5*time.Second, c.Name+" gets "+url, func() (err error) {
		answer, err = c.Get(url)
		return err
	})
	return answer
}

// Page fetches a page that must be there.
func Page(ctx context.Context, from *testnet.Namespace, url string) (string, error) {
	status, body, err := Fetch(ctx, from, url)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("get %s: status %d: %s", url, status, strings.TrimSpace(body))
	}
	return body, err
}

// Fetch fetches a page, whatever its status, over a connection of its own.
func Fetch(ctx context.Context, from *testnet.Namespace, url string) (status int, body string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", fmt.Errorf("get %s: %w", url, err)
	}
	transport := &http.Transport{DisableKeepAlives: true, DialContext: from.Dial}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return 0, "", fmt.Errorf("get %s: %w", url, withoutAddresses(err))
	}
	defer func() { _ = response.Body.Close() }()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, "", fmt.Errorf("read %s: %w", url, err)
	}
	return response.StatusCode, string(b), nil
}

// withoutAddresses takes the addresses off a network error: the caller says where it wanted to go.
func withoutAddresses(err error) error {
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		return op.Err
	}
	return err
}

// MeasureTransit measures how long what the client sends takes to a host, until the test ends.
func (c Client) MeasureTransit(to *segment.Host) *testnet.Transit {
	c.t.Helper()
	transit, err := testnet.NewTransit(c.Namespace, to.Namespace)
	check.Must(c.t, "measure from "+c.Name+" to "+to.Name, err)
	c.t.Cleanup(transit.Close)
	return transit
}
