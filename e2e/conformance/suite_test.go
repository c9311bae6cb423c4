package main

import (
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/e2e/kubelet/suite"
)

func TestSuite_EndsBadlyByWhatWasNotExpected(t *testing.T) {
	const affinity = "should be able to switch session affinity for LoadBalancer service with Local traffic policy"
	const fromPods = "ExternalTrafficPolicy: Local should work from pods"
	for _, test := range []struct {
		name, variant string
		outcomes      map[string]string
		says          string
	}{
		{"all pass", "bgp", map[string]string{affinity: "pass", fromPods: "pass"}, ""},
		{"one fails that should not", "bgp", map[string]string{affinity: "FAIL", fromPods: "pass"}, affinity},
		{"the one that one holder cannot pass", "layer2", map[string]string{affinity: "FAIL", fromPods: "pass"}, ""},
		{"another one, by layer 2", "layer2-iptables", map[string]string{affinity: "FAIL", fromPods: "FAIL"}, fromPods},
		{"the one that IPv6 cannot pass", "bgp-ipv6", map[string]string{affinity: "pass", fromPods: "FAIL"}, ""},
		{"both, by layer 2 and IPv6", "layer2-ipv6", map[string]string{affinity: "FAIL", fromPods: "FAIL"}, ""},
		{"one is skipped", "bgp", map[string]string{affinity: "skip"}, affinity},
		{"one that is expected to fail passes by accident", "layer2", map[string]string{affinity: "pass"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			v, err := parseVariant(test.variant)
			if err != nil {
				t.Fatal(err)
			}
			var results []suite.Result
			for name, outcome := range test.outcomes {
				results = append(results, suite.Result{Test: "[sig-network] LoadBalancers [Feature:LoadBalancer] " + name, Outcome: outcome})
			}
			err = unexpected(v, results)
			if (err != nil) != (test.says != "") || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("it says %v, want %q", err, test.says)
			}
		})
	}
}
