package proxycheck

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/daymark-lb/daymark/internal/testnet"
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
	_, err = testnet.Eventually(10*time.Second, func() error {
		if err := c.steps.Stuck(0); err == nil || !strings.Contains(err.Error(), "what asks the service proxy ") {
			return errors.Join(errors.New("it is not noticed"), err)
		}
		return nil
	})
	close(blocked)
	_, still := testnet.Eventually(10*time.Second, func() error { return c.steps.Stuck(0) })
	if err = errors.Join(err, still, c.Alive()); err != nil {
		t.Error(err)
	}
}
