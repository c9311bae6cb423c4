package main

import (
	"context"
	"errors"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/daymark-lb/daymark/internal/core/handover"
)

// handOverTimeout is how long a speaker that is told to end may take to hand over what it holds.
const handOverTimeout = 3 * time.Second

// endTimeout is how long all parts together may take to end after that. terminationGracePeriodSeconds of the DaemonSet covers both.
const endTimeout = 5 * time.Second

// handOver returns a context that ends after ctx has ended and leave has returned: the speaker goes on until the addresses
// that it holds by layer 2 have passed to others, and the routes of a node that leaves are withdrawn. The context that leave gets ends after handOverTimeout.
func handOver(ctx context.Context, leave func(context.Context)) context.Context {
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() {
		limited, cancel := context.WithTimeout(running, handOverTimeout)
		defer cancel()
		leave(limited)
		end()
	})
	return running
}

// endInOrder runs two parts and ends the second when the first has returned. BGP sessions must be closed before BFD ends:
// routers that hear by BFD that this speaker leaves, while they still have a session with it, drop its routes at once (FRR 8,
// BIRD 2), which graceful restart is to prevent.
func endInOrder(first, second manager.Runnable) manager.Runnable {
	return manager.RunnableFunc(func(ctx context.Context) error {
		later, end := context.WithCancel(context.WithoutCancel(ctx))
		defer end()
		ended := make(chan error, 1)
		go func() { ended <- second.Start(later) }()
		err := first.Start(ctx)
		end()
		return errors.Join(err, <-ended)
	})
}

// passer has the kernel pass packets on.
type passer interface {
	Set(ctx context.Context, plan handover.Plan) error
}

// clearRules leaves nothing in the kernel if no speaker is to come back, who would take over what is there. It is called when all parts have
// ended, so that none writes anew. While a speaker restarts the kernel goes on.
func clearRules(relay passer, forGood bool) error {
	if !forGood {
		return nil
	}
	return relay.Set(context.Background(), handover.Plan{})
}
