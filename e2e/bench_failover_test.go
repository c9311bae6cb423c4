package e2e_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// failure is something that happens to the holder of an address; it is measured many times.
type failure struct {
	name  string
	flags []string // of the speakers
	times int
	// second: the address is on a second segment, so that its interface can fail alone.
	second bool
	// cause makes it happen; undo undoes it, when there is another holder. Without cause the speakers are rolled.
	cause, undo func(lab.Node)
}

var failures = []failure{
	{name: "node-crash", times: 20, cause: lab.Node.Crash, undo: lab.Node.Return},
	{
		name: "node-crash-fastest", flags: []string{"--heartbeat-interval=25ms", "--heartbeat-multiplier=4"},
		times: 20, cause: lab.Node.Crash, undo: lab.Node.Return,
	},
	{name: "node-crash-memberlist-alone", flags: []string{"--heartbeat-interval=0"}, times: 9, cause: lab.Node.Crash, undo: lab.Node.Return},
	{
		name: "speaker-kill", times: 9,
		cause: func(n lab.Node) { n.Speaker().Kill() }, undo: func(n lab.Node) { n.Speaker().Start() },
	},
	{
		name: "link-down", times: 9, second: true,
		cause: func(n lab.Node) { n.Link("eth1").Down() }, undo: func(n lab.Node) { n.Link("eth1").Up() },
	},
	{
		name: "drain", times: 9,
		cause: func(n lab.Node) { n.Annotate("daymark.io/drain", "true") }, undo: func(n lab.Node) { n.RemoveAnnotation("daymark.io/drain") },
	},
	{name: "rolling-update", times: 10},
}

// BenchmarkFailOver measures, for each failure of a holder, the longest outage of a client that opens a connection
// every 10 ms (ms-median, ms-least, ms-most), the longest time for which nobody answered ARP for the address
// (the same with -unheld), how many connections in all could not be opened, and how many broke that were open: those that
// are under way when the address moves. After a partition: the time from its healing until every
// address has one holder. All failures share one lab; the programs are as `make build` makes them:
// go test -run '^$' -bench FailOver -benchtime 1x -v ./e2e, which also prints each failure and the log of the heir.
func BenchmarkFailOver(b *testing.B) {
	for _, f := range failures {
		b.Run(f.name, func(b *testing.B) {
			for b.Loop() {
				f.measure(b)
			}
		})
	}
	b.Run("partition-heal", func(b *testing.B) {
		for b.Loop() {
			measureHealing(b)
		}
	})
}

// sharedLab is the shared lab with Daymark as it is installed, and with more flags for the speakers.
func sharedLab(b *testing.B, flags ...string) *lab.Cluster {
	b.Helper()
	cluster := lab.Shared(b)
	cluster.EnsureDaymark()
	cluster.UsePlainBinaries()
	if len(flags) > 0 {
		cluster.UseSpeakerFlags(flags...)
	}
	awaitMembers(b, cluster)
	return cluster
}

func (f failure) measure(b *testing.B) {
	b.Helper()
	cluster := sharedLab(b, f.flags...)
	var address netip.Addr
	var pod *lab.Pod
	if f.second {
		address, pod = secondAddress(b, cluster)
	} else {
		address, pod = heldAddress(b, cluster, "fails")
	}
	var outages, unheld []time.Duration
	failed, broken := 0, 0
	for range f.times {
		s := observe(b, cluster, pod, address)
		holder, began := cluster.Node(s.holder), time.Now()
		if f.cause == nil {
			cluster.RollSpeakers()
			s.awaitSettled(time.Now())
		} else {
			f.cause(holder)
			b.Logf("log of the heir:%s", logSince(cluster.Node(s.awaitHeir(began)).Speaker(), began))
		}
		report, observations := s.end(began)
		b.Logf("outage %d ms, unheld %d ms", report.Outage().Milliseconds(), observations.Unheld(began).Milliseconds())
		if report.Failed() > 0 && f.cause == nil {
			logFailures(b, cluster, report, began)
		}
		outages, unheld = append(outages, report.Outage()), append(unheld, observations.Unheld(began))
		failed, broken = failed+report.Failed(), broken+len(report.Broken())
		if f.undo != nil {
			f.undo(holder)
		}
		awaitMembers(b, cluster)
	}
	reportTimes(b, "", outages)
	reportTimes(b, "-unheld", unheld)
	b.ReportMetric(float64(failed-broken), "not-opened")
	b.ReportMetric(float64(broken), "broken")
}

// logFailures logs each connection that failed, and what the speakers did meanwhile.
func logFailures(b *testing.B, cluster *lab.Cluster, report lab.Report, began time.Time) {
	b.Helper()
	for _, a := range report.Attempts {
		if a.Err != nil {
			b.Logf("%d ms after the beginning, for %s, opened %t: %v", a.Began.Sub(began).Milliseconds(), ms(a.Took), a.Opened, a.Err)
		}
	}
	for _, n := range cluster.Nodes() {
		b.Logf("log of %s:%s", n.Name, logSince(n.Speaker(), began))
	}
}

// logSince returns the lines of a program's log since a moment, each with the time since then: they show where the time of
// a fail-over goes. Each line of the log must begin with time=.
func logSince(p lab.Daemon, moment time.Time) string {
	var lines strings.Builder
	for line := range strings.Lines(p.Output()) {
		stamp, rest, _ := strings.Cut(strings.TrimPrefix(line, "time="), " ")
		if at, err := time.Parse(time.RFC3339Nano, stamp); err == nil && at.After(moment) {
			fmt.Fprintf(&lines, "\n%5d ms  %s", at.Sub(moment).Milliseconds(), strings.TrimSpace(rest))
		}
	}
	return lines.String()
}

// measureHealing measures the time from the healing of a partition, in which each side holds all addresses, to one holder of each.
func measureHealing(b *testing.B) {
	b.Helper()
	const times = 9
	cluster := sharedLab(b)
	addresses := manyServices(b, cluster, 3, "192.0.2.210-192.0.2.219")
	var took []time.Duration
	for i := range times {
		awaitHolders(b, cluster, "each address has one holder", addresses, nil)
		part(b, cluster, cluster.NodeNames()[i%3], addresses)
		watch := cluster.Client().Watch(addresses...)
		healed := time.Now()
		cluster.Heal()
		took = append(took, awaitOneHolder(b, watch, healed))
		watch.Stop()
		awaitMembers(b, cluster)
	}
	reportTimes(b, "", took)
}
