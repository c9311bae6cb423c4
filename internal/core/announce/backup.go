package announce

import (
	"cmp"
	"math"
)

const (
	// backupSteps is how many ranks differ in the length of the AS path and in LOCAL_PREF. Those behind differ in MED alone, which
	// routers compare among nodes of one AS.
	backupSteps = 3
	// DefaultLocalPref is sent to internal peers when no LOCAL_PREF is configured.
	DefaultLocalPref = 100
)

// backup returns the attributes of a path that is worse than this one by a rank; the same for rank 0. LOCAL_PREF ends at 0, and from
// there on MED decides.
func (a *Attributes) backup(rank int) *Attributes {
	if rank == 0 {
		return a
	}
	worse, step := *a, min(rank, backupSteps)
	preference := valueOr(a.LocalPref, DefaultLocalPref)
	preference -= min(preference, uint32(step)) //nolint:gosec // at most backupSteps
	med := valueOr(a.MED, 0)
	med += min(math.MaxUint32-med, uint32(rank)) //nolint:gosec // fewer than there are nodes
	worse.Prepend, worse.LocalPref, worse.MED = a.Prepend+step, &preference, &med
	return &worse
}

func valueOr(given *uint32, absent uint32) uint32 {
	if given == nil {
		return absent
	}
	return *given
}

// comparePreference orders attributes as routers do, the better ones first.
func (a *Attributes) comparePreference(b *Attributes) int {
	return cmp.Or(
		cmp.Compare(valueOr(b.LocalPref, DefaultLocalPref), valueOr(a.LocalPref, DefaultLocalPref)),
		cmp.Compare(a.Prepend, b.Prepend),
		cmp.Compare(valueOr(a.MED, 0), valueOr(b.MED, 0)),
	)
}
