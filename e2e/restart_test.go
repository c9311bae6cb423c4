package e2e_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// Promise: while a speaker restarts the router keeps its routes, BFD or not; a node that is drained is withdrawn first. No
// connection is lost by either.

func TestBGP_RestartKeepsRoutesUnderBFD(t *testing.T) {
	lab.Need(t, lab.FRR)
	cluster := daymark(t)
	address := underBFD(t, cluster, lab.FRR, bfdInterval, "restarts", "198.19.12.0/24")
	probe, watch := cluster.FarClient().Probe(url(address)), cluster.Router().Watch(address.String())
	for _, life := range []struct {
		node string
		end  func(lab.Daemon)
		bfd  string // at FRR, until the speaker is back
	}{{"n1", lab.Daemon.Stop, "up"}, {"n2", lab.Daemon.Stop, "up"}, {"n3", lab.Daemon.Kill, "down"}} {
		speaker := cluster.Node(life.node).Speaker()
		life.end(speaker)
		awaitPassed(t, 4*bfdInterval)
		lab.Eventually(t, waitTimeout, "FRR's BFD session is "+life.bfd+" and it keeps the route", func() error {
			session, err := bfdOf(cluster, life.node, "bfd peers")
			if err != nil || session.Status != life.bfd {
				return fmt.Errorf("it has %+v, %w", session, err)
			}
			kept, err := stale(cluster, address)
			if err == nil && !slices.Equal(kept, []string{life.node}) {
				err = fmt.Errorf("stale are the paths of %v", kept)
			}
			return err
		})
		speaker.Start()
		awaitBFDUp(t, cluster, life.node, "restarts")
		lab.Eventually(t, waitTimeout, "no path is stale", func() error {
			kept, err := stale(cluster, address)
			if err == nil && len(kept) > 0 {
				err = fmt.Errorf("stale are the paths of %v", kept)
			}
			return err
		})
	}
	changes, report := watch.Stop(), probe.Stop()
	t.Logf("two speakers stopped and one killed: %s; next hops: %v", report, changes)
	if len(changes) != 1 || len(changes[0].NextHops) != 3 {
		t.Errorf("the next hops were %v, want all three all the while", changes)
	}
	if report.Failed() > 0 {
		t.Errorf("%d connections failed; the first says: %v", report.Failed(), report.FirstError())
	}
}

// awaitPassed waits until some time has passed, in which something would have happened that must not.
func awaitPassed(t *testing.T, least time.Duration) {
	t.Helper()
	began := time.Now()
	lab.Eventually(t, waitTimeout, least.String()+" have passed", func() error {
		if passed := time.Since(began); passed < least {
			return fmt.Errorf("%v have", passed)
		}
		return nil
	})
}

// BIRD drops the routes of a BGP session that restarts when BFD goes down, by AdminDown or not.
func TestBGP_RestartKeepsRoutesUnderBFDOfBIRD(t *testing.T) {
	lab.Need(t, lab.BIRD)
	cluster := daymark(t)
	address := underBFD(t, cluster, lab.BIRD, bfdInterval, "restarts-bird", "198.19.35.0/24")
	probe, watch := cluster.FarClient().Probe(url(address)), cluster.Router().Watch(address.String())
	for _, node := range []string{"n1", "n2"} {
		speaker := cluster.Node(node).Speaker()
		said := len(speaker.Output())
		speaker.Stop()
		awaitPassed(t, 4*bfdInterval) // the Detection Time is 3 times
		speaker.Start()
		awaitSaid(t, speaker, said, saysBFDResumed, saysBGPUp)
		awaitBFDUp(t, cluster, node, "restarts-bird")
	}
	changes, report := watch.Stop(), probe.Stop()
	t.Logf("two speakers restarted: %s; next hops: %v", report, changes)
	if len(changes) != 1 || len(changes[0].NextHops) != 3 || report.Failed() > 0 {
		t.Errorf("%s; the next hops were %v, want all three all the while", report, changes)
	}
}

// A speaker that crashes and is back before BFD has noticed: neither router may see its BFD session fail, because they drop the
// routes of a BGP session that is up when that happens. BIRD drops them even while it is down.
func TestBGP_CrashFasterThanBFDKeepsRoutes(t *testing.T) {
	const interval, multiplier = time.Second, 4
	for i, kind := range []lab.RouterKind{lab.FRR, lab.BIRD} {
		t.Run(string(kind), func(t *testing.T) {
			lab.Need(t, kind)
			cluster := daymark(t)
			name := fmt.Sprintf("crashes-%d", i)
			cluster.Router().Configure(kind, lab.RouterSettings{BFD: interval})
			cluster.Pod(name, "n1")
			cluster.Apply(bfdProfile(name, interval, multiplier))
			cluster.Apply(peer(name, "bfdProfile: "+name))
			cluster.Apply(routedPool(name, fmt.Sprintf("198.19.%d.0/24", 24+i)))
			cluster.Apply(service(name, name))
			address, _ := cluster.Service(name).AwaitAddress()
			awaitNextHops(t, cluster, address.String(), cluster.NodeNames()...)
			for _, node := range cluster.NodeNames() {
				awaitBFDUp(t, cluster, node, name)
			}
			watch := cluster.Router().Watch(address.String())
			for range 3 {
				speaker := cluster.Node("n2").Speaker()
				said := len(speaker.Output())
				speaker.Kill()
				speaker.Start()
				awaitSaid(t, speaker, said, saysBFDResumed, saysBGPUp)
				awaitBFDUp(t, cluster, "n2", name)
			}
			if changes := watch.Stop(); len(changes) != 1 {
				t.Errorf("the next hops were %v, want all three all the while", changes)
			}
		})
	}
}

func TestBGP_DrainLosesNoConnection(t *testing.T) {
	const drain = "daymark.io/drain"
	lab.Need(t, lab.FRR)
	cluster := daymark(t)
	address := underBFD(t, cluster, lab.FRR, bfdInterval, "drains", "198.19.13.0/24")
	probe, watch := cluster.FarClient().Probe(url(address)), cluster.Router().Watch(address.String())
	lab.Eventually(t, waitTimeout, "the client is served", func() error { return probe.ServedSince(time.Time{}) })
	node := cluster.Node("n2")
	node.Annotate(drain, "true")
	awaitNextHops(t, cluster, address.String(), "n1", "n3")
	awaitBFDUp(t, cluster, "n2", "drains")
	node.Speaker().Stop()
	node.RemoveAnnotation(drain)
	node.Speaker().Start()
	awaitNextHops(t, cluster, address.String(), "n1", "n2", "n3")
	served := time.Now()
	lab.Eventually(t, waitTimeout, "the client is served", func() error { return probe.ServedSince(served) })
	changes, report := watch.Stop(), probe.Stop()
	t.Logf("%s; next hops: %v", report, changes)
	if len(changes) != 3 {
		t.Errorf("the next hops were %v, want three, two, and three again", changes)
	}
	mustHaveServedAllRouted(t, report, changes)
}

// mustHaveServedAllRouted is mustHaveServedAll for an address that is routed: when the next hops change, the router sends
// a connection that is under way to another node, which does not know it.
func mustHaveServedAllRouted(t *testing.T, report lab.Report, changes []lab.RouteChange) {
	t.Helper()
	underWay := 0
	for _, a := range report.Broken() {
		if slices.ContainsFunc(changes[1:], func(c lab.RouteChange) bool {
			return a.Began.Before(c.At) && c.At.Before(a.Began.Add(a.Took+lab.Poll))
		}) {
			underWay++
		}
	}
	t.Logf("%d connections were under way while the next hops changed, and broke", underWay)
	if failed := report.Failed() - underWay; failed > 0 || len(report.Attempts) == 0 {
		t.Errorf("%d of %d connections failed; the first says: %v", failed, len(report.Attempts), report.FirstError())
	}
}
