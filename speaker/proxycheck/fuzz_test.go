package proxycheck

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/proxyhealth"
)

// answering is what listens at a port: whatever it is asked, it answers the same.
type answering struct {
	status int
	text   string
}

// RoundTrip implements http.RoundTripper.
func (a answering) RoundTrip(request *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: a.status, Body: io.NopCloser(strings.NewReader(a.text)), Request: request}, nil
}

// FuzzAsk: whatever listens where a service proxy would, and whatever it answers, it is said in words what follows, and nothing that answers
// with an error counts as working but a proxy that says that its node is about to be deleted.
func FuzzAsk(f *testing.F) {
	f.Add(200, `{"lastUpdated":"2026-11-27 00:00:00 +0000 UTC","nodeEligible":true,"healthy":true,"status":{"IPv4":{}}}`)
	f.Add(503, `{"nodeEligible":false,"healthy":true}`)
	f.Add(503, `{"nodeEligible":false}`)
	f.Add(404, `404 page not found`)
	f.Add(200, `{"healthy":1,"status":{"":[`)
	f.Add(302, strings.Repeat("{", 1<<17))
	f.Fuzz(func(t *testing.T, status int, text string) {
		verdict, words := ask(t.Context(), &http.Client{Transport: answering{status, text}, CheckRedirect: newClient().CheckRedirect}, "http://127.0.0.1:10256/healthz")
		if !strings.Contains(words, "http://127.0.0.1:10256/healthz") || len(words) > 1024 {
			t.Errorf("it says %q", words)
		}
		if verdict == proxyhealth.Working && (status < 200 || status >= 300) && !strings.Contains(words, "about to be deleted") {
			t.Errorf("%d and %q count as working: %s", status, text, words)
		}
	})
}
