package reconcile

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/status"
)

// detourCondition says where answers are given on one interface and the traffic back leaves by another one. Strict says of an
// interface whether the kernel drops what comes in there then.
func detourCondition(detours []announce.Detour, strict func(name string) bool) metav1.Condition {
	if len(detours) == 0 {
		return condition(v1beta1.ConditionAnswersLeaveElsewhere, false, status.SameInterface, "traffic leaves by the interfaces on which it is asked for")
	}
	why := status.OtherInterface
	texts := make([]string, len(detours))
	for i, d := range detours {
		texts[i] = fmt.Sprintf("addresses of %s are answered on %s, and the route to it leaves by %s", d.Subnet, d.Answers, d.Leaves)
		if d.Subnet.Addr().Is4() && strict(d.Answers) {
			why = status.ReversePathFilter
			texts[i] += fmt.Sprintf("; rp_filter is strict on %s, so the kernel drops what comes in there", d.Answers)
		}
	}
	return condition(v1beta1.ConditionAnswersLeaveElsewhere, true, why, strings.Join(texts, "; "))
}
