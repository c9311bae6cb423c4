package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/e2e/monitoring"
)

// alertTimeout is within which a fault fires its alert, and within which nothing fires any more once it is mended. The rules wait for
// a minute, and a busy machine is slow.
const alertTimeout = 4 * time.Minute

// slowFailOver is an alert that may come whenever a speaker dies or is not heard: on a busy machine more than five seconds pass until
// another answers. It looks back over ten minutes, so it does not resolve here.
const slowFailOver = "DaymarkFailOverSlow"

// fault is what do makes, and which alerts that fires.
type fault struct {
	alerts string
	do     func()
}

// Promise: a fault fires its alert and none that is not a consequence, Alertmanager tells it, and it resolves once the fault is mended.
// The rules are those of the chart, unchanged. Faults that do not disturb each other are made at the same time.
func TestAlerts_TheFaultFiresItsAlertAloneAndResolves(t *testing.T) {
	lab.Need(t, monitoring.Prometheus)
	lab.Need(t, monitoring.Alertmanager)
	w := watch(t)
	faultsOfServicesAndNodes(t, w)
	everyPanelHasSeries(t, w.m)
	faultsOfPartsAndPeers(t, w)
	lookBack(t, w)
}

// sixes are the addresses of a pool that the router is to be sent and does not take.
const sixes = "2001:db8::6:0/124"

// watched is a cluster in which each fault can be made, and who watches it.
type watched struct {
	*lab.Cluster
	m *monitoring.Monitoring
	// held is an address of the segment, foreign one that the foreign host takes.
	held, foreign netip.Addr
	moveBehind    func()
}

// watch makes all that the faults need, while it works.
func watch(t *testing.T) *watched {
	t.Helper()
	cluster := daymark(t)
	// The cut-off node would take what it prefers back after a minute, and its holder from it, in turns: no alert lasts long enough then.
	cluster.UseSpeakerFlags("--l2-rebalance-after=0")
	awaitMembers(t, cluster)
	cluster.Router().Configure(lab.GoBGP, lab.RouterSettings{})
	cluster.Apply(peer("router"))
	cluster.Apply(routedPool("routed", "198.19.0.0/24"))
	held, _ := provenAddress(t, cluster, "held")
	cluster.Apply(segmentPool("small", "192.0.2.225/32"))
	cluster.Apply(service("first", "small"))
	cluster.Service("first").AwaitAddress()
	cluster.Apply(pool("silent", "192.0.2.226/32")) // which no advertisement selects
	cluster.Pod("silent", "n1")
	cluster.Apply(segmentPool("six", sixes))
	cluster.Pod("six", "n1")
	cluster.Apply(service("six", "six", "ipFamilyPolicy: SingleStack", "ipFamilies: [IPv6]"))
	cluster.Service("six").AwaitAddress()
	secondAddress(t, cluster)
	moveBehind := deafNode(t, cluster)
	awaitSessions(t, cluster)
	return &watched{cluster, monitor(t, cluster), held, netip.MustParseAddr("192.0.2.204"), moveBehind}
}

func faultsOfServicesAndNodes(t *testing.T, w *watched) {
	t.Helper()
	gone := w.Node("n3").Speaker()
	round(t, w.m, []fault{
		{"DaymarkSegmentCut", func() { w.CutSecondSegment("n1") }},
		{"DaymarkSpeakersGone", func() { gone.Kill() }},
		{"DaymarkBGPNodeWithoutSession", func() { w.Router().Stop() }},
		{"DaymarkPoolExhausted", func() { w.Apply(service("late", "small")) }},
		{"DaymarkServicesWaiting", func() { w.Apply(service("astray", "nowhere")) }},
		{"DaymarkServicesNotAnnounced", func() { w.Apply(service("silent", "silent")) }},
		{"DaymarkAddressConflict", func() { conflictingService(t, w.Cluster, "taken", w.foreign) }},
		{"DaymarkAPIUnreachable DaymarkAddressUnheld DaymarkAddressHeldTwice", w.moveBehind},
	}, func() {
		gone.Start()
		w.Router().Start()
		w.Delete(service("late", "small"))
		w.Delete(service("astray", "nowhere"))
		w.Delete(service("silent", "silent"))
		w.ForeignHost().Leave(w.foreign)
		w.Delete(service("taken", "taken")) // Nodes believe in the conflict for a minute or two more.
		w.MendSecondSegment()
		w.Node("n2").RemoveFirewall()
		// One node alone may hold the addresses of these, and not all reach it in what follows.
		w.Delete(service("leaves-n1", "leaves-n1"))
		w.Delete(service("leaves-n2", "leaves-n2"))
	})
}

func faultsOfPartsAndPeers(t *testing.T, w *watched) {
	t.Helper()
	round(t, w.m, []fault{
		{"DaymarkMembershipSplit", func() { w.Node("n1").Firewall([]uint16{7946}, "udp", "tcp") }},
		{"DaymarkControllerGone", func() { w.Controller().Stop() }},
		{"DaymarkServiceProxyDown", func() { w.Node("n2").Proxy().Stop() }},
		{"DaymarkSpeakerFailing", func() {
			w.Delete(segmentAdvertisement("held")) // An edit would be taken for a typing error: what was there before would count.
			w.Apply(segmentAdvertisement("held", "interfaces: [eth9]"))
		}},
		// Nobody is there.
		{"DaymarkBGPSessionDown", func() { w.Apply(strings.Replace(peer("absent"), lab.RouterV4.String(), "192.0.2.251", 1)) }},
		// GoBGP speaks no BFD, and here no IPv6.
		{"DaymarkBFDSessionDown DaymarkBGPRoutesMissing", func() {
			w.Apply(bfdProfile("fast", bfdInterval, 3) + "\n---" + peer("router", "bfdProfile: fast", "addressFamilies: [IPv4, IPv6]"))
			w.Apply(routedPool("six", sixes))
		}},
	}, func() {
		w.Node("n1").RemoveFirewall()
		w.Node("n2").Proxy().Start()
		w.Apply(segmentAdvertisement("held"))
		w.Delete(peer("absent"))
		w.Apply(peer("router"))
		w.Controller().Start()
	})
}

// segmentAdvertisement of a pool by layer 2 that has its name; more goes into its spec.
func segmentAdvertisement(name string, more ...string) string {
	return fmt.Sprintf("apiVersion: daymark.io/v1beta1\nkind: L2Advertisement\nmetadata: {name: %[1]s}\nspec:\n  ipAddressPools: [%[1]s]\n%[2]s", name, lines(more))
}

// deafNode has n1 hold one address and n2 another, and returns the fault: n2 does not reach the API server any more, and each address has
// to move to the other node. n2 knows nothing of that, yields, takes over what n1 leaves, and cannot report either: by the reports one
// address has two holders, and the other none.
func deafNode(t *testing.T, cluster *lab.Cluster) (fault func()) {
	t.Helper()
	const only = "nodeSelectors: [{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [%s]}]}]"
	const first = "preferredNodeSelectors: [{weight: 100, selector: {matchLabels: {kubernetes.io/hostname: %s}}}]"
	const whole = "interfaces: [eth0]" // The other segment is cut.
	for name, node := range map[string]string{"leaves-n1": "n1", "leaves-n2": "n2"} {
		address := map[string]string{"n1": "192.0.2.227/32", "n2": "192.0.2.228/32"}[node]
		cluster.Apply(pool(name, address) + "\n---\n" + segmentAdvertisement(name, fmt.Sprintf(only, "n1, n2"), fmt.Sprintf(first, node), whole))
		cluster.Pod(name, "n3")
		cluster.Apply(service(name, name))
		given, _ := cluster.Service(name).AwaitAddress()
		awaitHolder(t, cluster, given, node)
	}
	server := must(netip.ParseAddrPort(strings.TrimPrefix(cluster.Config().Host, "https://")))(t)
	return func() {
		// One that drops would be noticed up to 45 s later.
		cluster.Node("n2").FirewallRejecting(server.Port(), "reject with tcp reset", "")
		cluster.Apply(segmentAdvertisement("leaves-n1", fmt.Sprintf(only, "n2"), whole))
		cluster.Apply(segmentAdvertisement("leaves-n2", fmt.Sprintf(only, "n1"), whole))
	}
}

// lookBack makes the faults of the alerts that look back, over minutes or an hour: they fire at once, and resolve later than a test can
// wait. A speaker dies while the settings are those of a network of long ways, and the sessions with the router go down again and again.
func lookBack(t *testing.T, w *watched) {
	t.Helper()
	const flaps, heartbeat = "DaymarkBGPSessionFlaps", 2 * time.Second
	w.UseSpeakerFlags("--gossip-preset=wan", "--heartbeat-interval="+heartbeat.String())
	awaitMembers(t, w.Cluster)
	awaitSessions(t, w.Cluster)
	holder := awaitHolder(t, w.Cluster, w.held)
	lab.Eventually(t, alertTimeout, "Prometheus knows the speakers as they are since", func() error {
		if series, err := w.m.Series("daymark_layer2_failover_duration_seconds_count == 0"); err != nil || series != len(w.NodeNames()) {
			return fmt.Errorf("%d of them have taken nothing over: %w", series, err)
		}
		return nil
	})
	hold(3 * heartbeat)                       // In which each speaker has the others' answers: how long those are gone that have never answered is not known.
	before := w.m.Told("firing", time.Time{}) // An alert that fires is told once.
	began, want := time.Now(), slices.DeleteFunc([]string{flaps, slowFailOver}, func(alert string) bool { return slices.Contains(before, alert) })
	w.Node(holder).Speaker().Kill()
	for !slices.Contains(w.m.Told("firing", time.Time{}), flaps) && time.Since(began) < alertTimeout {
		w.Router().Stop()
		w.Router().Start()
		awaitSessionsBut(t, w.Cluster, holder)
	}
	const slow = `daymark_layer2_failover_duration_seconds_count - ignoring(le) daymark_layer2_failover_duration_seconds_bucket{le=~"5([.]0)?"} > 0`
	lab.Eventually(t, alertTimeout, fmt.Sprintf("Alertmanager tells of %v", want), func() error {
		if series, err := w.m.Series(slow); err != nil || series == 0 {
			return fmt.Errorf("no speaker counts a slow fail-over: %w", err)
		}
		// If that took a minute, it is told as well that there is no speaker, or that there was no session whenever Prometheus looked.
		return told(w.m, "firing", began, want, flaps, slowFailOver, "DaymarkSpeakersGone", "DaymarkBGPNodeWithoutSession")
	})
	w.Node(holder).Speaker().Start()
	saidInWords(t, w.m, began)
}

// awaitSessionsBut is awaitSessions without those of one node.
func awaitSessionsBut(t *testing.T, cluster *lab.Cluster, but string) {
	t.Helper()
	lab.Eventually(t, alertTimeout, "the router has a session with every node but "+but, func() error {
		for name, state := range cluster.Router().Sessions() {
			if name != but && state != "Established" {
				return fmt.Errorf("that with %s is %s", name, state)
			}
		}
		return nil
	})
}

// monitor starts Prometheus and Alertmanager on the programs of a cluster, and waits until all are scraped and nothing fires.
func monitor(t *testing.T, cluster *lab.Cluster) *monitoring.Monitoring {
	t.Helper()
	targets := []monitoring.Target{{Name: "controller", Metrics: func() (string, error) { return cluster.Controller().Metrics(7470) }}}
	for _, node := range cluster.Nodes() {
		targets = append(targets, monitoring.Target{
			Name: "speaker-" + node.Name, Node: node.Name, Metrics: func() (string, error) { return node.Speaker().Metrics(speakerMetrics) },
		})
	}
	rules := must(filepath.Abs("../config/chart/rules.yaml"))(t)
	m := must(monitoring.Start(t.TempDir(), rules, targets))(t)
	t.Cleanup(func() { _ = m.Stop() })
	lab.Eventually(t, alertTimeout, "all programs are scraped and nothing fires", func() error {
		if up, err := m.Series("up == 1"); err != nil || up != len(targets) {
			return fmt.Errorf("%d are: %w", up, err)
		}
		if firing, err := m.Firing(); err != nil || len(firing) > 0 {
			return fmt.Errorf("%v fire: %w", firing, err)
		}
		return nil
	})
	return m
}

// round makes some faults in order, waits until their alerts are told and none that is not a consequence, mends all, and waits until they
// are told to have resolved.
func round(t *testing.T, m *monitoring.Monitoring, faults []fault, mend func()) {
	t.Helper()
	var want []string
	began := time.Now()
	for _, f := range faults {
		want = append(want, strings.Fields(f.alerts)...)
		f.do()
	}
	lab.Eventually(t, alertTimeout, fmt.Sprintf("Alertmanager tells of %v", want), func() error { return told(m, "firing", began, want, slowFailOver) })
	saidInWords(t, m, began)
	mended := time.Now()
	mend()
	lab.Eventually(t, alertTimeout, fmt.Sprintf("Alertmanager tells that %v have resolved", want), func() error {
		firing, err := m.Firing()
		if firing = slices.DeleteFunc(firing, func(alert string) bool { return alert == slowFailOver }); err != nil || len(firing) > 0 {
			return fmt.Errorf("%v fire: %w", firing, err)
		}
		return told(m, "resolved", began, want)
	})
	t.Logf("resolved after %s", time.Since(mended).Round(time.Second))
	if err := told(m, "firing", began, want, slowFailOver); err != nil {
		t.Error(err)
	}
}

// saidInWords logs what Alertmanager has told since a time, and fails where a text has a hole.
func saidInWords(t *testing.T, m *monitoring.Monitoring, since time.Time) {
	t.Helper()
	for _, n := range m.Notifications() {
		if n.At.After(since) {
			t.Logf("%s after %s: %s", n.Labels["alertname"], n.At.Sub(since).Round(time.Second), n.Annotations["description"])
			if text := fmt.Sprint(n.Annotations); strings.Contains(text, "error") || strings.Contains(text, "<no value>") || strings.Contains(text, "node  ") {
				t.Errorf("%s says %s", n.Labels["alertname"], text)
			}
		}
	}
}

// told returns nil when Alertmanager has told of all these alerts since a time, and of no others but those that may come.
func told(m *monitoring.Monitoring, status string, since time.Time, want []string, may ...string) error {
	got := m.Told(status, since)
	missing := slices.DeleteFunc(slices.Clone(want), func(alert string) bool { return slices.Contains(got, alert) })
	others := slices.DeleteFunc(got, func(alert string) bool { return slices.Contains(want, alert) || slices.Contains(may, alert) })
	if len(missing) > 0 || len(others) > 0 {
		return fmt.Errorf("it has not told %s of %v, and without a fault of %v", status, missing, others)
	}
	return nil
}

// everyPanelHasSeries runs each query of each panel of the chart's dashboards.
func everyPanelHasSeries(t *testing.T, m *monitoring.Monitoring) {
	t.Helper()
	files, err := filepath.Glob("../config/chart/dashboards/*.json")
	if err != nil || len(files) < 2 {
		t.Fatalf("%v %v", files, err)
	}
	variables := strings.NewReplacer("$node", ".*", "$__rate_interval", "30s")
	for _, file := range files {
		text := must(os.ReadFile(file))(t)
		var dashboard struct {
			Panels []struct {
				Title   string
				Targets []struct{ Expr string }
			}
		}
		if err := json.Unmarshal(text, &dashboard); err != nil {
			t.Fatal(err)
		}
		for _, panel := range dashboard.Panels {
			for _, target := range panel.Targets {
				if series, err := m.Series(variables.Replace(target.Expr)); err != nil || series == 0 {
					t.Errorf("%s, panel %q: %s gives %d series: %v", filepath.Base(file), panel.Title, target.Expr, series, err)
				}
			}
		}
	}
}
