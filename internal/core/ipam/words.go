package ipam

import (
	"fmt"
	"strings"
	"time"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Reasons of the condition AddressAssigned, and of the Events that tell of its changes.
const (
	// ReasonAssigned: the Service has all it should have.
	ReasonAssigned = "AddressAssigned"
	// ReasonOneFamily: it prefers two families and has one.
	ReasonOneFamily = "OneFamilyAssigned"
	// ReasonRequestInvalid: what it asks for is not understood, or contradicts itself.
	ReasonRequestInvalid = "RequestInvalid"
	// ReasonPoolExhausted: a pool serves it and has no address left.
	ReasonPoolExhausted = "PoolExhausted"
	// ReasonOverQuota: a pool serves it and its namespace has as many addresses as it may.
	ReasonOverQuota = "OverQuota"
	// ReasonNoPool: no pool serves it.
	ReasonNoPool = "NoPool"
	// ReasonNotInPool: no pool contains the address it asks for.
	ReasonNotInPool = "AddressNotInPool"
	// ReasonTaken: somebody else has the address it asks for.
	ReasonTaken = "AddressTaken"
	// ReasonReserved: the address it asks for is kept for others.
	ReasonReserved = "AddressReserved"
	// ReasonReuseDelayed: the address it asks for was given back a moment ago.
	ReasonReuseDelayed = "AddressReuseDelayed"
	// ReasonPoolNotEligible: the pool that contains the address it asks for does not serve it.
	ReasonPoolNotEligible = "PoolNotEligible"
)

// Outcome is the condition of a Service in words.
type Outcome struct {
	// Assigned: it has the addresses it should have, or at least one where it only prefers more.
	Assigned bool
	// Reason in CamelCase; one of the constants above.
	Reason string
	// Message for a person to act on.
	Message string
}

// Outcome says how an assignment came out.
func (a *Assignment) Outcome() Outcome {
	switch {
	case a.Refused != nil:
		return Outcome{false, ReasonRequestInvalid, a.Refused.Error() + a.keeps()}
	case len(a.Missing) == 0:
		return Outcome{true, ReasonAssigned, listAddresses(a.Addresses)}
	}
	sentences := make([]string, len(a.Missing))
	for i := range a.Missing {
		sentences[i] = a.Missing[i].String()
	}
	missing := strings.Join(sentences, "; ")
	if a.hasOneOfTwo() {
		return Outcome{true, ReasonOneFamily, listAddresses(a.Addresses) + "; " + missing}
	}
	return Outcome{false, a.Missing[0].reason(), missing + a.keeps()}
}

// hasOneOfTwo reports whether a Service that prefers two families has one, and nothing else is wrong.
func (a *Assignment) hasOneOfTwo() bool {
	if a.Service.Policy != lb.PreferDualStack || len(a.Addresses) == 0 {
		return false
	}
	for i := range a.Missing {
		if a.Missing[i].Addr.IsValid() {
			return false
		}
	}
	for _, has := range a.Addresses {
		if !has.replaceable() {
			return true
		}
	}
	return false
}

// keeps tells what a Service has while it waits for what it should have.
func (a *Assignment) keeps() string {
	if len(a.Addresses) == 0 {
		return ""
	}
	return "; until then it keeps " + listAddresses(a.Addresses)
}

func listAddresses(addresses []Address) string {
	texts := make([]string, len(addresses))
	for i, a := range addresses {
		texts[i] = a.String()
	}
	return strings.Join(texts, ", ")
}

// String tells where an address is from, and why it stays where that is not plain.
func (a Address) String() string {
	text := a.Addr.String() + " from pool " + a.Pool.Name
	switch a.Stays {
	case Unreadable:
		return text + ", which cannot be read at the moment"
	case OtherNamespace:
		return text + ", which does not serve the namespace any more"
	case OtherService:
		return text + ", whose serviceSelectors do not match any more"
	}
	return text
}

// reason of what is missing, by the verdict that a person can do most about.
func (m *Missing) reason() string {
	if m.Addr.IsValid() {
		return requestReason(m.Verdicts)
	}
	reason := ReasonNoPool
	for _, v := range m.Verdicts {
		switch v.Why {
		case Exhausted:
			return ReasonPoolExhausted
		case OverQuota:
			reason = ReasonOverQuota
		}
	}
	return reason
}

func requestReason(verdicts []Verdict) string {
	if len(verdicts) == 0 {
		return ReasonNotInPool
	}
	switch verdicts[0].Why {
	case NotInPool, NoSuchPool:
		return ReasonNotInPool
	case Taken, Foreign, OfNode:
		return ReasonTaken
	case Reserved:
		return ReasonReserved
	case Resting:
		return ReasonReuseDelayed
	case OverQuota:
		return ReasonOverQuota
	}
	return ReasonPoolNotEligible
}

// String says what is missing and what every pool that was looked at answers.
func (m Missing) String() string {
	subject := fmt.Sprintf("no %s address", m.Family)
	if m.Addr.IsValid() {
		subject = "not " + m.Addr.String()
	}
	if len(m.Verdicts) == 0 {
		return subject + ": there is no IPAddressPool"
	}
	if m.answers != nil {
		return subject + ": " + *m.answers
	}
	return subject + ": " + answers(m.Verdicts, m.Family)
}

// enough is how many bytes of answers a person reads; a condition has room for those of two families.
const enough = 1900

// answers are verdicts in words. Numbers and times that change whenever some address is given back are left to the status
// of the pools: the same words are in the conditions of all Services that wait.
func answers(verdicts []Verdict, family lb.Family) string {
	var b strings.Builder
	for i := range verdicts {
		if b.Len() >= enough {
			fmt.Fprintf(&b, ", and %d more pools", len(verdicts)-i)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(verdicts[i].text(family))
	}
	return b.String()
}

// text is the verdict of one pool.
func (v *Verdict) text(family lb.Family) string {
	subject := "pool " + v.Pool + " "
	switch v.Why {
	case Exhausted:
		return subject + v.Use.exhausted(family)
	case OverQuota:
		return subject + fmt.Sprintf("gives a namespace %d addresses at most", v.Use.Pool.MaxPerNamespace)
	case Draining:
		return subject + "is being drained"
	case Unreadable:
		return subject + "cannot be read"
	case NotAutomatic:
		return subject + "serves only Services that ask for it"
	case OtherNamespace:
		return subject + "does not serve the namespace"
	case OtherService:
		return subject + "serves only Services with other labels"
	case OtherFamily:
		return subject + "has no " + family.String() + " addresses"
	case OtherPool:
		return subject + "has it, and the Service asks for another pool"
	case NoSuchPool:
		return subject + "does not exist"
	case NotInPool:
		return subject + "does not contain it"
	case Taken:
		return subject + "has given it to " + v.Holder
	case Foreign:
		return subject + "does not give it, it is in the status of Service " + v.Holder
	case Reserved:
		return subject + "keeps it for IPReservation " + v.Holder
	case Resting:
		return subject + "lets it rest until " + v.Until.UTC().Format(time.RFC3339)
	case OfNode:
		return subject + "never gives it, it is node " + v.Holder + "'s own"
	case Buggy:
		return subject + "leaves out addresses that end in .0 or .255"
	}
	return subject + "does not give it"
}

// exhausted says why nothing can be given of a pool though it serves the Service.
func (u *PoolUse) exhausted(family lb.Family) string {
	text, count := "is exhausted", u.Of(family)
	var causes []string
	if count.Reserved.Sign() > 0 {
		causes = append(causes, "reserved")
	}
	if count.OfNodes > 0 {
		causes = append(causes, "nodes' own")
	}
	if count.Foreign > 0 {
		causes = append(causes, "in the status of Services that are not ours")
	}
	if len(causes) > 0 {
		text += ": its free addresses are " + strings.Join(causes, " or ")
	}
	if delay := u.Pool.ReuseDelay; delay > 0 {
		text += ", and lets an address that is given back rest for " + delay.String()
	}
	return text
}

// String says what the addresses of a pool do.
func (c *Count) String() string {
	parts := []string{fmt.Sprintf("%d in use", c.Assigned)}
	if c.Reserved.Sign() > 0 {
		parts = append(parts, c.Reserved.String()+" reserved")
	}
	if c.Resting > 0 {
		parts = append(parts, fmt.Sprintf("%d resting until %s or later", c.Resting, c.Rested.UTC().Format(time.RFC3339)))
	}
	if c.OfNodes > 0 {
		parts = append(parts, fmt.Sprintf("%d nodes' own", c.OfNodes))
	}
	if c.Foreign > 0 {
		parts = append(parts, fmt.Sprintf("%d in the status of Services that are not ours", c.Foreign))
	}
	return strings.Join(parts, ", ")
}

// String says why an address is given up.
func (l Loss) String() string {
	text := l.Addr.String() + " is given up: "
	switch l.Why {
	case NotInPool:
		return text + "no pool contains it any more"
	case OtherFamily:
		return text + "the Service does not want an address of its family any more"
	case OtherNamespace, OtherService:
		return text + "the pool that contains it did not give it and does not serve the Service"
	case OtherAddress:
		return text + "the Service asks for another"
	case OtherPool:
		return text + "the Service asks for another pool"
	case Surplus:
		return text + "the Service asks for one address of its family"
	case Taken:
		return text + l.Holder.String() + " has it, and the two may not share it"
	}
	return text + "it is not valid any more"
}
