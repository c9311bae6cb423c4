package view

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// holding is a Speaker that holds some addresses and names one of them.
func holding(name, address string, count int32) *v1beta1.Speaker {
	s := &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: name}}
	s.Status.Layer2 = v1beta1.SpeakerLayer2{IPv4: count, Held: []v1beta1.HeldAddress{{Address: address, Interfaces: []string{"eth0"}}}}
	return s
}

func TestHolders_AReportThatIsCutMayNameOthers(t *testing.T) {
	n1, n2 := holding("n1", "192.0.2.200", 1), holding("n2", "192.0.2.201", 200)
	for _, test := range []struct {
		name    string
		objects []runtime.Object
		unseen  []Unseen
		address string
		nodes   []string
		known   bool
	}{
		{"it is named", []runtime.Object{n1, n2}, nil, "192.0.2.200", []string{"n1"}, true},
		{"it is not named, and all reports are whole", []runtime.Object{n1}, nil, "192.0.2.202", nil, true},
		{"it is not named, and n2 names one of 200", []runtime.Object{n1, n2}, nil, "192.0.2.202", nil, false},
		{"the reports are not seen", nil, []Unseen{{Resource: resourceSpeakers}}, "192.0.2.200", nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := New(Input{Objects: test.objects, Unseen: test.unseen, Now: time.Unix(1_000_000, 0)})
			if nodes, known := c.holdersOf([]string{test.address}); !slices.Equal(nodes, test.nodes) || known != test.known {
				t.Errorf("held by %v, known %t", nodes, known)
			}
		})
	}
}

// TestHolders_OfASharedAddress are all that answer, with what each has of the clients.
func TestHolders_OfASharedAddress(t *testing.T) {
	n1, n2 := holding("n1", "192.0.2.200", 1), holding("n2", "192.0.2.200", 1)
	n1.Status.Layer2.Held[0].Shares, n1.Status.Layer2.Held[0].SharedBy = 20, "n2"
	n2.Status.Layer2.Held[0].Shares, n2.Status.Layer2.Held[0].SharedBy = 40, "n2"
	c := New(Input{Objects: []runtime.Object{n1, n2, holding("n3", "192.0.2.201", 1)}, Now: time.Unix(1_000_000, 0)})
	if nodes, known := c.holdersOf([]string{"192.0.2.200"}); !slices.Equal(nodes, []string{"n1", "n2"}) || !known {
		t.Errorf("answered by %v, known %t", nodes, known)
	}
	holders := c.holdersByAddress()["192.0.2.200"]
	if len(holders) != 2 || holders[0].Shares != 20 || holders[1].Shares != 40 || holders[0].SharedBy != "n2" || !holders[0].Shared() {
		t.Errorf("holders are %+v", holders)
	}
	if alone := c.holdersByAddress()["192.0.2.201"]; len(alone) != 1 || alone[0].Shared() {
		t.Errorf("%+v is shared", alone)
	}
}
