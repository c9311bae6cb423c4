package announce

import (
	"slices"
	"strings"
	"testing"
)

// That other nodes have no endpoint is no news under Local, and nothing that is to be mended.
func TestExplainer_SaysWhyTheNodeWithTheEndpointDoesNotAnnounce(t *testing.T) {
	const l2, bgp = "192.0.2.200", "198.19.0.1"
	both := []string{l2, bgp}
	for _, test := range []struct {
		name   string
		addrs  []string
		change func(w *World)
		say    string
	}{
		{"its label excludes it", both, func(w *World) { w.node("n1").Excluded = true }, "it has the label node.kubernetes.io/exclude-from-external-load-balancers"},
		{"its annotation drains it", both, func(w *World) { w.node("n1").Draining = true }, `it has the annotation daymark.io/drain: "true"`},
		{"it is cordoned, and that withdraws", both, func(w *World) {
			w.node("n1").Unschedulable, w.Options.WithdrawOnCordon = true, true
		}, "it is cordoned"},
		{"its service proxy is dead", both, func(w *World) { w.ProxyUnhealthy = map[string]bool{"n1": true} }, "its service proxy (kube-proxy) does not work"},
		{"its speaker is not ready", both, func(w *World) {
			w.Members.Alive = slices.DeleteFunc(w.Members.Alive, func(name string) bool { return name == "n1" })
			delete(w.Established, "n1")
		}, "its speaker is not there"},
		{"the advertisement leaves it out", both, func(w *World) {
			w.node("n2").Labels, w.node("n3").Labels = map[string]string{"edge": "yes"}, map[string]string{"edge": "yes"}
			w.L2Advertisements[0].NodeSelectors, w.BGPAdvertisements[0].NodeSelectors = selector("edge=yes"), selector("edge=yes")
		}, "nodeSelectors do not match it"},
		{"it has no session", []string{bgp}, func(w *World) { w.Established["n1"] = map[string]bool{} }, "it has no established BGP session"},
	} {
		for _, addr := range test.addrs {
			w := cluster()
			s := w.add("web", addr, "n1")
			s.Local = true
			test.change(w)
			want := addr + ": no node announces it; of the node with a ready endpoint that is nearest to it: " + test.say
			if got := NewExplainer(w).Explain(s); got.Reason != ReasonNoNode.Name || !strings.HasPrefix(got.Message, want) {
				t.Errorf("%s, %s: explained as %+v, want %q", test.name, addr, got, want)
			}
		}
	}
}

func TestExplainer_OfNodesWithEndpointsTheNearestCounts(t *testing.T) {
	w := cluster()
	s := w.add("web", "192.0.2.200", "n1", "n2")
	s.Local = true
	w.node("n1").Draining, w.node("n2").Excluded = true, true
	if got := NewExplainer(w).Explain(s); !strings.Contains(got.Message, "with a ready endpoint that is nearest to it: it has the annotation daymark.io/drain") {
		t.Errorf("explained as %q", got.Message)
	}
}
