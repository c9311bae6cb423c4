package informer

import (
	"errors"
	"slices"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/cluster"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

func TestLastGood_Substitute(t *testing.T) {
	check := func(p *lb.Pool) (string, error) { return p.Name, p.Err }
	good, bad, other := &lb.Pool{Name: "a"}, &lb.Pool{Name: "a", Err: errors.New("bad")}, &lb.Pool{Name: "b"}
	var remembered LastGood[*lb.Pool]
	for _, step := range []struct {
		name      string
		now, want []*lb.Pool
	}{
		{"bad from the start stays bad", []*lb.Pool{bad}, []*lb.Pool{bad}},
		{"good is taken", []*lb.Pool{good, other}, []*lb.Pool{good, other}},
		{"bad now, good before: as before", []*lb.Pool{bad, other}, []*lb.Pool{good, other}},
		{"deleted is gone", []*lb.Pool{other}, []*lb.Pool{other}},
		{"and forgotten", []*lb.Pool{bad, other}, []*lb.Pool{bad, other}},
	} {
		if got := remembered.Substitute(step.now, check); !slices.Equal(got, step.want) {
			t.Errorf("%s: got %v, want %v", step.name, got, step.want)
		}
	}
}

func TestLastGoodObjects_RememberPoolsThatAreGone(t *testing.T) {
	var remembered LastGoodObjects
	pool := &lb.Pool{Name: "a", Labels: map[string]string{"zone": "a"}}
	remembered.Substitute(cluster.Objects{Pools: lb.NewPools([]*lb.Pool{pool})})
	got := remembered.Substitute(cluster.Objects{Pools: lb.NewPools(nil)}).Pools
	if got.Named("a") != nil || !got.Missing("a") || got.Gone("a") != pool {
		t.Errorf("the pool is %v, and was %v", got.Named("a"), got.Gone("a"))
	}
}
