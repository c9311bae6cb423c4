package reconcile

import (
	"context"
	"errors"

	"github.com/daymark-lb/daymark/internal/core/announce"
)

// set hands each executor its whole desired state. A protocol that fails does not keep the others from theirs. Layer 2
// answers before claims are broadcast: a node that claims an address must answer for it by the time the holder hears of the
// claim and stops. Before that, and before a route goes out, open connections are passed on that will come with the packets.
func (l *Loop) set(ctx context.Context, d *desired) error {
	l.exec.Layer2.UpdateClusterMACs(d.macs)
	l.exec.Layer2.FailedOver(d.failOvers)
	var errs []error
	if d.connections != nil {
		errs = append(errs, l.exec.Connections.Set(ctx, *d.connections))
	}
	errs = append(errs, l.exec.Layer2.Set(ctx, d.layer2))
	if len(d.contested) > 0 {
		l.exec.Layer2.Announce(d.contested)
	}
	l.exec.Layer2.Ask(d.questions)
	l.exec.Layer2.Search(d.searches)
	l.exec.Layer2.Defend(d.defend)
	l.exec.Gossip.Broadcast(d.local)
	errs = append(errs, l.exec.Unnumbered.Set(ctx, d.plan.Unnumbered), l.exec.BGP.Set(ctx, d.sessions))
	l.bfd.Store(d.bfd)
	errs = append(errs,
		l.exec.BFD.Set(ctx, d.bfd.Sessions),
		l.exec.Health.Set(ctx, d.plan.HealthPorts, d.plan.HealthPaths, l.memory.proxy.verdict.Ports),
		unheldError(d.plan.Unheld), d.unable)
	return errors.Join(errs...)
}

// unheldError says which addresses no node can hold; nil if none.
func unheldError(texts []string) error {
	if len(texts) == 0 {
		return nil
	}
	return errors.New(announce.UnheldText(texts))
}
