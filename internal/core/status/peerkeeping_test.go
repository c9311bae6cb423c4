package status

import (
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// An edit after which no node could have a session changes nothing until one could, and the condition says what counts until then.
func TestAcceptPeer_EditsThatLeaveNoNode(t *testing.T) {
	type spec struct {
		rack, annotation string
		state            v1beta1.AdminState
	}
	const kept = "; what it said in generation 1 counts until then"
	for _, test := range []struct {
		name        string
		before, now spec
		isNew       bool
		counts      spec
		says        string
	}{
		{"other nodes", spec{rack: "a"}, spec{rack: "b"}, false, spec{rack: "b"}, ""},
		{"selectors that match nothing", spec{rack: "a"}, spec{rack: "aa"}, false, spec{rack: "a"}, "nodeSelectors match no node on which a speaker can run" + kept},
		{"selectors that match nothing, after none", spec{}, spec{rack: "aa"}, false, spec{}, "nodeSelectors match no node on which a speaker can run" + kept},
		{"selectors that match a node without a speaker alone", spec{rack: "a"}, spec{rack: "w"}, false, spec{rack: "a"}, "nodeSelectors match no node on which a speaker can run" + kept},
		{"selectors that match nothing, and Down", spec{rack: "a"}, spec{rack: "aa", state: v1beta1.AdminDown}, false, spec{rack: "a", state: v1beta1.AdminDown}, "nodeSelectors match no node on which a speaker can run" + kept},
		{"another annotation", spec{annotation: "tor"}, spec{annotation: "spine"}, false, spec{annotation: "spine"}, ""},
		{"a misspelt annotation", spec{annotation: "spine"}, spec{annotation: "sipne"}, false, spec{annotation: "spine"}, "no node that nodeSelectors match has the annotation sipne" + kept},
		{"a misspelt annotation like another", spec{annotation: "tor"}, spec{annotation: "spin"}, false, spec{annotation: "tor"}, "no node that nodeSelectors match has the annotation spin: did you mean spine?" + kept},
		{"an annotation that is empty everywhere", spec{annotation: "tor"}, spec{annotation: "empty"}, false, spec{annotation: "tor"}, "no node that nodeSelectors match has the annotation empty" + kept},
		{"an annotation that only a node has which is not selected", spec{rack: "a", annotation: "tor"}, spec{rack: "a", annotation: "spine"}, false, spec{rack: "a", annotation: "tor"}, "no node that nodeSelectors match has the annotation spine" + kept},
		{"an annotation in place of an address", spec{}, spec{annotation: "rot"}, false, spec{}, "no node that nodeSelectors match has the annotation rot" + kept},
		{"what it said before serves no node either", spec{annotation: "gone"}, spec{annotation: "rot"}, false, spec{annotation: "rot"}, ""},
		{"a new object", spec{}, spec{annotation: "rot"}, true, spec{annotation: "rot"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newPeerScene()
			s.speaks("n1", up).speaks("n2", up).speaks("n3", up).node("n4", true, longAgo, "rack", "w", "kubernetes.io/os", "windows")
			s.Nodes[0].Labels["rack"], s.Nodes[0].Annotations = "a", map[string]string{"tor": "192.0.2.1", "empty": " "}
			s.Nodes[1].Labels["rack"], s.Nodes[1].Annotations = "b", map[string]string{"tor": "192.0.2.1", "spine": "192.0.2.1"}
			written := func(n spec) v1beta1.BGPPeerSpec {
				out := v1beta1.BGPPeerSpec{PeerASN: new(int64(64512)), MyASN: 64512, AdminState: n.state}
				if out.PeerAddress = "192.0.2.1"; n.annotation != "" {
					out.PeerAddress, out.PeerFrom = "", &v1beta1.PeerFrom{NodeAnnotation: n.annotation}
				}
				if n.rack != "" {
					out.NodeSelectors = []v1beta1.LabelSelector{{MatchLabels: map[string]v1beta1.LabelValue{"rack": v1beta1.LabelValue(n.rack)}}}
				}
				return out
			}
			o := &v1beta1.BGPPeer{Spec: written(test.now)}
			o.Name, o.Generation = "tor", 2
			if !test.isNew {
				o.Status.Accepted = &v1beta1.AcceptedBGPPeer{Generation: 1, Spec: written(test.before)}
			}
			p := lb.ParsePeer(o)
			references, _ := NewReferences(&s.Objects, peerNow)
			status, isKept := references.Peer(p), strings.HasSuffix(test.says, kept)
			if ready := status.Ready; ready.Message != test.says || ready.True != (test.says == "") || isKept && ready.Reason.Name != "NoNode" {
				t.Errorf("Ready: %s", text(ready))
			}
			counted := written(test.counts)
			want := lb.ParsePeer(&v1beta1.BGPPeer{Spec: counted})
			got := p.Keeping(references.known)
			if got.NodeAnnotation != want.NodeAnnotation || got.Address != want.Address || got.AdminState != want.AdminState ||
				got.NodeSelectors.Match(s.Nodes[1].Labels) != want.NodeSelectors.Match(s.Nodes[1].Labels) {
				t.Errorf("what counts is %+v", got)
			}
			if references.AcceptPeer(o, p, nil) == isKept || isKept == (o.Status.Accepted.Generation == 2) {
				t.Errorf("accepted is %+v", o.Status.Accepted)
			}
		})
	}
}
