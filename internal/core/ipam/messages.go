package ipam

import (
	"fmt"
	"strings"
	"time"

	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/reason"
)

// Outcome is the condition AddressAssigned of a Service.
type Outcome struct {
	// Assigned: the Service has the addresses that it should have, or at least one where it only prefers more.
	Assigned bool
	// Reason is one of those in reasons.go.
	Reason reason.Reason
	// Message says to a person what is so and why.
	Message string
}

// Outcome returns the condition that an assignment leads to.
func (a *Assignment) Outcome() Outcome {
	switch {
	case a.RequestError != nil:
		return Outcome{false, ReasonRequestInvalid, a.RequestError.Error() + a.keptText()}
	case len(a.Missing) == 0 && !a.KeptUntil.IsZero():
		return Outcome{true, ReasonPoolMissing, addressesText(a.Addresses) + a.graceText()}
	case len(a.Missing) == 0:
		return Outcome{true, ReasonAssigned, addressesText(a.Addresses)}
	}
	sentences := make([]string, len(a.Missing))
	for i := range a.Missing {
		sentences[i] = a.Missing[i].String()
	}
	missing := strings.Join(sentences, "; ")
	if a.hasOneOfTwo() {
		return Outcome{true, ReasonOneFamily, addressesText(a.Addresses) + "; " + missing}
	}
	return Outcome{false, a.Missing[0].reason(), missing + a.keptText()}
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

// keptText says what a Service has while it waits for what it should have.
func (a *Assignment) keptText() string {
	text := ""
	if len(a.Addresses) > 0 {
		text = "; until then it keeps " + addressesText(a.Addresses) + a.graceText()
	}
	if len(a.Foreign) > 0 {
		text += "; until then its status keeps " + strings.Join(lb.Strings(a.Foreign), ", ") + ", which Daymark did not give"
	}
	return text
}

// graceText says how long a Service keeps an address of a pool that does not exist.
func (a *Assignment) graceText() string {
	if a.KeptUntil.IsZero() {
		return ""
	}
	return ": it is kept until " + a.KeptUntil.UTC().Format(time.RFC3339) + ", in case the pool comes back"
}

func addressesText(addresses []Address) string {
	texts := make([]string, len(addresses))
	for i, a := range addresses {
		texts[i] = a.String()
	}
	return strings.Join(texts, ", ")
}

// String says where an address comes from, and why the pool would not give it today.
func (a Address) String() string {
	return a.Addr.String() + " from pool " + a.Pool.Name + causes[a.KeptDespite].kept
}

// reason returns the reason of the condition for an address that a Service does not get.
func (m *Missing) reason() reason.Reason {
	if m.Addr.IsValid() {
		if len(m.Verdicts) == 0 {
			return ReasonNotInPool
		}
		return causes[m.Verdicts[0].Cause].requested
	}
	if len(m.Verdicts) == 0 {
		return ReasonNoPool
	}
	last := Allowed
	for _, v := range m.Verdicts {
		last = max(last, v.Cause)
	}
	return causes[last].any
}

// String says what is missing, with the verdict of every pool that was looked at.
func (m Missing) String() string {
	subject := fmt.Sprintf("no %s address", m.Family)
	if m.Addr.IsValid() {
		subject = "not " + m.Addr.String()
	}
	if len(m.Verdicts) == 0 {
		return subject + ": there is no IPAddressPool"
	}
	if m.sharedText != nil {
		return subject + ": " + *m.sharedText
	}
	return subject + ": " + verdictsText(m.Verdicts, m.Family)
}

// maxVerdictsBytes is the length from which on verdicts are left out. A condition has room for the texts of two families.
const maxVerdictsBytes = 1900

// verdictsText lists verdicts. It has no number or time that changes whenever some address is released, since the same text
// is in the conditions of all Services that wait. Those numbers are in the status of the pools.
func verdictsText(verdicts []Verdict, family lb.Family) string {
	var b strings.Builder
	for i := range verdicts {
		if b.Len() >= maxVerdictsBytes {
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
	return "pool " + v.Pool + " " + causes[v.Cause].text(v, family)
}

// exhaustedText says why a pool that serves a Service has no address for it. What the addresses are used for changes whenever
// some Service or node comes or goes; the status of the pool says it.
func (u *PoolUse) exhaustedText() string {
	if delay := u.Pool.ReuseDelay; delay > 0 {
		return "is exhausted, and lets an address that is given back rest for " + delay.String()
	}
	return "is exhausted"
}

// String says what the addresses of a pool are used for.
func (c *Count) String() string {
	parts := []string{fmt.Sprintf("%d in use", c.Assigned)}
	if c.Reserved.Sign() > 0 {
		parts = append(parts, c.Reserved.String()+" reserved")
	}
	if c.ReuseDelayed > 0 {
		from := c.ReusableFrom.UTC().Format(time.RFC3339)
		parts = append(parts, fmt.Sprintf("%d resting until %s or later", c.ReuseDelayed, from))
	}
	if c.NodeOwned > 0 {
		parts = append(parts, fmt.Sprintf("%d nodes' own", c.NodeOwned))
	}
	if c.NeverGiven > 0 {
		parts = append(parts, fmt.Sprintf("%d never given", c.NeverGiven))
	}
	if c.Unmanaged > 0 {
		parts = append(parts, fmt.Sprintf("%d in the status of Services that are not ours", c.Unmanaged))
	}
	return strings.Join(parts, ", ")
}

// String says which address is given up, and why.
func (r Release) String() string {
	text := r.Addr.String() + " is given up: "
	switch {
	case r.Foreign:
		text += "a Service of another namespace "
	case r.Holder != (lb.Key{}):
		text += r.Holder.String() + " "
	}
	return text + causes[r.Cause].released
}
