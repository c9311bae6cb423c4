package validate

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/status"
)

// What is overridden is in use, so that the object is Ready, and yet a fault of what somebody wrote.
func TestWrong_OverriddenIsOneThoughReadyIsTrue(t *testing.T) {
	c := metav1.Condition{Type: v1beta1.ConditionReady, Status: metav1.ConditionTrue, Reason: status.Overridden.Name}
	if !wrong(c) || severityOf(&c, &Others{}) != Warning {
		t.Errorf("wrong: %t, severity %q", wrong(c), severityOf(&c, &Others{}))
	}
	if c.Reason = status.Valid.Name; wrong(c) {
		t.Error("what is valid is wrong")
	}
}
