package reconcile

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/status"
)

// detourCondition says where answers are given on one interface and the traffic back leaves by another one. Strict says of an
// interface whether the kernel drops what comes in there then. What concerns clients beyond a router alone is said, and no fault: there may
// be none.
func detourCondition(detours []announce.Detour, strict func(name string) bool) metav1.Condition {
	why := status.SameInterface
	var texts, others []string
	for _, d := range detours {
		text, filtered := detourText(&d, strict)
		switch {
		case d.OthersOnly:
			others = append(others, text)
			continue
		case filtered:
			why = status.ReversePathFilter
		case why == status.SameInterface && d.Default:
			why = status.DefaultRoute
		case why != status.ReversePathFilter && !d.Default:
			why = status.OtherInterface
		}
		texts = append(texts, text)
	}
	switch {
	case len(texts) > 0:
		return condition(v1beta1.ConditionAnswersLeaveElsewhere, true, why, strings.Join(append(texts, others...), "; "))
	case len(others) > 0:
		return condition(v1beta1.ConditionAnswersLeaveElsewhere, false, status.NeighborsOnly, strings.Join(others, "; "))
	default:
		return condition(v1beta1.ConditionAnswersLeaveElsewhere, false, why, "traffic leaves by the interfaces on which it is asked for")
	}
}

// detourText says one detour in words, and whether the kernel drops what comes in there.
func detourText(d *announce.Detour, strict func(name string) bool) (text string, filtered bool) {
	switch {
	case d.OthersOnly:
		text = fmt.Sprintf("addresses of %s are answered on %s, and what goes to clients beyond a router leaves by the default route, on %s", d.Subnet, d.Answers, d.Leaves)
	case d.Default && d.Subnet.IsValid():
		text = fmt.Sprintf("addresses of %s are answered on %s, by which there is no route to it, and the default route leaves by %s", d.Subnet, d.Answers, d.Leaves)
	case d.Default:
		text = fmt.Sprintf("%s addresses outside of the subnets of %s are answered on it, and the default route leaves by %s", d.Family, d.Answers, d.Leaves)
	default:
		text = fmt.Sprintf("addresses of %s are answered on %s, and the route to it leaves by %s", d.Subnet, d.Answers, d.Leaves)
	}
	if filtered = d.Family == lb.IPv4 && strict(d.Answers); filtered {
		text += fmt.Sprintf("; rp_filter is strict on %s, so the kernel drops what comes in there from them", d.Answers)
	}
	return text, filtered
}
