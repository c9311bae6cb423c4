package daemon

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/rest"
)

// apiContact knows since when the API server has not answered. Requests tell it, of which there is always one under way: when
// the API server goes away the watches end, and are tried again.
type apiContact struct {
	now func() time.Time

	mu sync.Mutex
	// answered is when the last answer came, failing since when there is none; zero: the last request was answered. A packet filter that
	// drops what is sent has a request fail half a minute after it was made, and it is that long that nobody answers.
	answered, failing time.Time
}

// contact of this process. A process has one API server.
var contact = &apiContact{now: time.Now}

// NewAPIUnreachable returns the metric that says for how long the API server has not answered this process.
func NewAPIUnreachable() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "daymark_api_unreachable_seconds", Help: "How long the API server has not answered; 0: it answered the last request.",
	}, contact.unreachable)
}

func (c *apiContact) unreachable() float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failing.IsZero() {
		return 0
	}
	return c.now().Sub(c.failing).Seconds()
}

// observe has all requests by a configuration noted.
func (c *apiContact) observe(config *rest.Config) {
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return observed{c, next} })
}

// note notes how a request ended that was made at some time. One that was given up by this process says nothing.
func (c *apiContact) note(request *http.Request, made time.Time, response *http.Response, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err == nil && response.StatusCode < http.StatusInternalServerError:
		c.answered, c.failing = c.now(), time.Time{}
	case errors.Is(request.Context().Err(), context.Canceled):
	case c.failing.IsZero():
		c.failing = made
		if made.Before(c.answered) { // Another one was answered meanwhile.
			c.failing = c.answered
		}
	}
}

// observed is a transport whose requests are noted.
type observed struct {
	contact *apiContact
	next    http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (o observed) RoundTrip(request *http.Request) (*http.Response, error) {
	made := o.contact.now()
	response, err := o.next.RoundTrip(request)
	o.contact.note(request, made, response, err)
	return response, err //nolint:wrapcheck // A transport passes on what it gets.
}

// WrappedRoundTripper lets client-go find the transport within.
func (o observed) WrappedRoundTripper() http.RoundTripper { return o.next }
