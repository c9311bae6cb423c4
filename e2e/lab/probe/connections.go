package probe

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab/check"
)

const (
	// connectionRate is how many requests a second all open connections make together, unless AskEvery says otherwise.
	connectionRate = 1000
	// connectionTimeout is how long a connection may wait for an answer until it counts as broken: TCP sends again what is lost, and a node that
	// is switched off is passed round after five seconds.
	connectionTimeout = 10 * time.Second
)

// Connections are TCP connections that stay open, and ask for a page again and again until they are stopped.
type Connections struct {
	stop context.CancelFunc
	done sync.WaitGroup
	// interval is how long each waits from an answer to the next request.
	interval atomic.Int64
	// RoundTrips are those of the requests that were answered.
	RoundTrips RoundTrips

	mu   sync.Mutex
	open int
	// answered is when each was last answered, with the beginning of the request.
	answered []time.Time
	broken   []error
}

// OpenConnections opens so many connections to port 80 of some addresses in turn, and waits until each has been answered.
func (c Client) OpenConnections(count int, addresses ...netip.Addr) *Connections {
	c.t.Helper()
	for _, address := range addresses {
		check.Must(c.t, "forget old connections", c.forgetUnserved("http://"+netip.AddrPortFrom(address, 80).String()))
	}
	ctx, cancel := context.WithCancel(context.Background())
	open := &Connections{stop: cancel, open: count, answered: make([]time.Time, count)}
	open.AskEvery(time.Duration(count) * time.Second / connectionRate)
	c.t.Cleanup(open.end)
	for i := range count {
		address := netip.AddrPortFrom(addresses[i%len(addresses)], 80)
		var connection net.Conn
		check.Eventually(c.t, connectionTimeout, fmt.Sprintf("connection %d to %s is open", i, address), func() (err error) {
			connection, err = c.Dial(ctx, "tcp", address.String())
			return err
		})
		open.done.Go(func() { open.ask(ctx, i, connection) })
	}
	check.Eventually(c.t, 20*time.Second, "all connections are answered", func() error { return open.AnsweredSince(time.Time{}) })
	return open
}

// AskEvery has each connection ask so long after an answer, from its next answer on.
func (o *Connections) AskEvery(interval time.Duration) { o.interval.Store(int64(interval)) }

// ask asks by one connection until it breaks or ctx ends.
func (o *Connections) ask(ctx context.Context, i int, connection net.Conn) {
	defer func() { _ = connection.Close() }()
	defer context.AfterFunc(ctx, func() { _ = connection.Close() })()
	answers := bufio.NewReader(connection)
	for {
		began := time.Now()
		err := askOnce(connection, answers)
		o.mu.Lock()
		if err == nil {
			o.answered[i] = began
		} else if ctx.Err() == nil {
			o.broken = append(o.broken, fmt.Errorf("connection %d from %s, at %s: %w", i, connection.LocalAddr(), time.Now().UTC().Format("15:04:05.000"), err))
		}
		o.mu.Unlock()
		if err != nil {
			return
		}
		o.RoundTrips.Add(time.Since(began))
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(o.interval.Load())):
		}
	}
}

// askOnce asks for the page and reads the answer.
func askOnce(connection net.Conn, answers *bufio.Reader) error {
	if err := connection.SetDeadline(time.Now().Add(connectionTimeout)); err != nil {
		return err
	}
	if _, err := io.WriteString(connection, "GET / HTTP/1.1\r\nHost: open\r\n\r\n"); err != nil {
		return withoutAddresses(err)
	}
	response, err := http.ReadResponse(answers, nil)
	if err != nil {
		return withoutAddresses(err)
	}
	_, err = io.Copy(io.Discard, response.Body)
	return errors.Join(err, response.Body.Close())
}

// AnsweredSince tells whether each connection that is not broken has been answered to what it asked after the moment.
func (o *Connections) AnsweredSince(moment time.Time) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	waiting := 0
	for _, at := range o.answered {
		if !at.After(moment) {
			waiting++
		}
	}
	if waiting -= len(o.broken); waiting > 0 {
		return fmt.Errorf("%d of %d connections wait for an answer, and %d are broken", waiting, o.open, len(o.broken))
	}
	return nil
}

// Broken are why connections broke so far: they were reset, or not answered in time.
func (o *Connections) Broken() []error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]error(nil), o.broken...)
}

// Stop closes all, and returns why those broke that did.
func (o *Connections) Stop() []error {
	o.end()
	return o.Broken()
}

func (o *Connections) end() {
	o.stop()
	o.done.Wait()
}
