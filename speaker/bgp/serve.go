package bgp

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// refreshPause is the shortest time between two answers to requests for a refresh, each of which costs all messages.
const refreshPause = time.Second

// serve keeps an established session: it tells the router what desired gives, again whenever wake is ready, while another
// goroutine reads. It returns why the session has ended: what came first, reading or writing or ctx, ends the others.
func (p *peering) serve(ctx context.Context, wake <-chan struct{}, desired func() *announce.Session) error {
	both, stop := context.WithCancelCause(ctx)
	var listening sync.WaitGroup
	listening.Go(func() {
		stop(p.listen(both))
		p.wire.hurry() // A router that ends, or sends rubbish, need not read either.
	})
	err := p.talk(both, wake, desired)
	if errors.Is(err, hungUp) { // Why, its last message may say.
		select {
		case <-both.Done():
		case <-time.After(farewell):
		}
	}
	stop(err)
	p.wire.hurry()
	listening.Wait()
	return context.Cause(both)
}

// talk writes until ctx ends or writing fails.
func (p *peering) talk(ctx context.Context, wake <-chan struct{}, desired func() *announce.Session) error {
	if err := p.begin(ctx, desired()); err != nil {
		return err
	}
	beat := time.NewTimer(jitter(p.agreed.keepalive))
	defer beat.Stop()
	if p.agreed.keepalive == 0 {
		beat.Stop()
	}
	asked, rested := p.asked, (<-chan time.Time)(nil)
	for {
		var err error
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-wake:
			err = p.tell(ctx, desired())
		case <-beat.C:
			err = p.send(ctx, keepalive)
			beat.Reset(jitter(p.agreed.keepalive))
		case <-asked:
			err = p.repeat(ctx)
			asked, rested = nil, time.After(refreshPause)
		case <-rested:
			asked, rested = p.asked, nil
		}
		if err != nil {
			return err
		}
	}
}

// begin sends all paths at once, and says that these are all.
func (p *peering) begin(ctx context.Context, desired *announce.Session) error {
	if err := p.tell(ctx, desired); err != nil || !p.agreed.graceful {
		return err
	}
	return p.send(ctx, endOfRIB(p.agreed.families))
}

// tell sends what leads from what the router was told to what is desired.
func (p *peering) tell(ctx context.Context, desired *announce.Session) error {
	next := nextHops(&p.settings, desired, p.wire.local(), p.agreed.extendedNextHop)
	wanted := newTable(p.encoder, p.told, desired.Paths, p.agreed.families, next)
	todo := wanted.since(p.told)
	if err := p.send(ctx, todo.messages()...); err != nil {
		return err
	}
	p.told = wanted
	p.view.told(wanted, todo)
	return nil
}

// repeat sends again what the router was told of the families that it asks for.
func (p *peering) repeat(ctx context.Context) error {
	for _, family := range p.agreed.families {
		if !p.again[place(family)].Swap(false) {
			continue
		}
		if err := p.send(ctx, p.told.of(family).since(&table{}).messages()...); err != nil {
			return err
		}
	}
	return nil
}

// place of a family in an array of two.
func place(family lb.Family) int {
	if family == lb.IPv6 {
		return 1
	}
	return 0
}

// poke fills a channel that holds one wake.
func poke(wake chan struct{}) {
	select {
	case wake <- struct{}{}:
	default: // It holds one already.
	}
}
