package status

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// What was understood of an object is written into its status, so that it goes on when the object becomes nonsense, or an object that
// it refers to is deleted, whichever program starts again meanwhile. An object that is not understood keeps what is there.

// AcceptL2Advertisement writes an L2Advertisement into its own status if all of it is understood, and reports whether it is. While it
// lists a name that is unknown, the list that it had before is accepted, with those of the others that exist.
func (r *References) AcceptL2Advertisement(o *v1beta1.L2Advertisement, a *lb.L2Advertisement) bool {
	if a.Err != nil {
		return false
	}
	spec := *o.Spec.DeepCopy()
	if before := o.Status.Accepted; before != nil {
		lists := lb.ParseL2Advertisement(o).Lists(r.known)
		if lists.KeptPools {
			r.keepPools(&spec.AdvertisementSelectors, &before.Spec.AdvertisementSelectors, lists.Pools)
		}
		switch {
		case !r.known.Interfaces(a.NodeSelectors): // Who knows whether the names are right? What was accepted stays until somebody does.
			spec.Interfaces = before.Spec.Interfaces
		case lists.KeptInterfaces:
			spec.Interfaces = namesToKeep(lists.Interfaces, before.Spec.Interfaces, func(glob string) bool { return r.known.Interface(glob, a.NodeSelectors) })
		}
	}
	o.Status.Accepted = &v1beta1.AcceptedL2Advertisement{Generation: o.Generation, Spec: spec}
	return true
}

// AcceptBGPAdvertisement is AcceptL2Advertisement for a BGPAdvertisement. Its communities become numbers.
func (r *References) AcceptBGPAdvertisement(o *v1beta1.BGPAdvertisement, a *lb.BGPAdvertisement) bool {
	resolved := a.Resolve(r.aliases)
	if _, err := resolved.Check(); err != nil {
		return false
	}
	spec := *o.Spec.DeepCopy()
	if before := o.Status.Accepted; before != nil {
		lists := lb.ParseBGPAdvertisement(o).Lists(r.known)
		if lists.KeptPools {
			r.keepPools(&spec.AdvertisementSelectors, &before.Spec.AdvertisementSelectors, lists.Pools)
		}
		if lists.KeptPeers {
			spec.Peers = namesToKeep(lists.Peers, before.Spec.Peers, r.known.Peer)
		}
	}
	spec.Communities = lb.Strings(resolved.Communities)
	o.Status.Accepted = &v1beta1.AcceptedBGPAdvertisement{Generation: o.Generation, Spec: spec}
	return true
}

// keepPools puts the pools that count into a specification, given those of before.
func (r *References) keepPools(spec, before *v1beta1.AdvertisementSelectors, names []string) {
	spec.IPAddressPools = namesToKeep(names, before.IPAddressPools, r.known.Pool)
	selectors := before.IPAddressPoolSelectors
	if len(names) > 0 { // else all pools count
		for _, selector := range spec.IPAddressPoolSelectors {
			if !slices.ContainsFunc(selectors, func(s v1beta1.LabelSelector) bool { return equality.Semantic.DeepEqual(s, selector) }) {
				selectors = append(slices.Clip(selectors), selector)
			}
		}
	}
	spec.IPAddressPoolSelectors = selectors[:min(len(selectors), maxKeptSelectors)]
}

// maxKeptNames and maxKeptSelectors bound what edits with ever new typing errors add up to, to what the schema lets into one list.
const (
	maxKeptNames     = 256
	maxKeptSelectors = 64
)

// namesToKeep are those names of a list that exist or stood there before.
func namesToKeep(list, before []string, exists func(string) bool) []string {
	names := lb.WithoutUnknown(list, before, exists)
	return names[:min(len(names), maxKeptNames)]
}

// AcceptPeer is AcceptL2Advertisement for a BGPPeer, given the profile that it names; nil: that does not exist. Neither is one accepted by which
// no node could have a session while another counts in its place, nor a password that cannot be used, nor that a session waits for BFD by a
// profile that never was there: what was there before goes on.
func (r *References) AcceptPeer(o *v1beta1.BGPPeer, p *lb.Peer, profile *v1beta1.BFDProfileSpec) bool {
	if now := lb.ParsePeer(o); p.Err != nil || now.Keeping(r.known) != now {
		return false
	}
	spec := *o.Spec.DeepCopy()
	if ready, _ := r.password(p.Password); !ready.True && o.Status.Accepted != nil {
		spec.PasswordSecret = o.Status.Accepted.Spec.PasswordSecret
	}
	if before := o.Status.Accepted; profile == nil && before != nil && p.BFDProfile != "" {
		profile = before.BFDProfile
		spec.BFDStrict = spec.BFDStrict && (profile != nil || before.Spec.BFDStrict)
	}
	o.Status.Accepted = &v1beta1.AcceptedBGPPeer{Generation: o.Generation, Spec: spec, BFDProfile: profile.DeepCopy()}
	return true
}
