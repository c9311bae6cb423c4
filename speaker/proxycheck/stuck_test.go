package proxycheck

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/daymark-lb/daymark/internal/progress/progresstest"
)

func TestChecker_KnowsThatItIsStuck(t *testing.T) {
	blocked := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-blocked }))
	defer server.Close()
	target, err := ParseTarget(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	c := New(target, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	go c.look(t.Context())
	progresstest.Notices(t, &c.steps, "asks the service proxy", func() { close(blocked) })
	if err := c.Alive(); err != nil {
		t.Error(err)
	}
}
