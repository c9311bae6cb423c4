package e2e_test

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/e2e/lab/router"
)

// BenchmarkFalseBFDDowns counts the sessions of BFD at 3 x 50 ms and of BGP that go down although nobody died, with three nodes and
// every processor busy: as the speakers count (bfd-downs, bgp-flaps) and as the router does (-router), and at which end the Detection
// Time passed (speakers-fired: packets of the router were late; router-fired: those of the speakers were). It looks for as long as
// -load.for says. The speakers have real-time priority. FRR and BIRD have the ordinary one (shared), and then real-time priority as
// well (apart): a router's processors are not busy with the programs of a node, and here all are on one machine.
func BenchmarkFalseBFDDowns(b *testing.B) {
	for _, kind := range []lab.RouterKind{lab.FRR, lab.BIRD} {
		for _, priority := range []string{"shared", "apart"} {
			b.Run(string(kind)+"/"+priority, func(b *testing.B) {
				lab.Need(b, kind)
				for b.Loop() {
					measureFalseBFDDowns(b, kind, priority == "apart")
				}
			})
		}
	}
}

func measureFalseBFDDowns(b *testing.B, kind lab.RouterKind, apart bool) {
	b.Helper()
	cluster := sharedLab(b)
	underBFD(b, cluster, kind, 50*time.Millisecond, "busy", "198.19.10.0/24")
	if apart {
		for _, process := range cluster.Router().Processes() {
			first := exec.Command("chrt", "--all-tasks", "--rr", "--pid", "1", strconv.Itoa(process.PID()))
			if output, err := first.CombinedOutput(); err != nil {
				b.Fatalf("%v: %s", err, output)
			}
		}
	}
	time.Sleep(5 * time.Second) // What comes with the first sessions is over.
	before := downsOf(b, cluster)
	keepBusy(b)
	time.Sleep(*loadFor)
	after := downsOf(b, cluster)
	b.Logf("before %+v, after %+v", before, after)
	b.ReportMetric(after.bfd-before.bfd, "bfd-downs")
	b.ReportMetric(after.bgp-before.bgp, "bgp-flaps")
	b.ReportMetric(float64(after.router.BFD-before.router.BFD), "bfd-downs-router")
	b.ReportMetric(float64(after.router.BGP-before.router.BGP), "bgp-flaps-router")
	b.ReportMetric(float64(after.ours-before.ours), "speakers-fired")
	b.ReportMetric(float64(after.theirs-before.theirs), "router-fired")
}

// downs count the sessions that went down.
type downs struct {
	// bfd and bgp are the speakers' metrics, router is the router's account.
	bfd, bgp float64
	router   router.Downs
	// ours and theirs are how often the Detection Time passed at a speaker and at the router.
	ours, theirs int
}

func downsOf(b *testing.B, cluster *lab.Cluster) (all downs) {
	b.Helper()
	all.router = must(cluster.Router().Downs())(b)
	for _, node := range cluster.Nodes() {
		speaker := node.Speaker()
		all.bfd += must(speaker.Metric(7472, "daymark_bfd_session_downs_total"))(b)
		all.bgp += must(speaker.Metric(7472, "daymark_bgp_session_flaps_total"))(b)
		all.ours += bfdDownsBecause(speaker.Output(), "no packet from the peer")
		all.theirs += bfdDownsBecause(speaker.Output(), "control detection time expired")
	}
	return all
}

// bfdDownsBecause counts in a speaker's log how often BFD went down for a reason.
func bfdDownsBecause(log, reason string) (count int) {
	for line := range strings.Lines(log) {
		if strings.Contains(line, "BFD session is down") && strings.Contains(line, reason) {
			count++
		}
	}
	return count
}
