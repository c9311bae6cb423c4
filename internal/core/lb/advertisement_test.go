package lb

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// bgpAdvertisement asks for communities in generation 5; accepted is what the controller wrote in generation 3, nil for nothing.
func bgpAdvertisement(accepted []string, communities ...string) *BGPAdvertisement {
	a := &v1beta1.BGPAdvertisement{ObjectMeta: metav1.ObjectMeta{Name: "a", Generation: 5}}
	a.Spec.Communities = communities
	if accepted != nil {
		a.Status.Accepted = &v1beta1.AcceptedBGPAdvertisement{Generation: 3, Spec: v1beta1.BGPAdvertisementSpec{Communities: accepted}}
	}
	return ParseBGPAdvertisement(a)
}

func TestBGPAdvertisement_Resolve(t *testing.T) {
	aliases, _ := NewAliases([]*v1beta1.Community{communityObject("a", 1, "blue", "64512:1")})
	before := bgpAdvertisement(nil, "no-export", "blue", "64512:1")
	if _, err := before.Check(); err == nil {
		t.Error("it counts before its communities have been looked up")
	}
	resolved := before.Resolve(aliases)
	if got := strings.Join(Strings(resolved.Communities), " "); got != "64512:1 65535:65281" || resolved.Unresolved != nil {
		t.Errorf("resolved to %s, and not: %v", got, resolved.Unresolved)
	}
	if again := resolved.Resolve(nil); again.Unresolved != nil || len(again.Communities) != 2 {
		t.Error("what was resolved depends on names that went away")
	}
	if got := before.Resolve(nil); got.Unresolved == nil || !strings.Contains(got.Unresolved.Error(), "blue") {
		t.Errorf("without the name, unresolved is %v", got.Unresolved)
	}
}

func TestBGPAdvertisement_UnknownWeightIsNotUnderstood(t *testing.T) {
	advertisement := &v1beta1.BGPAdvertisement{Spec: v1beta1.BGPAdvertisementSpec{WeightBy: "Moon"}}
	advertisement.Status.Accepted = &v1beta1.AcceptedBGPAdvertisement{Spec: v1beta1.BGPAdvertisementSpec{WeightBy: v1beta1.WeightByEndpoints}}
	a := ParseBGPAdvertisement(advertisement)
	if a.Err == nil || !strings.Contains(a.Err.Error(), `weightBy: "Moon" is none of [Endpoints NodeAnnotation]`) {
		t.Errorf("its error is %v", a.Err)
	}
	if got := InForce(a, nil).WeightBy; got != v1beta1.WeightByEndpoints {
		t.Errorf("what counts is weighed by %q, want what was understood before", got)
	}
}

func TestL2Advertisement_UnknownWordsAreNotUnderstood(t *testing.T) {
	advertisement := &v1beta1.L2Advertisement{Spec: v1beta1.L2AdvertisementSpec{NodePreference: "Moon", ConflictDetection: "Sun", Sharing: "Star"}}
	advertisement.Status.Accepted = &v1beta1.AcceptedL2Advertisement{
		Spec: v1beta1.L2AdvertisementSpec{NodePreference: v1beta1.PreferNone, ConflictDetection: v1beta1.ConflictOff, Sharing: v1beta1.SharingPerClient},
	}
	a := ParseL2Advertisement(advertisement)
	for _, want := range []string{`nodePreference: "Moon" is none of [Endpoints None]`, `conflictDetection: "Sun" is none of [Probe Warn Off]`, `sharing: "Star" is none of [None PerClient]`} {
		if a.Err == nil || !strings.Contains(a.Err.Error(), want) {
			t.Errorf("its error is %v, want %s in it", a.Err, want)
		}
	}
	if got := InForce(a, nil); got.Preference != v1beta1.PreferNone || got.Detection != v1beta1.ConflictOff || !got.Shared {
		t.Errorf("what counts is %q and %q, want what was understood before", got.Preference, got.Detection)
	}
}

func TestInForce(t *testing.T) {
	good := func(generation int64) *BGPAdvertisement {
		return &BGPAdvertisement{Advertisement: Advertisement{Name: "a", Generation: generation}}
	}
	ofSpec, bad := bgpAdvertisement([]string{"64512:7"}, "64512:9").Resolve(nil), bgpAdvertisement([]string{"64512:7"}, "red").Resolve(nil)
	never := bgpAdvertisement(nil, "red").Resolve(nil)
	later := bgpAdvertisement([]string{"of-a-later-version"}, "red").Resolve(nil)
	older, asNew := good(2), good(3)
	for _, test := range []struct {
		name                string
		value, before, want *BGPAdvertisement
	}{
		{"what is understood counts", ofSpec, older, ofSpec},
		{"what was accepted counts instead", bad, nil, bad.Accepted},
		{"what this process knows is older", bad, older, bad.Accepted},
		{"what this process knows is as new", bad, asNew, asNew},
		{"nothing was accepted, and this process knows", never, older, older},
		{"nothing was accepted or known", never, nil, never},
		{"what was accepted is not understood either", later, nil, later},
	} {
		if got := InForce(test.value, test.before); got != test.want {
			t.Errorf("%s: got %+v", test.name, got)
		}
	}
}

func TestAdvertisements_ConnectionDraining(t *testing.T) {
	for given, wrong := range map[time.Duration]bool{0: false, 10 * time.Minute: false, 24 * time.Hour: false, -1: true, 24*time.Hour + 1: true} {
		l2 := ParseL2Advertisement(&v1beta1.L2Advertisement{Spec: v1beta1.L2AdvertisementSpec{ConnectionDraining: metav1.Duration{Duration: given}}})
		bgp := ParseBGPAdvertisement(&v1beta1.BGPAdvertisement{Spec: v1beta1.BGPAdvertisementSpec{ConnectionDraining: metav1.Duration{Duration: given}}})
		for _, a := range []*Advertisement{&l2.Advertisement, &bgp.Advertisement} {
			says := a.Err != nil && strings.Contains(a.Err.Error(), "connectionDraining: "+given.String()+" is not between 0s and 24h")
			if says != wrong || !wrong && a.ConnectionDraining != given || wrong && a.ConnectionDraining != 0 {
				t.Errorf("%s: %s, %v", given, a.ConnectionDraining, a.Err)
			}
		}
	}
}
