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

// fireTimeout is within which the fault fires its alert, with the times that the rules have.
const fireTimeout = 2 * time.Minute

// Promise: a fault fires its alert within two minutes and no other, Alertmanager tells it, and it resolves once the fault is mended.
// The rules are those of the chart, unchanged. Faults that do not disturb each other are made at the same time.
func TestAlerts_TheFaultFiresItsAlertAloneAndResolves(t *testing.T) {
	lab.Need(t, monitoring.Prometheus)
	lab.Need(t, monitoring.Alertmanager)
	cluster := daymark(t)
	awaitMembers(t, cluster)
	cluster.Router().Configure(lab.GoBGP, lab.RouterSettings{})
	cluster.Apply(peer("router"))
	cluster.Apply(routedPool("routed", "198.19.0.0/24"))
	provenAddress(t, cluster, "held")
	foreign := netip.MustParseAddr("192.0.2.204")
	cluster.Apply(segmentPool("small", "192.0.2.225/32"))
	cluster.Apply(service("first", "small"))
	cluster.Service("first").AwaitAddress()
	cluster.Apply(pool("silent", "192.0.2.226/32")) // which no advertisement selects
	cluster.Pod("silent", "n1")
	awaitSessions(t, cluster)
	nodes := cluster.Nodes()
	m := monitor(t, cluster)

	gone := nodes[2].Speaker()
	round(t, m, map[string]func(){
		"DaymarkSpeakersGone":          func() { gone.Kill() },
		"DaymarkBGPNodeWithoutSession": func() { cluster.Router().Stop() },
		"DaymarkPoolExhausted":         func() { cluster.Apply(service("second", "small")) },
		"DaymarkServicesWaiting":       func() { cluster.Apply(service("astray", "nowhere")) },
		"DaymarkServicesNotAnnounced":  func() { cluster.Apply(service("silent", "silent")) },
		"DaymarkAddressConflict":       func() { conflictingService(t, cluster, "taken", foreign) },
	}, func() {
		gone.Start()
		cluster.Router().Start()
		cluster.Delete(service("second", "small"))
		cluster.Delete(service("astray", "nowhere"))
		cluster.Delete(service("silent", "silent"))
		cluster.ForeignHost().Leave(foreign)
	})
	everyPanelHasSeries(t, m)
	round(t, m, map[string]func(){
		"DaymarkMembershipSplit":  func() { nodes[0].Firewall([]uint16{7946}, "udp", "tcp") },
		"DaymarkControllerGone":   func() { cluster.Controller().Stop() },
		"DaymarkServiceProxyDown": func() { nodes[1].Proxy().Stop() },
		// GoBGP speaks no BFD.
		"DaymarkBFDSessionDown": func() {
			cluster.Apply(bfdProfile("fast", bfdInterval, 3) + "\n---" + peer("router", "bfdProfile: fast"))
		},
	}, func() {
		nodes[0].RemoveFirewall()
		nodes[1].Proxy().Start()
		cluster.Apply(peer("router"))
		cluster.Controller().Start()
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
	lab.Eventually(t, waitTimeout, "all programs are scraped and nothing fires", func() error {
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

// round makes some faults, by the alert that each fires, waits until these alerts alone are told, mends all, and waits until they are
// told to have resolved.
func round(t *testing.T, m *monitoring.Monitoring, faults map[string]func(), mend func()) {
	t.Helper()
	var want []string
	began := time.Now()
	for alert, fault := range faults {
		want = append(want, alert)
		fault()
	}
	slices.Sort(want)
	lab.Eventually(t, fireTimeout, fmt.Sprintf("Alertmanager tells of %v", want), func() error { return told(m, "firing", began, want) })
	for _, n := range m.Notifications() {
		if n.At.After(began) {
			t.Logf("%s after %s: %s", n.Labels["alertname"], n.At.Sub(began).Round(time.Second), n.Annotations["description"])
			if text := fmt.Sprint(n.Annotations); strings.Contains(text, "error") || strings.Contains(text, "<no value>") || strings.Contains(text, "node  ") {
				t.Errorf("%s says %s", n.Labels["alertname"], text)
			}
		}
	}
	mended := time.Now()
	mend()
	lab.Eventually(t, time.Minute, fmt.Sprintf("Alertmanager tells that %v have resolved", want), func() error {
		if firing, err := m.Firing(); err != nil || len(firing) > 0 {
			return fmt.Errorf("%v fire: %w", firing, err)
		}
		return told(m, "resolved", mended, want)
	})
	t.Logf("resolved after %s", time.Since(mended).Round(time.Second))
	if err := told(m, "firing", began, want); err != nil {
		t.Error(err)
	}
}

// told returns nil when Alertmanager has told of these alerts since a time, and of no others.
func told(m *monitoring.Monitoring, status string, since time.Time, want []string) error {
	if got := m.Told(status, since); !slices.Equal(got, want) {
		return fmt.Errorf("it has told %s of %v", status, got)
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
