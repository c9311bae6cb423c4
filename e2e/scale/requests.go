package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"k8s.io/client-go/rest"
)

// writes are how many requests to write the API server has answered since it started, by resource and subresource, such as
// services/status. The requests of all clients are in it.
type writes map[string]int

// writing are the verbs of requests that write, as the API server's metrics have them.
var writing = map[string]bool{"POST": true, "PUT": true, "PATCH": true, "APPLY": true, "DELETE": true, "DELETECOLLECTION": true}

// parseWrites reads what the API server tells Prometheus.
func parseWrites(metrics string) (writes, error) {
	found := writes{}
	for line := range strings.Lines(metrics) {
		rest, ours := strings.CutPrefix(line, "apiserver_request_total{")
		text, value, whole := strings.Cut(rest, "} ")
		if !ours || !whole {
			continue
		}
		labels := parseLabels(text)
		if !writing[labels["verb"]] || labels["dry_run"] != "" {
			continue
		}
		count, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil {
			return nil, fmt.Errorf("read %q: %w", strings.TrimSpace(line), err)
		}
		name := labels["resource"]
		if sub := labels["subresource"]; sub != "" {
			name += "/" + sub
		}
		found[name] += int(count)
	}
	return found, nil
}

// parseLabels reads labels whose values have no commas, as the API server's are.
func parseLabels(text string) map[string]string {
	labels := map[string]string{}
	for pair := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(pair, "=")
		labels[name] = strings.Trim(value, `"`)
	}
	return labels
}

// since is what was written in between, but for renewals of Leases and the given.
func (w writes) since(before writes, but ...string) (by writes, sum int) {
	by = writes{}
	for name, count := range w {
		if more := count - before[name]; more > 0 {
			by[name] = more
		}
	}
	for _, name := range append(but, "leases") {
		delete(by, name)
	}
	for _, count := range by {
		sum += count
	}
	return by, sum
}

// written asks the API server.
func (c *cluster) written() writes {
	config := c.Config()
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		c.T().Fatalf("make a client: %v", err)
	}
	response, err := httpClient.Get(config.Host + "/metrics")
	if err != nil {
		c.T().Fatalf("read the API server's metrics: %v", err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		c.T().Fatalf("read the API server's metrics: %v", err)
	}
	found, err := parseWrites(string(text))
	if err != nil {
		c.T().Fatalf("%v", err)
	}
	return found
}

// settle waits until nothing but Leases has been written for a time, a minute at most, and returns what has been written by then.
func (c *cluster) settle() writes {
	last, since := c.written(), time.Now()
	for end := time.Now().Add(time.Minute); time.Now().Before(end) && time.Since(since) < quietFor; {
		time.Sleep(time.Second) // the API server has much to tell
		now := c.written()
		if _, sum := now.since(last); sum > 0 {
			last, since = now, time.Now()
		}
	}
	return c.written()
}
