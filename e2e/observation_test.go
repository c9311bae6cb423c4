package e2e_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// maxOutage is what an outage must stay under in a test. The figures to reach are a tenth of it, and are for benchmarks: here
// programs with the race detector share two cores with everything else.
const maxOutage = 3 * time.Second

// settledTime is how long an address must have had one and the same holder to count as settled.
const settledTime = 500 * time.Millisecond

// observation is a client that opens a connection every 10 ms to each of some addresses in turn, and asks every 20 ms who
// holds each. The test does something to the holder of the first.
type observation struct {
	*lab.Cluster
	t         testing.TB
	addresses []netip.Addr
	holder    string // of the first
	probe     *lab.Prober
	watch     *lab.Watcher
}

// observe waits until all addresses are held and served, and starts to observe. The Services' pod moves off the holder's node, so that what fails and comes
// back is the address alone.
func observe(t testing.TB, cluster *lab.Cluster, pod *lab.Pod, addresses ...netip.Addr) *observation {
	t.Helper()
	s := &observation{Cluster: cluster, t: t, addresses: addresses}
	awaitHolders(t, cluster, "each address has one holder", addresses, func(holders map[netip.Addr]string) error {
		s.holder = holders[addresses[0]]
		return nil
	})
	moveAway(t, cluster, pod, s.holder, addresses[0])
	var urls []string
	for _, address := range addresses {
		cluster.Client().MustGet(url(address))
		urls = append(urls, url(address))
	}
	s.probe, s.watch = cluster.Client().Probe(urls...), cluster.Client().Watch(addresses...)
	lab.Eventually(t, waitTimeout, "the client is served", func() error { return s.probe.ServedSince(time.Time{}) })
	return s
}

// awaitHeir waits until another node than the holder at the beginning holds the first address, and has done so for a
// while, and until the client is served.
func (s *observation) awaitHeir(since time.Time) (heir string) {
	s.t.Helper()
	lab.Eventually(s.t, 30*time.Second, "another node than "+s.holder+" holds "+s.addresses[0].String(), func() error {
		seen := s.watch.Seen()
		if _, err := seen.Settled(since, settledTime); err != nil {
			return err
		}
		story := seen.Holders(s.addresses[0], since)
		if heir = story[len(story)-1]; heir == s.holder || !slices.Contains(s.NodeNames(), heir) {
			return fmt.Errorf("it has been held by %v", story)
		}
		return nil
	})
	settled := time.Now()
	lab.Eventually(s.t, 30*time.Second, "the client is served", func() error { return s.probe.ServedSince(settled) })
	return heir
}

// awaitSettled waits until every address has had one and the same holder for a while, and tells how long after the
// moment that began.
func (s *observation) awaitSettled(moment time.Time) (after time.Duration) {
	s.t.Helper()
	lab.Eventually(s.t, 30*time.Second, "every address has one holder for good", func() (err error) {
		after, err = s.watch.Seen().Settled(moment, settledTime)
		return err
	})
	return after
}

// end returns what the client and the watcher saw, and logs it; since is when the failure began.
func (s *observation) end(since time.Time) (lab.Report, lab.Observations) {
	s.t.Helper()
	report, observations := s.probe.Stop(), s.watch.Stop()
	s.t.Logf("%s; %s; nobody answered for %s, two did for %s; held by %v", s.holder, report,
		ms(observations.Unheld(since)), ms(observations.Shared(since)), observations.Holders(s.addresses[0], since))
	if err := report.FirstError(); err != nil {
		s.t.Logf("the first connection that failed says: %v", err)
	}
	return report, observations
}

func ms(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }

// mustHaveServedAll fails when a single connection failed: could not be opened, or broke while nothing moved. One that is
// under way in the very millisecond in which its address moves breaks whatever Daymark does, because the other node's
// service proxy does not know it; such are counted and logged.
func mustHaveServedAll(t *testing.T, report lab.Report, observations lab.Observations) {
	t.Helper()
	underWay := 0
	for _, a := range report.Broken() {
		if observations.Moving(a.Began, a.Began.Add(a.Took)) {
			underWay++
		}
	}
	t.Logf("%d connections were under way while their address moved, and broke", underWay)
	if failed := report.Failed() - underWay; failed > 0 || len(report.Attempts) == 0 {
		t.Errorf("%d of %d connections failed; the first says: %v", failed, len(report.Attempts), report.FirstError())
	}
}

// maxGap is how long nobody may seem to answer while an address is handed over: the next holder answers before the last one
// stops, but on a busy machine an answer may be late. A holder that just goes is missed only after about as long.
const maxGap = 200 * time.Millisecond

// mustHaveNoGap fails when nobody answered for an address at some time since the moment.
func mustHaveNoGap(t *testing.T, observations lab.Observations, since time.Time) {
	t.Helper()
	if unheld := observations.Unheld(since); unheld > maxGap {
		t.Errorf("nobody answered for %s", unheld)
	}
}

// mustBeUnder fails when an outage took longer than the bound.
func mustBeUnder(t *testing.T, what string, took time.Duration) {
	t.Helper()
	if took > maxOutage {
		t.Errorf("%s took %s, want less than %s", what, took, maxOutage)
	}
}

// provenAddress is heldAddress, and waits until the holder defends the address.
func provenAddress(t testing.TB, cluster *lab.Cluster, name string) (netip.Addr, *lab.Pod) {
	t.Helper()
	address, pod := heldAddress(t, cluster, name)
	const proven = 4 * time.Second // more than the 3 s for which a new address is left to a host that objects
	since := time.Now()
	lab.Eventually(t, 2*waitTimeout, "one node has answered for so long", func() error {
		if all := cluster.Client().WhoHas(address); len(all) != 1 {
			since = time.Now()
			return fmt.Errorf("%v do", all)
		}
		if so := time.Since(since); so < proven {
			return fmt.Errorf("it has for %s", so)
		}
		return nil
	})
	return address, pod
}

// heldAddress makes a Service with one pod and an address that a node holds.
func heldAddress(t testing.TB, cluster *lab.Cluster, name string) (netip.Addr, *lab.Pod) {
	t.Helper()
	cluster.Apply(segmentPool(name, "192.0.2.230-192.0.2.239"))
	pod := cluster.Pod(name, "n1")
	cluster.Apply(service(name, name))
	address, _ := cluster.Service(name).AwaitAddress()
	awaitHolder(t, cluster, address)
	return address, pod
}

// moveAway leaves the pod on a node that stays.
func moveAway(t testing.TB, cluster *lab.Cluster, pod *lab.Pod, from string, address netip.Addr) {
	t.Helper()
	if pod.Node() == from {
		stays := slices.DeleteFunc(cluster.NodeNames(), func(name string) bool { return name == from })
		pod.MoveTo(stays[0])
	}
	lab.Eventually(t, waitTimeout, "the pod serves", func() error {
		answer, err := cluster.Client().Get(url(address))
		if err == nil && answer.Node != pod.Node() {
			err = fmt.Errorf("answered %q", answer)
		}
		return err
	})
}
