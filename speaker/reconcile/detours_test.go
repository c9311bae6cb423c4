package reconcile

import (
	"net/netip"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

func TestDetourCondition(t *testing.T) {
	subnet4, subnet6 := netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/64")
	by := func(family lb.Family, subnet netip.Prefix, change func(*announce.Detour)) announce.Detour {
		d := announce.Detour{Family: family, Subnet: subnet, Answers: "eth1", Leaves: "eth0"}
		change(&d)
		return d
	}
	route := func(*announce.Detour) {}
	byDefault := func(d *announce.Detour) { d.Default = true }
	others := func(d *announce.Detour) { d.Default, d.OthersOnly = true, true }
	other4, other6 := by(lb.IPv4, subnet4, route), by(lb.IPv6, subnet6, route)
	default4, beyond4 := by(lb.IPv4, subnet4, byDefault), by(lb.IPv4, subnet4, others)
	const drops = "rp_filter is strict on eth1"
	for _, test := range []struct {
		name    string
		detours []announce.Detour
		strict  bool
		status  metav1.ConditionStatus
		reason  string
		says    string
	}{
		{"none", nil, true, metav1.ConditionFalse, "SameInterface", "traffic leaves"},
		{"the kernel lets it through", []announce.Detour{other4}, false, metav1.ConditionTrue, "OtherInterface", "answered on eth1, and the route to it leaves by eth0"},
		{"the kernel drops it", []announce.Detour{other4}, true, metav1.ConditionTrue, "ReversePathFilter", drops},
		{"IPv6 has no such filter", []announce.Detour{other6}, true, metav1.ConditionTrue, "OtherInterface", "leaves by eth0"},
		{"the default route", []announce.Detour{default4}, false, metav1.ConditionTrue, "DefaultRoute", "by which there is no route to it, and the default route leaves by eth0"},
		{"the default route, and the kernel drops it", []announce.Detour{default4}, true, metav1.ConditionTrue, "ReversePathFilter", drops},
		{"another route counts more than the default route", []announce.Detour{default4, other6}, false, metav1.ConditionTrue, "OtherInterface", "2001:db8::/64"},
		{
			"addresses outside of the subnets",
			[]announce.Detour{by(lb.IPv4, netip.Prefix{}, byDefault)},
			false,
			metav1.ConditionTrue,
			"DefaultRoute",
			"IPv4 addresses outside of the subnets of eth1 are answered on it, and the default route leaves by eth0",
		},
		{"clients beyond a router are said, and no fault", []announce.Detour{beyond4}, false, metav1.ConditionFalse, "NeighborsOnly", "clients beyond a router leaves by the default route, on eth0"},
		{"as they are if the kernel drops what they send", []announce.Detour{beyond4}, true, metav1.ConditionFalse, "NeighborsOnly", drops},
		{"and beside a fault", []announce.Detour{other6, beyond4}, false, metav1.ConditionTrue, "OtherInterface", "clients beyond a router"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := detourCondition(test.detours, func(name string) bool { return test.strict && name == "eth1" })
			if got.Status != test.status || got.Reason != test.reason || !strings.Contains(got.Message, test.says) {
				t.Errorf("it is %+v", got)
			}
		})
	}
}
