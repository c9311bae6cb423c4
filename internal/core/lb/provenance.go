package lb

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// Provenance says which addresses in a Service's status were given by Daymark, and from which pools. The controller writes
// it as a condition, since a tenant who may write Services may not write their status. The zero value says nothing.
type Provenance struct {
	// Class of Services that the installation serves that wrote it; empty when nobody has.
	Class string
	// Allocations in the order of the addresses in the status.
	Allocations []Allocation
	// Finalizer: Daymark gave the Service the finalizer v1beta1.FinalizerCleanup, or took it over.
	Finalizer bool
	// Withdrawing: Daymark serves the Service no more, and no speaker is to announce the addresses.
	Withdrawing bool
	// MissingSince is when the last of the pools that do not exist was first seen not to; zero when all pools exist.
	MissingSince time.Time
}

// Allocation is an address and the name of the pool that gave it.
type Allocation struct {
	Addr netip.Addr
	Pool string
	// Joined: another Service had the address first, and this one joined it.
	Joined bool
	// Missing: the pool did not exist any more when this was written.
	Missing bool
}

// Bounds of a provenance, which fit into the message of a condition. Addresses beyond them have none.
const (
	maxAllocations     = 16
	maxProvenanceBytes = 4000
)

const (
	classPrefix   = "class="
	finalizerItem = "finalizer"
	// No pool has a name with a comma. Where both are there the second comes last.
	joinedSuffix, missingSuffix = ",joined", ",missing"
)

// PoolOf returns the pool that gave an address; empty when Daymark did not give it.
func (p *Provenance) PoolOf(addr netip.Addr) string {
	for i := range p.Allocations {
		if p.Allocations[i].Addr == addr {
			return p.Allocations[i].Pool
		}
	}
	return ""
}

// Joined reports whether another Service had an address first.
func (p *Provenance) Joined(addr netip.Addr) bool {
	return slices.ContainsFunc(p.Allocations, func(a Allocation) bool { return a.Addr == addr && a.Joined })
}

// Missing reports whether the pool that gave an address did not exist any more when the provenance was written.
func (p *Provenance) Missing(addr netip.Addr) bool {
	return slices.ContainsFunc(p.Allocations, func(a Allocation) bool { return a.Addr == addr && a.Missing })
}

// Message is the provenance as the message of its condition: the class, whether the finalizer is Daymark's, then each address
// with its pool.
func (p *Provenance) Message() string {
	var b strings.Builder
	b.WriteString(classPrefix + p.Class)
	if p.Finalizer {
		b.WriteString(" " + finalizerItem)
	}
	for i, a := range p.Allocations {
		next := " " + a.Addr.String() + "=" + a.Pool
		if a.Joined {
			next += joinedSuffix
		}
		if a.Missing {
			next += missingSuffix
		}
		if i == maxAllocations || b.Len()+len(next) > maxProvenanceBytes {
			break
		}
		b.WriteString(next)
	}
	return b.String()
}

// conditionOf returns the condition of a type; nil when there is none.
func conditionOf(conditions []metav1.Condition, kind string) *metav1.Condition {
	for i := range conditions {
		if conditions[i].Type == kind {
			return &conditions[i]
		}
	}
	return nil
}

// ParseProvenance reads the condition Provenance among others. What cannot be read of it says nothing.
func ParseProvenance(conditions []metav1.Condition) Provenance {
	c := conditionOf(conditions, v1beta1.ConditionProvenance)
	if c == nil || len(c.Message) > maxProvenanceBytes {
		return Provenance{}
	}
	class, rest, _ := strings.Cut(c.Message, " ")
	class, ok := strings.CutPrefix(class, classPrefix)
	if !ok {
		return Provenance{}
	}
	p := Provenance{Class: class, Withdrawing: c.Reason == v1beta1.ReasonWithdrawing}
	if c.Reason == v1beta1.ReasonPoolMissing {
		p.MissingSince = c.LastTransitionTime.Time
	}
	for item := range strings.SplitSeq(rest, " ") {
		p.Finalizer = p.Finalizer || item == finalizerItem
		text, pool, _ := strings.Cut(item, "=")
		addr, err := ParseAddr(text)
		if err != nil || pool == "" {
			continue
		}
		if len(p.Allocations) == maxAllocations {
			break
		}
		pool, missing := strings.CutSuffix(pool, missingSuffix)
		pool, joined := strings.CutSuffix(pool, joinedSuffix)
		p.Allocations = append(p.Allocations, Allocation{addr, pool, joined, missing})
	}
	return p
}
