package forecast

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/shares"
)

// TestDrain_OfWhoServesASharedAddress moves its clients to those who serve it, too, whether it holds the address or not.
func TestDrain_OfWhoServesASharedAddress(t *testing.T) {
	r := lan(3, 1, v1beta1.SharingPerClient)
	for _, node := range []string{"n0", "n1", "n2"} {
		moves := r.moves(node)
		others := slices.DeleteFunc([]string{"n0", "n1", "n2"}, func(n string) bool { return n == node })
		if len(moves) != 1 || !slices.Equal(moves[0].From, []string{node}) || !slices.Equal(moves[0].To, others) || moves[0].Shares != 20 ||
			moves[0].Later || moves[0].Uncertain || moves[0].Message != "" {
			t.Errorf("%s is drained, and there is %+v", node, moves)
		}
	}
}

// TestApply_Sharing: an address that has clients is shared later, and given to one node at once.
func TestApply_Sharing(t *testing.T) {
	for _, test := range []struct {
		name          string
		before, after v1beta1.Sharing
		from, to      int
		later         bool
	}{
		{"begins", v1beta1.SharingNone, v1beta1.SharingPerClient, 1, 2, true},
		{"ends", v1beta1.SharingPerClient, v1beta1.SharingNone, 2, 1, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := lan(3, 1, test.before)
			before := Start(r.objects, r.now, settings)
			objects := slices.Clone(r.objects)
			for i, object := range objects {
				if by, ok := object.(*v1beta1.L2Advertisement); ok {
					by = by.DeepCopy()
					by.Spec.Sharing = test.after
					objects[i] = by
				}
			}
			changes, _ := Compare(before, before.Next(objects))
			if len(changes) != 1 || len(changes[0].Effects) != 1 {
				t.Fatalf("changes are %+v", changes)
			}
			e := changes[0].Effects[0]
			if e.Effect != Moves || len(e.From) != test.from || len(e.To) != test.to || e.Shares != 40 || e.Later != test.later {
				t.Errorf("%+v", e)
			}
		})
	}
}

// TestReportedTables_ThatDoNotAddUp are guessed, and what follows from them is not certain.
func TestReportedTables_ThatDoNotAddUp(t *testing.T) {
	r := lan(3, 1, v1beta1.SharingPerClient)
	r.speakerOf("n1").Status.Layer2.Held[0].Shares = 11
	moves := r.moves("n2")
	if len(moves) != 1 || !moves[0].Uncertain || moves[0].Message != "the reports of how its clients are shared do not add up" || moves[0].Shares != 20 {
		t.Errorf("moves are %+v", moves)
	}
	var speakers []*v1beta1.Speaker
	for _, node := range []string{"n0", "n1", "n2"} {
		of := &v1beta1.Speaker{}
		of.Name = node
		of.Status.Layer2.Held = []v1beta1.HeldAddress{{Address: "192.0.2.9", Shares: 1 << 30, SharedBy: node}, {Address: "192.0.2.8", SharedBy: node}}
		speakers = append(speakers, of)
	}
	tables, guessed := reportedTables(speakers)
	for addr, table := range tables {
		if !guessed[addr] || table.Shared() && table.Of("n1").Len() != shares.Count/3 {
			t.Errorf("%v: %s, guessed: %t", addr, table, guessed[addr])
		}
	}
	if len(tables) != 2 {
		t.Errorf("tables are %v", tables)
	}
}

// TestCompare_NewAddress says who will share it, or hold it, and what is not certain about that.
func TestCompare_NewAddress(t *testing.T) {
	for _, test := range []struct {
		sharing v1beta1.Sharing
		cut     bool
		want    string
	}{
		{v1beta1.SharingPerClient, false, "shared by n0, n1, n2"},
		{v1beta1.SharingNone, false, "held by n2"},
		{v1beta1.SharingNone, true, "held by n2 (not certain: n2 sees 1 of 3 speakers, so it may be n0)"},
	} {
		r := lan(3, 1, test.sharing)
		if test.cut {
			r.seesOnly("n2", 1)
		}
		whole := r.objects
		r.objects = slices.DeleteFunc(slices.Clone(whole), func(o runtime.Object) bool {
			s, ok := o.(*corev1.Service)
			return ok && s.Name == "s0"
		})
		for _, node := range []string{"n0", "n1", "n2"} {
			r.speakerOf(node).Status.Layer2 = v1beta1.SpeakerLayer2{}
		}
		before := Start(r.objects, r.now, settings)
		changes, _ := Compare(before, before.Next(whole))
		if len(changes) != 1 || changes[0].Effects[0].Effect != Given || changes[0].Effects[0].Message != test.want {
			t.Errorf("%+v, not %q", changes, test.want)
		}
	}
}
