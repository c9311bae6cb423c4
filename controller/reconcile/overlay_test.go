package reconcile

import (
	"context"
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

func at(version string) *record {
	return &record{Service: &lb.Service{UID: "uid"}, version: version}
}

func TestOverlay(t *testing.T) {
	type step struct {
		name string
		// put: a write decided on one version made another, "a>b".
		decidedOn, made string
		// cached version, and the one that counts; empty cached: the Service is gone.
		cached, want string
	}
	o := overlay{}
	for _, s := range []step{
		{"without a write the cache counts", "", "", "1", "1"},
		{"a write counts while the cache shows what it was decided on", "1", "2", "1", "2"},
		{"so do two in a row", "2", "3", "1", "3"},
		{"when the cache has seen the first only, the second counts", "", "", "2", "3"},
		{"when the cache has seen all, it counts", "", "", "3", "3"},
		{"and whatever others write after that", "", "", "4", "4"},
		{"a change of others that came in between shows ours too", "4", "5", "6", "6"},
		{"what is gone is forgotten", "6", "7", "", ""},
		{"and does not come back", "", "", "6", "6"},
	} {
		t.Run(s.name, func(t *testing.T) {
			if s.made != "" {
				o.put(s.decidedOn, at(s.made))
			}
			var cached []*record
			if s.cached != "" {
				cached = append(cached, at(s.cached))
			}
			got := ""
			for _, r := range o.lay(cached) {
				got = r.version
			}
			if got != s.want {
				t.Errorf("version %q counts, want %q", got, s.want)
			}
		})
	}
}

func TestAWriteWhoseFateIsUnknownCountsAsMade(t *testing.T) {
	conflict := apierrors.NewConflict(schema.GroupResource{}, "web", errors.New("changed"))
	for _, test := range []struct {
		name   string
		err    error
		counts bool
	}{
		{"a write that was refused did not happen", conflict, false},
		{"nor did one that was forbidden", apierrors.NewForbidden(schema.GroupResource{}, "web", errors.New("no")), false},
		{"one whose answer got lost may have", context.DeadlineExceeded, true},
		{"one that timed out on the server may have", apierrors.NewTimeoutError("too slow", 1), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := &Loop{overlay: overlay{}}
			before := at("1")
			l.note(&intent{record: before, want: state{ingress: []corev1.LoadBalancerIngress{{IP: "192.0.2.1"}}, pools: "blue", present: true}}, "", test.err)
			now := l.overlay.lay([]*record{before})[0]
			if got := len(now.Ingress) == 1; got != test.counts {
				t.Errorf("the address counts as the Service's: %v", got)
			}
			if len(now.ingress) != 0 || now.version != "1" {
				t.Errorf("it counts as written: %+v at %s", now.state, now.version)
			}
		})
	}
}

func TestPatch(t *testing.T) {
	ours := metav1.Condition{Type: "daymark.io/AddressAssigned", Status: metav1.ConditionTrue, Reason: "AddressAssigned"}
	has := state{ingress: []corev1.LoadBalancerIngress{{IP: "192.0.2.1"}}, pools: "blue", present: true, conditions: []metav1.Condition{ours}}
	for _, test := range []struct {
		name          string
		before, after state
		want          string
	}{
		{"nothing for nothing", has, has, ""},
		{
			"all in one",
			state{},
			has,
			`{"metadata":{"resourceVersion":"7","annotations":{"daymark.io/pool":"blue"}},"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.1"}]},` +
				`"conditions":[{"type":"daymark.io/AddressAssigned","status":"True","lastTransitionTime":null,"reason":"AddressAssigned","message":""}]}}`,
		},
		{
			"what is ours goes, and nothing else is named", has,
			state{},
			`{"metadata":{"resourceVersion":"7","annotations":{"daymark.io/pool":null}},"status":{"loadBalancer":{"ingress":null},` +
				`"conditions":[{"type":"daymark.io/AddressAssigned","$patch":"delete"}]}}`,
		},
		{
			"only what differs", has,
			state{ingress: has.ingress, pools: "red", present: true, conditions: has.conditions},
			`{"metadata":{"resourceVersion":"7","annotations":{"daymark.io/pool":"red"}}}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := makePatch("7", &test.before, &test.after)
			if err != nil || string(got) != test.want {
				t.Errorf("got  %s (%v)\nwant %s", got, err, test.want)
			}
		})
	}
}

func TestReached(t *testing.T) {
	for _, test := range []struct {
		name, have, want string
		reached          bool
	}{
		{"the same", "12", "12", true},
		{"a newer one, by number and not by letter", "100", "99", true},
		{"an older one", "99", "100", false},
		{"none", "", "1", false},
		{"versions that are no numbers must be the same", "b", "a", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := reached(test.have, test.want); got != test.reached {
				t.Errorf("reached(%q, %q) is %v", test.have, test.want, got)
			}
		})
	}
}
