package view

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// heldFor is a Speaker that has held addresses for some time.
func heldFor(name string, now time.Time, held time.Duration, addresses ...string) *v1beta1.Speaker {
	s := &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: name}}
	for _, address := range addresses {
		s.Status.Layer2.Held = append(s.Status.Layer2.Held, v1beta1.HeldAddress{Address: address, Since: metav1.NewTime(now.Add(-held))})
	}
	return s
}

func TestCluster_AddressThatSeveralHoldIsAProblem(t *testing.T) {
	const a, b, c = "192.0.2.200", "192.0.2.201", "192.0.2.202"
	now := time.Unix(1_000_000, 0)
	change := func(s *v1beta1.Speaker, change func(*v1beta1.HeldAddress)) *v1beta1.Speaker {
		change(&s.Status.Layer2.Held[0])
		return s
	}
	for _, test := range []struct {
		name    string
		objects []runtime.Object
		want    []string
	}{
		{"one holder each", []runtime.Object{heldFor("n1", now, time.Hour, a), heldFor("n2", now, time.Hour, b)}, nil},
		{"it moves", []runtime.Object{heldFor("n1", now, time.Hour, a), heldFor("n2", now, 2*time.Second, a)}, nil},
		{"two hold it", []runtime.Object{
			heldFor("n1", now, time.Hour, a), heldFor("n2", now, 3*time.Second, a),
		}, []string{"n1: n1 and n2 each say that they hold 192.0.2.200"}},
		{"two hold several, and another pair one", []runtime.Object{
			heldFor("n1", now, time.Hour, b, a), heldFor("n2", now, time.Hour, a, b, c), heldFor("n3", now, time.Hour, c),
		}, []string{"n1: n1 and n2 each say that they hold 192.0.2.200 and 1 more", "n2: n2 and n3 each say that they hold 192.0.2.202"}},
		{"one of them is gone", []runtime.Object{heldFor("n1", now, time.Hour, a), goneAs(heldFor("n2", now, time.Hour, a))}, nil},
		{"one stands in for the other", []runtime.Object{
			heldFor("n1", now, time.Hour, a), change(heldFor("n2", now, time.Hour, a), func(h *v1beta1.HeldAddress) { h.StandsInFor = "n1" }),
		}, nil},
		{"they share it", []runtime.Object{
			change(heldFor("n1", now, time.Hour, a), func(h *v1beta1.HeldAddress) { h.Shares = 30 }),
			change(heldFor("n2", now, time.Hour, a), func(h *v1beta1.HeldAddress) { h.Shares = 30 }),
		}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			cluster := New(Input{Now: now, Objects: test.objects})
			var got []string
			for _, p := range cluster.Problems().Items {
				if p.Reason == "Disputed" {
					got = append(got, p.Name+": "+p.Message)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			wrong := false
			for _, address := range []string{a, b, c} {
				x, err := cluster.ExplainAddress(address, "default")
				wrong = wrong || err != nil || x.Wrong()
			}
			if wrong != (len(test.want) > 0) {
				t.Errorf("an explanation of the addresses says that something is wrong: %t", wrong)
			}
		})
	}
}
