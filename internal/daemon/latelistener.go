package daemon

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"
)

// listenInterval is the time between two attempts to listen.
const listenInterval = 5 * time.Second

// lateListener listens on an address from when it can: the node may not have the address yet, or another program has the port. What is
// served there is for people and their monitoring, and a program that ended for want of it would announce nothing. It is said in the log
// when it cannot listen, each time for another reason, and when it can after all.
type lateListener struct {
	what, bind string
	interval   time.Duration
	// only is the error after which it tries again; nil: after all. After another one Accept returns it.
	only error
	log  *slog.Logger
	// closed ends when Close is called.
	closed context.Context //nolint:containedctx // a listener is closed, and not handed a context
	stop   context.CancelFunc

	mu sync.Mutex
	// inner listens; nil: nothing does yet.
	inner net.Listener
}

func newLateListener(what, bind string, log *slog.Logger) *lateListener {
	closed, stop := context.WithCancel(context.Background())
	return &lateListener{what: what, bind: bind, interval: listenInterval, log: log, closed: closed, stop: stop}
}

// Accept returns the next connection. It returns net.ErrClosed after Close.
func (l *lateListener) Accept() (net.Conn, error) {
	for said := ""; ; {
		inner, err := l.listen()
		if l.closed.Err() != nil {
			return nil, net.ErrClosed
		}
		if err == nil {
			if said != "" {
				l.log.Info("listening after all", "for", l.what, "address", l.bind)
			}
			return inner.Accept()
		}
		if l.only != nil && !errors.Is(err, l.only) {
			return nil, err
		}
		if why := err.Error() + remedy(err); why != said {
			said = why
			l.log.Error("cannot listen, trying again", "for", l.what, "error", why, "every", l.interval)
		}
		select {
		case <-l.closed.Done():
		case <-time.After(l.interval):
		}
	}
}

// listen returns what listens.
func (l *lateListener) listen() (net.Listener, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.inner != nil || l.closed.Err() != nil {
		return l.inner, nil
	}
	inner, err := (&net.ListenConfig{}).Listen(l.closed, "tcp", l.bind)
	if err == nil {
		l.inner = inner
	}
	return inner, err
}

// Close ends Accept.
func (l *lateListener) Close() error {
	l.stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.inner == nil {
		return nil
	}
	return l.inner.Close()
}

// Addr is the address that it listens on, or is to.
func (l *lateListener) Addr() net.Addr {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.inner == nil {
		return wanted(l.bind)
	}
	return l.inner.Addr()
}

// wanted is an address on which nothing listens yet.
type wanted string

// Network is that of all that is served.
func (wanted) Network() string { return "tcp" }

func (w wanted) String() string { return string(w) }
