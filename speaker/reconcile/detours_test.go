package reconcile

import (
	"net/netip"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/internal/core/announce"
)

func TestDetourCondition(t *testing.T) {
	detour := func(subnet string) []announce.Detour {
		return []announce.Detour{{Subnet: netip.MustParsePrefix(subnet), Answers: "eth1", Leaves: "eth0"}}
	}
	for _, test := range []struct {
		name    string
		detours []announce.Detour
		strict  bool
		status  metav1.ConditionStatus
		reason  string
	}{
		{"none", nil, true, metav1.ConditionFalse, "SameInterface"},
		{"the kernel lets it through", detour("192.0.2.0/24"), false, metav1.ConditionTrue, "OtherInterface"},
		{"the kernel drops it", detour("192.0.2.0/24"), true, metav1.ConditionTrue, "ReversePathFilter"},
		{"IPv6 has no such filter", detour("2001:db8::/64"), true, metav1.ConditionTrue, "OtherInterface"},
	} {
		got := detourCondition(test.detours, func(name string) bool { return test.strict && name == "eth1" })
		if got.Status != test.status || got.Reason != test.reason || len(test.detours) > 0 && !strings.Contains(got.Message, "answered on eth1, and the route to it leaves by eth0") {
			t.Errorf("%s: %+v", test.name, got)
		}
	}
}
