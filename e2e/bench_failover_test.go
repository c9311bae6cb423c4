package e2e_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// episode is something that happens to the holder of an address, many times over.
type episode struct {
	name  string
	flags []string // of the speakers
	times int
	// second: the address is on a second segment, so that its interface can fail alone.
	second bool
	// harm does it; heal undoes it, when there is another holder. Without harm the speakers are rolled.
	harm, heal func(lab.Node)
}

var episodes = []episode{
	{name: "node-crash", times: 9, harm: lab.Node.Crash, heal: lab.Node.Return},
	{
		name: "node-crash-fastest", flags: []string{"--heartbeat-interval=25ms", "--heartbeat-multiplier=4"},
		times: 9, harm: lab.Node.Crash, heal: lab.Node.Return,
	},
	{name: "node-crash-memberlist-alone", flags: []string{"--heartbeat-interval=0"}, times: 9, harm: lab.Node.Crash, heal: lab.Node.Return},
	{
		name: "speaker-kill", times: 9,
		harm: func(n lab.Node) { n.Speaker().Kill() }, heal: func(n lab.Node) { n.Speaker().Start() },
	},
	{
		name: "link-down", times: 9, second: true,
		harm: func(n lab.Node) { n.Link("eth1").Down() }, heal: func(n lab.Node) { n.Link("eth1").Up() },
	},
	{
		name: "drain", times: 9,
		harm: func(n lab.Node) { n.Annotate("daymark.io/drain", "true") }, heal: func(n lab.Node) { n.RemoveAnnotation("daymark.io/drain") },
	},
	{name: "rolling-update", times: 3},
}

// BenchmarkFailOver measures, for each way in which a holder goes, the longest outage that a client sees which opens a
// connection every 10 ms (ms-median, ms-least, ms-most), the longest time for which nobody answered ARP for the address
// (the same with -unheld), how many connections in all could not be opened, and how many broke that were open: those that
// are under way when the address moves. After a partition: the time from its healing until every
// address has one holder. All episodes share one lab; the programs are as `make build` makes them:
// go test -run '^$' -bench FailOver -benchtime 1x -v ./e2e, which also tells each episode and what the heir logged.
func BenchmarkFailOver(b *testing.B) {
	for _, e := range episodes {
		b.Run(e.name, func(b *testing.B) {
			for b.Loop() {
				e.measure(b)
			}
		})
	}
	b.Run("partition-heal", func(b *testing.B) {
		for b.Loop() {
			healing(b)
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

func (e episode) measure(b *testing.B) {
	b.Helper()
	cluster := sharedLab(b, e.flags...)
	var address netip.Addr
	var pod *lab.Pod
	if e.second {
		address, pod = secondAddress(b, cluster)
	} else {
		address, pod = heldAddress(b, cluster, "fails")
	}
	var outages, unheld []time.Duration
	failed, broken := 0, 0
	for range e.times {
		s := begin(b, cluster, pod, address)
		holder, began := cluster.Node(s.holder), time.Now()
		if e.harm == nil {
			cluster.RollSpeakers()
			s.awaitSettled(time.Now())
		} else {
			e.harm(holder)
			b.Logf("the heir said:%s", saidSince(cluster.Node(s.awaitHeir(began)).Speaker(), began))
		}
		report, sightings := s.end(began)
		outages, unheld = append(outages, report.Outage()), append(unheld, sightings.Unheld(began))
		failed, broken = failed+report.Failed(), broken+len(report.Broken())
		if e.heal != nil {
			e.heal(holder)
		}
		awaitMembers(b, cluster)
	}
	reportTimes(b, "", outages)
	reportTimes(b, "-unheld", unheld)
	b.ReportMetric(float64(failed-broken), "not-opened")
	b.ReportMetric(float64(broken), "broken")
}

// saidSince are the lines that a program wrote since a moment, each with the time that had passed: where the time of a
// fail-over goes. Its log begins each line with time=.
func saidSince(p lab.Daemon, moment time.Time) string {
	var said strings.Builder
	for line := range strings.Lines(p.Output()) {
		stamp, rest, _ := strings.Cut(strings.TrimPrefix(line, "time="), " ")
		if at, err := time.Parse(time.RFC3339Nano, stamp); err == nil && at.After(moment) {
			fmt.Fprintf(&said, "\n%5d ms  %s", at.Sub(moment).Milliseconds(), strings.TrimSpace(rest))
		}
	}
	return said.String()
}

// healing measures the time from the healing of a partition, in which each side holds all addresses, to one holder of each.
func healing(b *testing.B) {
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
