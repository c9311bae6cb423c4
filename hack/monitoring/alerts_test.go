package main

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/daymark-lb/daymark/internal/netnstest"
)

// root of the repository.
const root = "../.."

// rule of config/chart/rules.yaml.
type rule struct {
	Alert, Expr, For    string
	Labels, Annotations map[string]string
}

func rules(t *testing.T) (all []rule) {
	t.Helper()
	text, err := os.ReadFile(root + "/config/chart/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct{ Rules []rule }
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for _, group := range file.Groups {
		all = append(all, group.Rules...)
	}
	return all
}

func TestAlerts_AreAsTheMixinsHaveThem(t *testing.T) {
	for _, r := range rules(t) {
		if !strings.HasPrefix(r.Alert, "Daymark") || !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) ||
			!strings.HasSuffix(r.Annotations["summary"], ".") || strings.Contains(r.Annotations["summary"], "{{") || r.Annotations["description"] == "" {
			t.Errorf("%+v", r)
		}
	}
}

// mostFor is how long a rule may wait: with two more scrapes and two more looks of Prometheus, at 15 s each, who is on call knows within two
// minutes of a fault. Roll-outs of the programs make states that last for seconds.
const mostFor = time.Minute

// Those of severity info tell of what is to come, and of what has been.
func TestAlerts_WaitNoLongerThanTwoMinutesAllow(t *testing.T) {
	for _, r := range rules(t) {
		if waits, err := time.ParseDuration(cmp.Or(r.For, "0s")); err != nil || r.Labels["severity"] != "info" && waits > mostFor {
			t.Errorf("%s waits for %s: %v", r.Alert, r.For, err)
		}
	}
}

// healthy is what Prometheus has while all is well. A node without endpoints for a Service, a pool that is full while nobody
// waits, and a standby are no fault.
var healthy = map[string]float64{
	`daymark_controller_leader{instance="c1"}`: 1, `daymark_controller_leader{instance="c2"}`: 0,
	`daymark_controller_speakers_gone{instance="c1"}`:                                                               0,
	`daymark_controller_services{instance="c1",condition="AddressAssigned",status="True",reason="AddressAssigned"}`: 4,
	`daymark_controller_services{instance="c1",condition="AddressAssigned",status="False",reason="NoPool"}`:         0,
	`daymark_controller_services{instance="c1",condition="AddressAssigned",status="False",reason="PoolExhausted"}`:  0,
	`daymark_controller_services{instance="c1",condition="Announced",status="False",reason="NoEndpoint"}`:           1,
	`daymark_controller_services{instance="c1",condition="Announced",status="False",reason="NoHolder"}`:             1,
	`daymark_controller_services{instance="c1",condition="Announced",status="False",reason="NoNode"}`:               0,
	`daymark_controller_layer2_addresses{instance="c1",holders="0"}`:                                                0,
	`daymark_controller_layer2_addresses{instance="c1",holders="1"}`:                                                3,
	`daymark_controller_layer2_addresses{instance="c1",holders="2+"}`:                                               0,
	`daymark_controller_layer2_addresses{instance="c1",holders="unknown"}`:                                          1,
	`daymark_pool_addresses{instance="c1",pool="blue",family="IPv4",state="available"}`:                             5,
	`daymark_pool_addresses{instance="c1",pool="blue",family="IPv4",state="assigned"}`:                              11,
	`daymark_pool_addresses{instance="c1",pool="one",family="IPv4",state="available"}`:                              0,
	`daymark_pool_addresses{instance="c1",pool="one",family="IPv4",state="assigned"}`:                               1,
	`daymark_pool_services_waiting{instance="c1",pool="blue",family="IPv4"}`:                                        0,
	`daymark_pool_services_waiting{instance="c1",pool="one",family="IPv4"}`:                                         0,
	`daymark_pool_services_waiting{instance="c1",pool="two",family="IPv4"}`:                                         0,
	`daymark_pool_addresses{instance="c1",pool="two",family="IPv4",state="available"}`:                              0,
	`daymark_pool_addresses{instance="c1",pool="two",family="IPv4",state="assigned"}`:                               1,

	on("n1", "gossip_members_alive"):                                                 3,
	on("n2", "gossip_members_alive"):                                                 3,
	on("n3", "gossip_members_alive"):                                                 3,
	on("n1", "gossip_members_expected"):                                              3,
	on("n1", "layer2_cut_segments"):                                                  0,
	on("n1", "layer2_conflicts", `family="IPv4"`):                                    0,
	on("n1", "bgp_session_up", `session="a"`, `peer="tor"`):                          1,
	on("n1", "bgp_session_up", `session="b"`, `peer="tor"`):                          1,
	on("n2", "bgp_session_up", `session="a"`, `peer="tor"`):                          1,
	on("n1", "bgp_session_flaps_total", `session="a"`, `peer="tor"`):                 1,
	on("n1", "bgp_prefixes_announced", `session="a"`, `peer="tor"`, `family="IPv4"`): 4,
	on("n1", "bgp_prefixes_desired", `session="a"`, `peer="tor"`, `family="IPv4"`):   4,
	on("n1", "bfd_session_up", `session="a"`):                                        1,
	on("n1", "service_proxy_working"):                                                1,
	on("n1", "speaker_failing"):                                                      0,
	`daymark_api_unreachable_seconds{instance="c1"}`:                                 0,
	`daymark_api_unreachable_seconds{instance="c2"}`:                                 0,
	on("n1", "api_unreachable_seconds"):                                              0,
	on("n1", "layer2_failover_duration_seconds_count"):                               3,
	on("n1", "layer2_failover_duration_seconds_bucket", `le="5"`):                    3,
	on("n2", "layer2_failover_duration_seconds_count"):                               3,
	on("n2", "layer2_failover_duration_seconds_bucket", `le="5.0"`):                  3, // as Prometheus 3 has it
	on("n3", "layer2_failover_duration_seconds_count"):                               3, // as it is after an upgrade to it
	on("n3", "layer2_failover_duration_seconds_bucket", `le="5"`):                    3,
	on("n3", "layer2_failover_duration_seconds_bucket", `le="5.0"`):                  0,
}

// on is a series of a node.
func on(node, name string, labels ...string) string {
	return fmt.Sprintf("daymark_%s{%s}", name, strings.Join(append(labels, `node="`+node+`"`, `instance="`+node+`"`), ","))
}

// fault is what changes, and what is to fire.
type fault struct {
	alert string
	// when tells several faults of one alert apart.
	when string
	is   map[string]float64
	// resolves is how long after the fault the alert resolves, for those that look back.
	resolves time.Duration
	// counts: the series are counters, which stay.
	counts bool
	// times is how many alerts of the name there are, one if 0.
	times float64
	// others fire as well, so often each, by what they are for themselves.
	others map[string]float64
}

var faults = []fault{
	{alert: "ControllerGone", is: map[string]float64{`daymark_controller_leader{instance="c1"}`: 0}},
	{alert: "ControllerGone", when: "while a node is cut off", others: map[string]float64{"APIUnreachable": 1}, is: map[string]float64{
		`daymark_controller_leader{instance="c1"}`: 0, on("n1", "api_unreachable_seconds"): 31,
	}},
	{alert: "ControllerGone", when: "since the controllers are cut off", others: map[string]float64{"APIUnreachable": 2}, is: map[string]float64{
		`daymark_controller_leader{instance="c1"}`:       0,
		`daymark_api_unreachable_seconds{instance="c1"}`: 31, `daymark_api_unreachable_seconds{instance="c2"}`: 31,
	}},
	{alert: "SpeakersGone", is: map[string]float64{`daymark_controller_speakers_gone{instance="c1"}`: 1}},
	{alert: "ServicesWaiting", is: map[string]float64{
		`daymark_controller_services{instance="c1",condition="AddressAssigned",status="False",reason="NoPool"}`: 2,
	}},
	{alert: "PoolExhausted", is: map[string]float64{
		`daymark_controller_services{instance="c1",condition="AddressAssigned",status="False",reason="PoolExhausted"}`: 1,
		`daymark_pool_services_waiting{instance="c1",pool="two",family="IPv4"}`:                                        1,
	}},
	{alert: "PoolFillsUp", resolves: 7 * time.Hour, is: map[string]float64{
		`daymark_pool_addresses{instance="c1",pool="blue",family="IPv4",state="available"}`: 2,
		`daymark_pool_addresses{instance="c1",pool="blue",family="IPv4",state="assigned"}`:  14,
	}},
	{alert: "ServicesNotAnnounced", is: map[string]float64{
		`daymark_controller_services{instance="c1",condition="Announced",status="False",reason="NoNode"}`: 1,
	}},
	{alert: "AddressUnheld", is: map[string]float64{`daymark_controller_layer2_addresses{instance="c1",holders="0"}`: 1}},
	{alert: "AddressHeldTwice", is: map[string]float64{`daymark_controller_layer2_addresses{instance="c1",holders="2+"}`: 1}},
	{alert: "AddressConflict", is: map[string]float64{on("n1", "layer2_conflicts", `family="IPv4"`): 1}},
	{alert: "MembershipSplit", is: map[string]float64{on("n1", "gossip_members_alive"): 1, on("n2", "gossip_members_alive"): 2, on("n3", "gossip_members_alive"): 2}},
	{alert: "SegmentCut", is: map[string]float64{on("n1", "layer2_cut_segments"): 1}},
	{alert: "BGPSessionDown", is: map[string]float64{on("n1", "bgp_session_up", `session="b"`, `peer="tor"`): 0}},
	{alert: "BGPNodeWithoutSession", times: 2, is: map[string]float64{
		on("n1", "bgp_session_up", `session="a"`, `peer="tor"`): 0, on("n1", "bgp_session_up", `session="b"`, `peer="tor"`): 0,
		on("n2", "bgp_session_up", `session="a"`, `peer="tor"`): 0, on("n1", "bfd_session_up", `session="a"`): 0,
		on("n1", "bgp_prefixes_announced", `session="a"`, `peer="tor"`, `family="IPv4"`): 0,
	}},
	{alert: "BGPSessionFlaps", counts: true, is: map[string]float64{on("n1", "bgp_session_flaps_total", `session="a"`, `peer="tor"`): 9}, resolves: time.Hour},
	{alert: "BGPRoutesMissing", is: map[string]float64{on("n1", "bgp_prefixes_announced", `session="a"`, `peer="tor"`, `family="IPv4"`): 3}},
	{alert: "BFDSessionDown", is: map[string]float64{on("n1", "bfd_session_up", `session="a"`): 0}},
	{alert: "ServiceProxyDown", is: map[string]float64{on("n1", "service_proxy_working"): 0}},
	{alert: "SpeakerFailing", is: map[string]float64{on("n1", "speaker_failing"): 1}},
	{alert: "APIUnreachable", is: map[string]float64{on("n1", "api_unreachable_seconds"): 31}},
	{alert: "APIUnreachable", when: "by anybody", times: 3, is: map[string]float64{
		`daymark_controller_leader{instance="c1"}`: 0, `daymark_api_unreachable_seconds{instance="c1"}`: 31,
		`daymark_api_unreachable_seconds{instance="c2"}`: 31, on("n1", "api_unreachable_seconds"): 31,
	}},
	{alert: "FailOverSlow", counts: true, is: map[string]float64{on("n1", "layer2_failover_duration_seconds_count"): 5}, resolves: 10 * time.Minute},
	{alert: "FailOverSlow", when: "by Prometheus 3", counts: true, resolves: 10 * time.Minute, is: map[string]float64{
		on("n2", "layer2_failover_duration_seconds_count"): 5,
	}},
	{alert: "FailOverSlow", when: "after an upgrade to Prometheus 3", counts: true, resolves: 10 * time.Minute, is: map[string]float64{
		on("n3", "layer2_failover_duration_seconds_count"): 5,
	}},
}

// Times of the tests of rules: the fault begins after begin, and lasts for longer than the rule waits.
const (
	interval = 15 * time.Second
	begin    = 10 * time.Minute
	longer   = 5 * time.Minute
)

// promtool says that each alert fires by its fault alone and no other does, when the rule says and not sooner, and resolves.
func TestAlerts_FireByTheirFaultAloneAndResolve(t *testing.T) {
	netnstest.NeedProgram(t, "promtool")
	tested := map[string]bool{}
	for _, f := range faults {
		tested["Daymark"+f.alert] = true
	}
	folder := t.TempDir()
	for _, r := range rules(t) {
		if !tested[r.Alert] {
			t.Errorf("no fault makes %s fire", r.Alert)
		}
	}
	for _, f := range faults {
		t.Run(strings.TrimSpace(f.alert+" "+f.when), func(t *testing.T) {
			file := filepath.Join(folder, f.alert+f.when+".yaml")
			text, err := yaml.Marshal(f.test(t))
			if err == nil {
				err = os.WriteFile(file, text, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			if output, err := exec.CommandContext(t.Context(), "promtool", "test", "rules", file).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, output)
			}
		})
	}
}

// test is a file for promtool.
func (f *fault) test(t *testing.T) map[string]any {
	rulesFile, err := filepath.Abs(root + "/config/chart/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	waits := waits(t, f.alert)
	lasts := waits + longer
	var series []map[string]any
	for _, name := range slices.Sorted(maps.Keys(healthy)) {
		well, ill := healthy[name], healthy[name]
		if value, changes := f.is[name]; changes {
			ill = value
		}
		after := well
		if f.counts {
			after = ill
		}
		series = append(series, map[string]any{"series": name, "values": strings.Join([]string{
			samples(well, begin), samples(ill, lasts), samples(after, f.resolves+time.Hour),
		}, " ")})
	}
	for name := range f.is {
		if _, known := healthy[name]; !known {
			t.Errorf("%s is not among what is healthy", name)
		}
	}
	var checks []map[string]any
	check := func(at time.Duration, want []map[string]any) {
		checks = append(checks, map[string]any{
			"expr": `count by (alertname) (ALERTS{alertstate="firing"})`, "eval_time": at.String(), "exp_samples": want,
		})
	}
	check(begin-interval, nil)
	if waits > 0 {
		check(begin+waits-interval, f.firing(t, waits-interval))
	}
	check(begin+waits+2*interval, f.firing(t, waits))
	check(begin+lasts+f.resolves+2*interval, nil)
	return map[string]any{
		"rule_files": []string{rulesFile}, "evaluation_interval": interval.String(),
		"tests": []map[string]any{{"interval": interval.String(), "input_series": series, "promql_expr_test": checks}},
	}
}

// firing is what fires when the fault has lasted for some time, as promtool wants it.
func (f *fault) firing(t *testing.T, lasted time.Duration) (all []map[string]any) {
	fire := map[string]float64{f.alert: cmp.Or(f.times, 1)}
	maps.Copy(fire, f.others)
	for _, alert := range slices.Sorted(maps.Keys(fire)) {
		if waits(t, alert) <= lasted {
			all = append(all, map[string]any{"labels": fmt.Sprintf(`{alertname="Daymark%s"}`, alert), "value": fire[alert]})
		}
	}
	return all
}

// waits is how long the rule of an alert waits before it fires.
func waits(t *testing.T, alert string) time.Duration {
	t.Helper()
	for _, r := range rules(t) {
		if r.Alert == "Daymark"+alert && r.For != "" {
			waits, err := time.ParseDuration(r.For)
			if err != nil {
				t.Fatal(err)
			}
			return waits
		}
	}
	return 0
}

// samples of one value for a time.
func samples(value float64, lasts time.Duration) string {
	return fmt.Sprintf("%v+0x%d", value, lasts/interval-1)
}
