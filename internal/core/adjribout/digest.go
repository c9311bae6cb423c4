package adjribout

import (
	"fmt"
	"net/netip"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/rendezvous"
)

// Digest is a number of 64 bits for a set of routes: the prefixes with their path attributes and next hops, as they are sent. It is the same in
// whatever order they come, and another one with near certainty when a route is another. It protects against mistakes, and not
// against who wants two sets to have one digest. The zero value is that of no routes.
type Digest uint64

// Add a prefix that is announced as a path says, and was not before.
func (d *Digest) Add(path *Path, prefix netip.Prefix) { *d += Digest(path.hashWith(prefix)) }

// Remove a prefix that is announced so no more.
func (d *Digest) Remove(path *Path, prefix netip.Prefix) { *d -= Digest(path.hashWith(prefix)) }

func (p *Path) hashWith(prefix netip.Prefix) uint64 {
	bytes := prefix.Masked().Addr().As16()
	var encoded [18]byte
	encoded[0], encoded[1] = byte(p.Family), byte(prefix.Bits()) //nolint:gosec // At most 128.
	copy(encoded[2:], bytes[:])
	return rendezvous.Mix(p.hash ^ rendezvous.Mix(rendezvous.Hash(encoded[:])))
}

// String has 16 hexadecimal digits.
func (d Digest) String() string { return fmt.Sprintf("%016x", uint64(d)) }

// DigestOf the routes that a router is told on a session of a plan: with what was negotiated there, and its next hops.
func DigestOf(s *announce.Session, fourOctets bool, exchanged []lb.Family, next NextHops) (d Digest) {
	type key struct {
		attributes *announce.Attributes
		family     lb.Family
	}
	encoder, paths := EncoderOf(s, fourOctets), map[key]*Path{}
	for _, p := range s.Paths {
		k := key{p.Attributes, lb.FamilyOf(p.Prefix.Addr())}
		path, known := paths[k]
		if !known {
			path, _ = encoder.Path(k.attributes, k.family, exchanged, next.Of(k.family))
			paths[k] = path
		}
		if path != nil {
			d.Add(path, p.Prefix)
		}
	}
	return d
}
