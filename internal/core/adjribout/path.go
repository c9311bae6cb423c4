// Package adjribout says what a router is told of the paths of a plan: which prefixes with which next hop, and the path attributes as
// bytes (RFC 4271 section 4.3). Its one job is that the speaker, which sends them, and the command line, which compares them with the
// digest of what was sent, ask the same functions. It refuses to decide what is announced (internal/core/announce does), and to make
// messages (speaker/bgp does).
package adjribout

import (
	"fmt"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/rendezvous"
)

// maxAttributesLength is how many bytes of path attributes an UPDATE message may carry; the rest is for prefixes.
const maxAttributesLength = 3800

// Encoder encodes paths for one router.
type Encoder struct {
	// Internal: the router is of our own AS.
	Internal bool
	// ASN is the AS number that we show the router.
	ASN uint32
	// FourOctets: both ends have the capability for AS numbers of four octets (RFC 6793).
	FourOctets bool
}

// EncoderOf a session, with what was negotiated on it.
func EncoderOf(s *announce.Session, fourOctets bool) *Encoder {
	return &Encoder{Internal: s.Internal(), ASN: s.ASN(), FourOctets: fourOctets}
}

// Path is how prefixes of a family with the same attributes and next hop are announced to a router.
type Path struct {
	Family  lb.Family
	NextHop NextHop
	// Attributes as they are sent, without MP_REACH_NLRI.
	Attributes []byte
	hash       uint64
}

// Path of prefixes of a family with some attributes; nil when they are not announced: the family is not exchanged, or, as problem
// says in words, it has no next hop, or the attributes are too long for a message.
func (e *Encoder) Path(from *announce.Attributes, family lb.Family, exchanged []lb.Family, next NextHop) (path *Path, problem string) {
	if !slices.Contains(exchanged, family) {
		return nil, ""
	}
	if !next.Valid() {
		return nil, noNextHop(family)
	}
	attributes := e.attributes(from, next)
	if len(attributes) > maxAttributesLength {
		return nil, fmt.Sprintf("some %s prefixes are not announced: their attributes take %d bytes, and a message has room for %d",
			family, len(attributes), maxAttributesLength)
	}
	return NewPath(family, next, attributes), ""
}

// NewPath makes a path of attributes as they are sent.
func NewPath(family lb.Family, next NextHop, attributes []byte) *Path {
	return &Path{family, next, attributes, rendezvous.Hash(append(next.Append(nil), attributes...))}
}

// Key is equal for equal paths.
func (p *Path) Key() string { return fmt.Sprintf("%d %v %x", p.Family, p.NextHop, p.Attributes) }
