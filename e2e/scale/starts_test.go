package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

func TestStarting_ReadsTheMarkAcrossTwoReads(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       bool
	}{
		{"the mark is there", strings.Repeat("x", 40<<10) + metav1.InitialEventsAnnotationKey + "and more", true},
		{"a part of it", strings.Repeat("x", 100) + metav1.InitialEventsAnnotationKey[:20], false},
		{"nothing", "", false},
	} {
		came, s := false, &starting{}
		s.read(iotest.OneByteReader(strings.NewReader(test.text)), func() { came = true })
		if came != test.want || s.bytes.Load() != int64(len(test.text)) {
			t.Errorf("%s: %t after %d bytes", test.name, came, s.bytes.Load())
		}
	}
}

func TestStarting_AsksAgainWhenRefused(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got := r.URL.Query().Get("fieldSelector"); got != "metadata.name=n2" {
			t.Errorf("asks for %q", got)
		}
		if asked.Add(1) == 1 {
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		_, _ = w.Write([]byte(metav1.InitialEventsAnnotationKey))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s := &starting{node: "n2", like: "n1", config: &rest.Config{Host: server.URL}}
	s.stream(ctx, server.Client(), request{uri: "/apis?fieldSelector=metadata.name%3Dn1"}, sync.OnceFunc(cancel))
	if asked.Load() != 2 || s.refused.Load() != 1 {
		t.Errorf("%d requests, %d refused", asked.Load(), s.refused.Load())
	}
}

func TestStarting_WaitsAsLongAsTheAPIServerWants(t *testing.T) {
	for text, want := range map[string]time.Duration{"8": 8 * time.Second, "1": time.Second, "": time.Second, "0": time.Second, "soon": time.Second} {
		answer := &http.Response{Header: http.Header{}}
		answer.Header.Set("Retry-After", text)
		if got := wantedWait(answer); got != want {
			t.Errorf("%q: %s", text, got)
		}
	}
	if got := wantedWait(nil); got != time.Second {
		t.Errorf("without an answer: %s", got)
	}
}

func TestPercentiles_AreOfSortedTimes(t *testing.T) {
	var all []time.Duration
	for i := range 100 {
		all = append(all, time.Duration(100-i)*time.Millisecond)
	}
	if got := percentiles(all); got != "100 times, median 50ms, p99 99ms, most 100ms" {
		t.Error(got)
	}
	if got := percentiles(nil); got != "none" {
		t.Error(got)
	}
}
