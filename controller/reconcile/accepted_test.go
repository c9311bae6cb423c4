package reconcile

import (
	"testing"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// An edit that breaks an object comes before the write of what was accepted of it.
func TestAccepted_IsWrittenThoughTheObjectBreaksBefore(t *testing.T) {
	object := func(generation, written int64) *v1beta1.BGPAdvertisement {
		o := &v1beta1.BGPAdvertisement{}
		o.UID, o.Generation = "u", generation
		if written > 0 {
			o.Status.Accepted = &v1beta1.AcceptedBGPAdvertisement{Generation: written}
		}
		return o
	}
	for _, test := range []struct {
		name         string
		good, broken *v1beta1.BGPAdvertisement
		want         int64
	}{
		{"nothing is written yet", object(2, 2), object(3, 0), 2},
		{"an older one is written", object(2, 2), object(3, 1), 2},
		{"another controller has accepted a newer one", object(2, 2), object(5, 4), 4},
	} {
		a := newAccepted()
		a.putBGP(test.good, true)
		a.putBGP(test.broken, false)
		if got := test.broken.Status.Accepted; got == nil || got.Generation != test.want {
			t.Errorf("%s: %+v is written, want generation %d", test.name, got, test.want)
		}
	}
	a := newAccepted()
	never := object(1, 0)
	if a.putBGP(never, false); never.Status.Accepted != nil {
		t.Errorf("never understood: %+v is written", never.Status.Accepted)
	}
}
