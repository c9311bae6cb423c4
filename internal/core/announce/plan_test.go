package announce_test

import (
	"testing"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

func TestAttributes_AreEqualWhereARouterIsSentTheSame(t *testing.T) {
	number := func(n uint32) *uint32 { return &n }
	full := func() announce.Attributes {
		return announce.Attributes{LocalPref: number(1), MED: number(2), Prepend: 3, Communities: make([]lb.Community, 1), Weight: 4}
	}
	if !full().Equal(full()) || !(announce.Attributes{}).Equal(announce.Attributes{Communities: []lb.Community{}}) {
		t.Error("the same is said to differ")
	}
	for name, change := range map[string]func(a *announce.Attributes){
		"another LocalPref": func(a *announce.Attributes) { a.LocalPref = number(9) },
		"no LocalPref":      func(a *announce.Attributes) { a.LocalPref = nil },
		"another MED":       func(a *announce.Attributes) { a.MED = number(9) },
		"no MED":            func(a *announce.Attributes) { a.MED = nil },
		"Prepend":           func(a *announce.Attributes) { a.Prepend++ },
		"Communities":       func(a *announce.Attributes) { a.Communities = nil },
		"Weight":            func(a *announce.Attributes) { a.Weight++ },
	} {
		changed := full()
		if change(&changed); changed.Equal(full()) || full().Equal(changed) {
			t.Errorf("%s: they are said to be equal", name)
		}
	}
}
