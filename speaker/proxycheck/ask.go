package proxycheck

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/daymark-lb/daymark/internal/core/proxyhealth"
	"github.com/daymark-lb/daymark/speaker/rawconn"
)

const (
	// timeout of one request.
	timeout = 2 * time.Second
	// maxBody is the most that is read of an answer.
	maxBody = 16 << 10
)

// newClient makes a client that goes nowhere but where it is told to.
func newClient() *http.Client {
	return &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: maxBody, DialContext: rawconn.Dial(&net.Dialer{}),
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// body is what is read of kube-proxy's answers. Fields that an earlier version does not write stay nil.
type body struct {
	NodeEligible *bool                      `json:"nodeEligible"`
	Healthy      *bool                      `json:"healthy"`
	Status       map[string]json.RawMessage `json:"status"`
}

// answer is the status and body of a response.
type answer struct {
	status int
	body   body
}

// get asks a URL.
func get(ctx context.Context, client *http.Client, url string) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return answer{}, fmt.Errorf("ask %s: %w", url, err)
	}
	response, err := client.Do(request)
	if err != nil {
		return answer{}, err //nolint:wrapcheck // It names the URL.
	}
	defer func() { _ = response.Body.Close() }() // Nothing is lost: it is only read.
	text, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err != nil {
		return answer{}, fmt.Errorf("ask %s: %w", url, err)
	}
	a := answer{status: response.StatusCode}
	_ = json.Unmarshal(text, &a.body) // What is no JSON says nothing.
	return a, nil
}

// ask asks one URL, and returns what that says in words.
func ask(ctx context.Context, client *http.Client, url string) (proxyhealth.Check, string) {
	a, err := get(ctx, client, url)
	switch {
	case err != nil && nothingThere(err):
		return proxyhealth.Absent, "nothing listens at " + url
	case err != nil:
		return proxyhealth.Failing, err.Error()
	case a.status == http.StatusNotFound:
		return proxyhealth.Absent, fmt.Sprintf("what listens at %s is no service proxy: it answers 404", url)
	case a.status >= 200 && a.status < 300 && a.body.Healthy != nil && len(a.body.Status) == 0:
		return proxyhealth.Starting, url + " answers that it has not written any rules yet"
	case a.status >= 200 && a.status < 300:
		return proxyhealth.Working, url + " answers that it works"
	case a.body.NodeEligible != nil && !*a.body.NodeEligible && lives(ctx, client, url, a.body):
		return proxyhealth.Working, url + " answers that it works and that its node is about to be deleted"
	default:
		return proxyhealth.Failing, fmt.Sprintf("%s answers %d", url, a.status)
	}
}

// lives reports whether a proxy works that says that its node is not eligible. It says so itself, or at /livez.
func lives(ctx context.Context, client *http.Client, url string, said body) bool {
	if said.Healthy != nil {
		return *said.Healthy
	}
	base, found := strings.CutSuffix(url, "/healthz")
	if !found {
		return false
	}
	a, err := get(ctx, client, base+"/livez")
	return err == nil && a.status == http.StatusOK
}

// nothingThere reports whether an error says that nobody listens at an address, or that the node has no such address.
func nothingThere(err error) bool {
	for _, no := range []error{syscall.ECONNREFUSED, syscall.EADDRNOTAVAIL, syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.EAFNOSUPPORT} {
		if errors.Is(err, no) {
			return true
		}
	}
	return false
}
