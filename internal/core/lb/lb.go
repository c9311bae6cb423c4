// Package lb is the vocabulary that controller, speaker and CLI share: Services, pools, advertisements, peers, nodes and
// endpoints as values that cannot be wrong, parsed once from API objects, with netip addresses and enums instead of
// strings. Its one job is that parsing. It refuses to decide anything: which address a Service gets is internal/core/ipam's
// business, who announces it internal/core/announce's. It is pure: no I/O, no clock.
//
// A parser never fails silently and never takes anything else down: what is wrong with an object comes back as an
// error in words that fits into a condition of that object.
package lb

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"
)

// Key names a namespaced object.
type Key struct{ Namespace, Name string }

// String is the key as people write it: namespace/name.
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

// String is the family's name as Kubernetes writes it.
func (f Family) String() string {
	if f == IPv6 {
		return "IPv6"
	}
	return "IPv4"
}

// FamilyOf tells the family of an address. IPv4 addresses mapped into IPv6 are IPv4.
func FamilyOf(addr netip.Addr) Family {
	if addr.Unmap().Is4() {
		return IPv4
	}
	return IPv6
}

// Strings writes values as people read them, for a list in a message.
func Strings[T fmt.Stringer](values []T) []string {
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = value.String()
	}
	return texts
}
