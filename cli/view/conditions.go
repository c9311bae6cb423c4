package view

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/status"
)

// ConditionLine is a condition of an object, and what a person can do about it.
type ConditionLine struct {
	Type    string                 `json:"type"`
	Status  metav1.ConditionStatus `json:"status"`
	Reason  string                 `json:"reason"`
	Message string                 `json:"message,omitempty"`
	Since   metav1.Time            `json:"since"`
	// Wrong: it says that something is not as it should be.
	Wrong bool `json:"wrong,omitempty"`
	// Remedy by the reference of reasons, when it is wrong.
	Remedy string `json:"remedy,omitempty"`
}

// complaints are the conditions that say that something is wrong when they are True; all others of Daymark when they are not.
var complaints = []string{
	v1beta1.ConditionExhausted, v1beta1.ConditionOverlap, v1beta1.ConditionAnswersLeaveElsewhere, v1beta1.ConditionConnectionsBreak, v1beta1.ConditionServiceProxyUnhealthy,
}

// warnings are reasons of conditions that are True.
var warnings = []string{
	announce.ReasonAddressConflict.Name, v1beta1.ReasonPoolMissing, status.Incomplete.Name, status.NotAllSeen.Name, status.Overridden.Name, status.WiderThanPools.Name,
}

// conditionLines of an object of a kind, without those that programs alone read.
func (c *Cluster) conditionLines(kind string, conditions []metav1.Condition) (lines []ConditionLine) {
	for _, condition := range conditions {
		if condition.Type == v1beta1.ConditionStalled || condition.Type == v1beta1.ConditionProvenance ||
			kind == "Service" && !strings.HasPrefix(condition.Type, v1beta1.GroupVersion.Group+"/") {
			continue
		}
		line := ConditionLine{
			Type: condition.Type, Status: condition.Status, Reason: condition.Reason, Message: condition.Message,
			Since: condition.LastTransitionTime, Wrong: wrong(&condition),
		}
		if line.Wrong {
			line.Remedy = c.withGossipPort(remedy(kind, condition.Type, condition.Reason))
		}
		lines = append(lines, line)
	}
	return lines
}

func wrong(c *metav1.Condition) bool {
	if c.Reason == status.AdministrativelyDown.Name || c.Type == v1beta1.ConditionSafeToStop {
		return false // That is on purpose, or as it should be.
	}
	if slices.Contains(complaints, c.Type) {
		return c.Status == metav1.ConditionTrue
	}
	return c.Status != metav1.ConditionTrue || slices.Contains(warnings, c.Reason)
}

// remedy for a reason, from where the reasons are declared; empty: there is nothing to do, or the reason is another program's.
func remedy(kind, condition, name string) string {
	for _, c := range status.Conditions() {
		if c.Kind != kind || c.Type != condition {
			continue
		}
		for _, r := range c.Reasons {
			if r.Name == name {
				return r.Remedy
			}
		}
	}
	return ""
}
