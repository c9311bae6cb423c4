package announce

import (
	"math/rand/v2"
	"testing"
)

// TestAnswers_SayWhatNodesDo: of each node, what it does by each protocol, and nothing else.
func TestAnswers_SayWhatNodesDo(t *testing.T) {
	does, not := 0, 0
	for seed := range uint64(100) {
		w := randomWorld(rand.New(rand.NewPCG(seed, 1)))
		e := NewExplainer(w)
		for _, s := range w.Services {
			addr := s.Ingress[0]
			answers := e.Answer(s, addr, nil)
			if len(answers.Nodes) != len(w.Nodes) {
				t.Fatalf("seed %d: %d of %d nodes answer", seed, len(answers.Nodes), len(w.Nodes))
			}
			free := answers.Against.Name == ""
			for i := range answers.Nodes {
				n := &answers.Nodes[i]
				byL2, byBGP := free && n.ByLayer2 && n.Layer2 == Eligible, free && n.Announces()
				if acting := holds(w, n.Node, addr.String()); acting != byL2 {
					t.Fatalf("seed %d: %s by layer 2 on %s: acting %t, answered %t", seed, addr, n.Node, acting, byL2)
				}
				if acting := announces(w, n.Node, addr.String()); acting != byBGP {
					t.Fatalf("seed %d: %s by BGP on %s: acting %t, answered %t", seed, addr, n.Node, acting, byBGP)
				}
				if byL2 || byBGP {
					does++
				} else {
					not++
				}
			}
			announced := false
			for _, a := range answers.Advertisements {
				announced = announced || a.Announces()
			}
			if !announced && answers.Against.Name != ReasonNoAdvertisement.Name {
				t.Fatalf("seed %d: no advertisement announces %s, and what stands against it is %q", seed, addr, answers.Against.Name)
			}
		}
	}
	if does < 100 || not < 100 {
		t.Errorf("the Worlds are too much alike: %d nodes announce, %d do not", does, not)
	}
}

func TestAnswers_OfOneNode(t *testing.T) {
	w := cluster()
	s := w.add("web", "192.0.2.200", everyNode...)
	w.node("n2").Draining = true
	e := NewExplainer(w)
	answers := e.Answer(s, s.Ingress[0], map[string]bool{"n2": true})
	if len(answers.Nodes) != 1 || answers.Nodes[0].Layer2.Reason().Name != "Draining" {
		t.Errorf("the answers are %+v", answers.Nodes)
	}
	if why, known := e.NodeReason("n2"); !known || why.Reason().Name != "Draining" || why.Reason().Remedy == "" {
		t.Errorf("n2 announces nothing because of %q, known %t", why, known)
	}
	if why, known := e.NodeReason("n1"); !known || why != Eligible {
		t.Errorf("n1: %q, known %t", why, known)
	}
	if _, known := e.NodeReason("n9"); known {
		t.Error("a node that is not there is known")
	}
}
