// Package lb has the values that controller, speaker and command line share: Services, pools, advertisements, peers, nodes
// and endpoints. Its one job is to parse them once from API objects, into netip addresses and enums instead of strings. It
// refuses to decide anything: internal/core/ipam decides which address a Service gets, internal/core/announce who announces
// it. It is pure: no I/O, no clock.
//
// A parser never hides a mistake, and a mistake in one object never affects another one. The error in the parsed value has a
// text for a condition of that object.
package lb

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"
)

// Key names a namespaced object.
type Key struct{ Namespace, Name string }

// String returns namespace/name.
func (k Key) String() string { return k.Namespace + "/" + k.Name }

// Compare orders keys by namespace, then name.
func (k Key) Compare(other Key) int {
	return cmp.Or(strings.Compare(k.Namespace, other.Namespace), strings.Compare(k.Name, other.Name))
}

// Family is an address family.
type Family uint8

// The two families.
const (
	IPv4 Family = 4
	IPv6 Family = 6
)

// String returns the family's name as Kubernetes writes it.
func (f Family) String() string {
	if f == IPv6 {
		return "IPv6"
	}
	return "IPv4"
}

// FamilyOf returns the family of an address. An IPv4 address mapped into IPv6 is IPv4.
func FamilyOf(addr netip.Addr) Family {
	if addr.Unmap().Is4() {
		return IPv4
	}
	return IPv6
}

// Strings returns the texts of some values, for a list in a message.
func Strings[T fmt.Stringer](values []T) []string {
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = value.String()
	}
	return texts
}
