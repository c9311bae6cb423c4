package informer

import (
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"
)

// Whatever the texts are, they come back as they were, and two identities are the same exactly if their texts are.
func TestIdentity_IsItsTexts(t *testing.T) {
	uids := rapid.OneOf(
		rapid.StringMatching(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), // what the API server makes
		rapid.StringMatching(`[0-9A-Fa-f-]{36}`), rapid.SampledFrom([]string{
			"", "1", "00000000-0000-0000-0000-000000000000", "8b0c7a52-6a86-4c1e-8c8e-0123456789ab", "8B0C7A52-6A86-4C1E-8C8E-0123456789AB",
			"8b0c7a52-6a86-4c1e-8c8e-0123456789ag", "8b0c7a5206a8604c1e08c8e00123456789ab",
		}))
	versions := rapid.SampledFrom([]string{"", "0", "1", "01", "+1", "100000001", "18446744073709551615", "18446744073709551616", "later"})
	rapid.Check(t, func(t *rapid.T) {
		uid, version := uids.Draw(t, "uid"), versions.Draw(t, "version")
		other, otherVersion := rapid.OneOf(uids, rapid.Just(uid)).Draw(t, "other uid"), versions.Draw(t, "other version")
		a, b := newIdentity(types.UID(uid), version), newIdentity(types.UID(other), otherVersion)
		if string(a.GetUID()) != uid || a.GetResourceVersion() != version {
			t.Errorf("%q %q comes back as %q %q", uid, version, a.GetUID(), a.GetResourceVersion())
		}
		if a.sameObject(b) != (uid == other) || a.same(b) != (uid == other && version == otherVersion) {
			t.Errorf("%q %q and %q %q: same object %v, same version %v", uid, version, other, otherVersion, a.sameObject(b), a.same(b))
		}
	})
}

// What the API server makes is kept short.
func TestIdentity_KeepsNoTexts(t *testing.T) {
	if i := newIdentity("8b0c7a52-6a86-4c1e-8c8e-0123456789ab", "100000001"); !i.short() {
		t.Errorf("it keeps %+v", i.ObjectMeta)
	}
}
