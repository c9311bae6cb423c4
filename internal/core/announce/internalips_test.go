package announce

import (
	"net/netip"
	"strings"
	"testing"
)

// A node that is off comes back with its address, or without it when it finds that another host answers.
func TestInternalIPs_AreAnnouncedByNobody(t *testing.T) {
	for _, addr := range []string{"192.0.2.200", "198.19.0.1"} {
		for _, down := range []bool{false, true} {
			w := cluster()
			s := w.add("web", addr, everyNode...)
			w.Nodes[2].Addresses, w.Nodes[2].Down = append(w.Nodes[2].Addresses, netip.MustParseAddr(addr)), down
			for _, node := range everyNode {
				if acts(w, node, addr) {
					t.Errorf("%s announces %s of n3, which is down: %t", node, addr, down)
				}
			}
			if text := ReasonNodeHasAddress.Meaning + ReasonNodeHasAddress.Remedy; strings.Count(text, "InternalIP") != 2 {
				t.Errorf("the reason is explained as %q", text)
			}
			got := NewExplainer(w).Explain(s)
			if got.Reason != ReasonNodeHasAddress.Name || !strings.Contains(got.Message, addr+" is the InternalIP of node n3; ") {
				t.Errorf("the condition says %v", got)
			}
		}
	}
}
