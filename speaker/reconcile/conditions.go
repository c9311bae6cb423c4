package reconcile

import (
	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/reason"
)

// Reasons of the conditions of a Speaker object.
var (
	// Its meaning is the message of the condition, too.
	reasonReady  = reason.Reason{Name: "Ready", Meaning: "all of what this node should announce is announced"}
	reasonFailed = reason.Reason{
		Name: "Failed", Meaning: "Something that this node should announce is not announced, or cannot be looked at; the message lists what.",
		Remedy: "Do what the message says. The speaker tries again by itself.",
	}
	reasonKnown   = reason.Reason{Name: "Known", Meaning: "The other speakers have been met, or there are none."}
	reasonUnknown = reason.Reason{
		Name: "Unknown", Meaning: "Speakers that should be there have not been met, so this one holds nothing by layer 2; the message says which, and why.",
		Remedy: "Look whether the speakers reach each other at the gossip addresses of their Speaker objects, by UDP and TCP.",
	}
)

// Conditions of a Speaker object that its speaker writes.
func Conditions() []reason.Condition {
	const kind = "Speaker"
	return []reason.Condition{
		{
			Kind: kind, Type: v1beta1.ConditionReady, Meaning: "The node announces all that it should.",
			Reasons: []reason.Reason{reasonReady, reasonFailed},
		},
		{
			Kind: kind, Type: v1beta1.ConditionMembershipKnown, Meaning: "The speaker knows which other speakers are alive.",
			Reasons: []reason.Reason{reasonKnown, reasonUnknown},
		},
	}
}
