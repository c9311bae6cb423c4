package daemon

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// reply is what a fake API server says: a status, or that it cannot be reached. It happens meanwhile.
type reply struct {
	code      int
	err       error
	meanwhile func()
}

func (r reply) RoundTrip(*http.Request) (*http.Response, error) {
	if r.meanwhile != nil {
		r.meanwhile()
	}
	return &http.Response{StatusCode: r.code, Body: http.NoBody}, r.err
}

func TestAPIContact_CountsFromTheFirstRequestThatFails(t *testing.T) {
	live := context.Background()
	ended, cancel := context.WithCancel(live)
	cancel()
	expired, stop := context.WithDeadline(live, time.Unix(0, 0))
	defer stop()
	now := time.Unix(1000, 0)
	c := &apiContact{now: func() time.Time { return now }}
	refused, late := reply{err: errors.New("connection refused")}, reply{err: context.DeadlineExceeded}
	dropped := reply{err: errors.New("i/o timeout"), meanwhile: func() { now = now.Add(30 * time.Second) }}
	passed := reply{err: errors.New("i/o timeout"), meanwhile: func() {
		now = now.Add(20 * time.Second)
		c.answered = now // another request is
		now = now.Add(10 * time.Second)
	}}
	for _, step := range []struct {
		name   string
		ctx    context.Context //nolint:containedctx // of the request
		answer reply
		want   float64 // a second later
	}{
		{"it answers", live, reply{code: 200}, 0},
		{"it refuses what is asked: it answers", live, reply{code: 403}, 0},
		{"we gave the request up", ended, refused, 0},
		{"it cannot be reached", live, refused, 1},
		{"nor again", live, refused, 2},
		{"we gave another request up", ended, refused, 3},
		{"it answers again", live, reply{code: 200}, 0},
		{"it takes too long", expired, late, 1},
		{"what stands before it answers that it is away", live, reply{code: 503}, 2},
		{"it does not know a kind: it answers", live, reply{code: 404}, 0},
		{"nothing comes back for half a minute, and it is that long", live, dropped, 31},
		{"it answers at last", live, reply{code: 200}, 0},
		{"nothing comes back for half a minute, in which another request is answered", live, passed, 11},
		{"it answers it, too", live, reply{code: 200}, 0},
	} {
		config := &rest.Config{Transport: step.answer}
		c.observe(config)
		transport, err := rest.TransportFor(config)
		if err != nil {
			t.Fatal(err)
		}
		request, err := http.NewRequestWithContext(step.ctx, http.MethodGet, "http://192.0.2.1/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if response, err := transport.RoundTrip(request); err == nil {
			_ = response.Body.Close()
		}
		now = now.Add(time.Second)
		if got := c.unreachable(); got != step.want {
			t.Errorf("%s: away for %v s, want %v", step.name, got, step.want)
		}
	}
}
