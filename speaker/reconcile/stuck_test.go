package reconcile

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/internal/bubble"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/progress"
)

// deaf is an API server whose requests do not come to their end, not even when their time is over.
type deaf struct {
	client.Client
	until chan struct{}
}

func (d deaf) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	<-d.until
	return errors.New("no")
}

func TestWriters_KnowWhichIsStuck(t *testing.T) {
	node := &lb.Node{}
	for name, set := range map[string]func(*Writers){
		"writes the Speaker object": func(w *Writers) { w.reporter.Set(Report{}) },
		"writes the EndpointSlice":  func(w *Writers) { w.publisher.Set(Published{Owner: node, Address: netip.AddrPortFrom(vip, 7946)}) },
		"renews the Lease":          func(w *Writers) { w.renewer.Set(Observation{Owner: node, Observing: true}) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				api := deaf{until: make(chan struct{})}
				w := NewWriters("n1", "daymark-system", api, slog.New(slog.DiscardHandler))
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error)
				go func() { ended <- w.Start(ctx) }()
				set(w)
				time.Sleep(progress.StuckAfter)
				if err := w.Alive(); err != nil {
					t.Errorf("a slow write: %v", err)
				}
				time.Sleep(2 * time.Second)
				if err := w.Alive(); err == nil || !strings.Contains(err.Error(), "what "+name+" ") {
					t.Errorf("it says %v", err)
				}
				cancel()
				close(api.until)
				<-ended
				if err := w.Alive(); err != nil {
					t.Errorf("after its end: %v", err)
				}
			})
		})
	}
}
