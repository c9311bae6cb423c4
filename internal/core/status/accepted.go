package status

import (
	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// What was understood of an object is written into its status, so that it goes on when the object becomes nonsense, or an object that
// it refers to is deleted, whichever program starts again meanwhile. An object that is not understood keeps what is there.

// AcceptL2Advertisement writes an L2Advertisement into its own status if all of it is understood, and reports whether it is.
func AcceptL2Advertisement(o *v1beta1.L2Advertisement, a *lb.L2Advertisement) bool {
	if a.Err == nil {
		o.Status.Accepted = &v1beta1.AcceptedL2Advertisement{Generation: o.Generation, Spec: *o.Spec.DeepCopy()}
	}
	return a.Err == nil
}

// AcceptBGPAdvertisement is AcceptL2Advertisement for a BGPAdvertisement. Its communities become numbers.
func (r *References) AcceptBGPAdvertisement(o *v1beta1.BGPAdvertisement, a *lb.BGPAdvertisement) bool {
	resolved := a.Resolve(r.aliases)
	if _, err := resolved.Check(); err != nil {
		return false
	}
	o.Status.Accepted = &v1beta1.AcceptedBGPAdvertisement{Generation: o.Generation, Spec: *o.Spec.DeepCopy()}
	o.Status.Accepted.Spec.Communities = lb.Strings(resolved.Communities)
	return true
}

// AcceptPeer is AcceptL2Advertisement for a BGPPeer, given the profile that it names; nil: that does not exist. A password that cannot be
// used is not accepted: what was there before goes on.
func (r *References) AcceptPeer(o *v1beta1.BGPPeer, p *lb.Peer, profile *v1beta1.BFDProfileSpec) bool {
	if p.Err != nil {
		return false
	}
	spec := *o.Spec.DeepCopy()
	if ready, _ := r.password(p.Password); !ready.True && o.Status.Accepted != nil {
		spec.PasswordSecret = o.Status.Accepted.Spec.PasswordSecret
	}
	if before := o.Status.Accepted; profile == nil && before != nil && p.BFDProfile != "" {
		profile = before.BFDProfile
	}
	o.Status.Accepted = &v1beta1.AcceptedBGPPeer{Generation: o.Generation, Spec: spec, BFDProfile: profile.DeepCopy()}
	return true
}
