package lb

import (
	"maps"
	"slices"
	"testing"
)

func TestNodeAnnotations_KeepWhatIsRead(t *testing.T) {
	peers := []*Peer{
		{Name: "tor", NodeAnnotation: "example.com/tor", Accepted: &Peer{Name: "tor", NodeAnnotation: "example.net/before"}},
		{Name: "other", SourceAnnotation: "example.org/source", RouterIDAnnotation: "example.org/router-id"},
	}
	keys := NodeAnnotations(nil).With(peers)
	n := &Node{Name: "n1", Annotations: map[string]string{
		"example.com/tor": "1", "example.net/before": "2", "example.org/source": "3", "example.org/router-id": "4", "example.com/tors": "5",
		"daymark.io/drain": "true", "daymark.io/weight": "3", "csi.volume.kubernetes.io/nodeid": "x", "cluster.x-k8s.io/machine": "y",
	}}
	got := keys.Of(n)
	want := []string{
		"daymark.io/drain", "daymark.io/weight", "example.com/tor", "example.com/tors", "example.net/before", "example.org/router-id", "example.org/source",
	}
	if has := slices.Sorted(maps.Keys(got.Annotations)); !slices.Equal(has, want) {
		t.Errorf("it has %q, want %q", has, want)
	}
	if len(n.Annotations) != 9 || got.Annotations["example.com/tor"] != "1" || got.Name != "n1" {
		t.Errorf("the node was changed, or a value: %v, %v", n, got)
	}
	if keys.Of(got) != got {
		t.Error("a node of which all is read is another one")
	}
	known := &Known{nodes: []*Node{{Name: "n1", Annotations: map[string]string{"example.com/tors": "192.0.2.1", "example.com/unlike": "z"}}}}
	reduced := &Known{nodes: []*Node{keys.Of(known.nodes[0])}}
	if a, b := known.NoNode(peers[0]), reduced.NoNode(peers[0]); a == "" || a != b {
		t.Errorf("the words about a mistake are %q, and were %q", b, a)
	}
}

func TestNodeAnnotations_WithNothingMoreAreTheSame(t *testing.T) {
	peer := []*Peer{{NodeAnnotation: "example.com/tor"}}
	keys := NodeAnnotations(nil).With(peer)
	if more := keys.With([]*Peer{{RouterIDAnnotation: "example.com/id"}}); len(more) != 2 || len(keys) != 1 {
		t.Errorf("with one more they are %v, and before %v", more, keys)
	}
	again := keys.With(peer)
	again["probe"] = true
	if !keys["probe"] {
		t.Error("the map was copied though nothing was added")
	}
}
