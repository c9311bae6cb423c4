// Package status decides what the status of each object says: its conditions with their reasons, and its counts. Its one job is
// to turn the plans of internal/core/ipam and internal/core/announce, and what objects refer to, into values to write. It
// refuses to write them and to know what is written already, except to say whether that differs.
package status

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/reason"
)

// Condition is what a condition says, without the times and the generation that it gets when it is written.
type Condition struct {
	Type string
	// True is the condition's status, if it is not Unknown.
	True, Unknown bool
	Reason        reason.Reason
	Message       string
}

// maxMessage is how long the message of a condition may be, in bytes. The API server allows more.
const maxMessage = 4096

func (c Condition) status() metav1.ConditionStatus {
	switch {
	case c.Unknown:
		return metav1.ConditionUnknown
	case c.True:
		return metav1.ConditionTrue
	}
	return metav1.ConditionFalse
}

// At is the condition as an object carries it from now on.
func (c Condition) At(now time.Time) metav1.Condition {
	return metav1.Condition{
		Type: c.Type, Status: c.status(), Reason: c.Reason.Name, Message: lb.Truncate(c.Message, maxMessage), LastTransitionTime: metav1.NewTime(now),
	}
}

// Set puts a condition into the list of an object of a generation. The time of the last transition changes with the status.
func (c Condition) Set(conditions *[]metav1.Condition, generation int64, now time.Time) {
	set := c.At(now)
	set.ObservedGeneration = generation
	meta.SetStatusCondition(conditions, set)
}

// Write puts the conditions of an object of a generation into a list. Ready goes with Stalled while only an edit of the object helps, so
// that programs which wait for it give up at once; else there is no Stalled.
func Write(conditions *[]metav1.Condition, generation int64, now time.Time, ready Condition, others ...Condition) {
	for _, c := range append([]Condition{ready}, others...) {
		c.Set(conditions, generation, now)
	}
	if stalled := ready.stalled(); stalled != nil {
		stalled.Set(conditions, generation, now)
	} else {
		meta.RemoveStatusCondition(conditions, v1beta1.ConditionStalled)
	}
}

// stalled is the condition that goes with Ready; nil for none.
func (c Condition) stalled() *Condition {
	if c.Reason != Invalid {
		return nil
	}
	return &Condition{Type: v1beta1.ConditionStalled, True: true, Reason: Invalid, Message: c.Message}
}

// inStalled reports whether a list has the right Stalled for a Ready.
func (c Condition) inStalled(conditions []metav1.Condition) bool {
	stalled := c.stalled()
	return stalled == nil && meta.FindStatusCondition(conditions, v1beta1.ConditionStalled) == nil || stalled != nil && stalled.In(conditions, true)
}

// In reports whether a list has the condition, with or without the same message.
func (c Condition) In(conditions []metav1.Condition, sameMessage bool) bool {
	has := meta.FindStatusCondition(conditions, c.Type)
	return has != nil && has.Status == c.status() && has.Reason == c.Reason.Name &&
		(!sameMessage || has.Message == lb.Truncate(c.Message, maxMessage))
}

// firstProblem returns the first of several conditions that is not True, or the last.
func firstProblem(conditions ...Condition) Condition {
	for _, c := range conditions {
		if !c.True {
			return c
		}
	}
	return conditions[len(conditions)-1]
}

// maxListed is how many of many things a message names.
const maxListed = 10

// list joins the texts of n things, at most maxListed of them.
func list(n int, text func(i int) string, separator string) string {
	var texts []string
	for i := range min(n, maxListed) {
		texts = append(texts, text(i))
	}
	if n > maxListed {
		texts = append(texts, fmt.Sprintf("and %d more", n-maxListed))
	}
	return strings.Join(texts, separator)
}
