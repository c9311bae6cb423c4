package kubelet

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab/probe"
)

const (
	// heldRequests is how often each held connection carries a request.
	heldRequests = 100 * time.Millisecond
	// heldPatience is after what time without an answer a connection counts as broken. TCP sends again what was lost meanwhile.
	heldPatience = 10 * time.Second
)

// Held are connections that are kept open and used, as those of a database are.
type Held struct {
	stop    context.CancelFunc
	running sync.WaitGroup
	mu      sync.Mutex
	broken  []error
}

// Hold opens connections to the page, and keeps those that are open when it returns until Stop. The others are broken.
func Hold(client probe.Client, address string, count int) *Held {
	ctx, cancel := context.WithCancel(context.Background())
	h := &Held{stop: cancel}
	var opening sync.WaitGroup
	opening.Add(count)
	for range count {
		h.running.Go(func() {
			connection, err := open(ctx, client, address)
			opening.Done()
			if err == nil {
				err = hold(ctx, connection)
			}
			if err != nil {
				h.mu.Lock()
				defer h.mu.Unlock()
				h.broken = append(h.broken, err)
			}
		})
	}
	opening.Wait()
	return h
}

func open(ctx context.Context, client probe.Client, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, heldPatience)
	defer cancel()
	return client.Dial(ctx, "tcp", address)
}

// hold keeps one connection until the context ends. An error is that it broke before.
func hold(ctx context.Context, connection net.Conn) error {
	defer func() { _ = connection.Close() }()
	reader := bufio.NewReader(connection)
	tick := time.NewTicker(heldRequests)
	defer tick.Stop()
	for {
		if err := connection.SetDeadline(time.Now().Add(heldPatience)); err != nil {
			return err
		}
		if _, err := io.WriteString(connection, "GET / HTTP/1.1\r\nHost: held\r\n\r\n"); err != nil {
			return err
		}
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, response.Body)
		if err != nil {
			return err
		}
		_ = response.Body.Close()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Broken are why connections broke so far.
func (h *Held) Broken() []error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.broken)
}

// Stop closes them and returns why those broke that had.
func (h *Held) Stop() (broken []error) {
	h.stop()
	h.running.Wait()
	return h.Broken()
}
