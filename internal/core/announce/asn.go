package announce

import (
	"cmp"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// ASN is the AS number that the router is shown.
func (s *Session) ASN() uint32 { return cmp.Or(s.LocalASN, s.MyASN) }

// ExpectedASN is the AS number that the router must have; 0 when it may have any but ours.
func (s *Session) ExpectedASN() uint32 {
	if s.Dynamic == v1beta1.ASNInternal {
		return s.ASN()
	}
	return s.PeerASN
}

// Internal reports whether the router is of our own AS (IBGP).
func (s *Session) Internal() bool { return s.ExpectedASN() == s.ASN() }
