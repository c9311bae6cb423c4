package ipam

import (
	"slices"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/reason"
)

// TestCause_EveryCauseHasAnEntry looks at every Cause: it has a name, a text for those who read about it, and for each text
// the reasons of the condition.
func TestCause_EveryCauseHasAnEntry(t *testing.T) {
	verdict := &Verdict{Pool: "blue", Holder: "x", Use: &PoolUse{
		Pool: &lb.Pool{Name: "blue"}, IPv4: &Count{Available: lb.Size(nil), Reserved: lb.Size(nil)},
	}}
	known := Conditions()[0].Reasons
	names := map[string]bool{}
	for cause := Allowed + 1; cause < causeCount; cause++ {
		entry := causes[cause]
		if entry.name == "" || names[entry.name] || cause.String() != entry.name {
			t.Errorf("Cause %d has the name %q", cause, entry.name)
		}
		names[entry.name] = true
		if entry.text == nil && entry.released == "" && entry.kept == "" {
			t.Errorf("%s has no text", cause)
		}
		if entry.text == nil {
			continue
		}
		if entry.text(verdict, lb.IPv4) == "" {
			t.Errorf("%s has an empty text", cause)
		}
		for _, r := range []reason.Reason{entry.requested, entry.any} {
			if !slices.Contains(known, r) {
				t.Errorf("%s leads to the reason %+v, which Conditions does not list", cause, r)
			}
		}
	}
}

// TestCause_EveryCheckedPartHasChecks looks at the parts of the list that firstCause goes through.
func TestCause_EveryCheckedPartHasChecks(t *testing.T) {
	for cause := OtherPoolRequested; cause <= ReuseDelayed; cause++ {
		if causes[cause].applies == nil {
			t.Errorf("%s has no check", cause)
		}
	}
}

func TestConditions_EveryReasonHasAMeaning(t *testing.T) {
	names := map[string]bool{}
	for _, r := range Conditions()[0].Reasons {
		if r.Name == "" || r.Meaning == "" || names[r.Name] {
			t.Errorf("reason %+v", r)
		}
		names[r.Name] = true
		if r.Remedy == "" && r != ReasonAssigned {
			t.Errorf("reason %s has no remedy", r.Name)
		}
	}
}
