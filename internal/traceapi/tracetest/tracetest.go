// Package tracetest reads the events of a trace, for the tests of what records them. It refuses to judge them.
package tracetest

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/traceapi"
)

// Listen begins to trace an address, and returns what waits for the next event.
func Listen(t testing.TB, tracer http.Handler, addr netip.Addr) (next func() traceapi.Event) {
	t.Helper()
	server := httptest.NewServer(tracer)
	t.Cleanup(server.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+traceapi.Path+"?"+traceapi.AddressParameter+"="+addr.String(), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatal(answer, err)
	}
	t.Cleanup(func() { _ = answer.Body.Close() })
	scanner := bufio.NewScanner(answer.Body)
	return func() (e traceapi.Event) {
		for scanner.Scan() {
			if len(scanner.Bytes()) == 0 {
				continue
			}
			if err := json.Unmarshal(scanner.Bytes(), &e); err != nil {
				t.Fatal(err)
			}
			return e
		}
		t.Fatal("the stream has ended")
		return e
	}
}
