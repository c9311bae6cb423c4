package lb

import (
	"maps"
	"strings"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// NodeAnnotations are the keys of annotations of Nodes that BGPPeers name. Many programs write annotations of their own into Nodes, some of
// them again and again; what follows from a Node is worked out anew only when one of those has changed that somebody reads.
type NodeAnnotations map[string]bool

// MaxAnnotatedRouters is how many routers an annotation of a Node may name. Each is a session, and costs the passes of the node's speaker.
const MaxAnnotatedRouters = 64

// AnnotatedAddresses are the elements of an annotation of a Node that names routers, or addresses to connect from, of too many the first that
// may be named and one more. An empty one, as there is behind a comma at the end, names none.
func AnnotatedAddresses(text string) (named []string) {
	for element := range strings.SplitSeq(text, ",") {
		if element = strings.TrimSpace(element); element != "" {
			named = append(named, element)
		}
		if len(named) > MaxAnnotatedRouters {
			break
		}
	}
	return named
}

// With returns the keys and those that some peers name, and what the controller accepted last of them. They are the same map if there is
// none more.
func (a NodeAnnotations) With(peers []*Peer) NodeAnnotations {
	more := a
	add := func(key string) {
		if key == "" || more[key] {
			return
		}
		if len(more) == len(a) {
			more = make(NodeAnnotations, len(a)+1)
			maps.Copy(more, a)
		}
		more[key] = true
	}
	for _, peer := range peers {
		for p := peer; p != nil; p = p.Accepted {
			add(p.NodeAnnotation)
			add(p.SourceAnnotation)
			add(p.RouterIDAnnotation)
		}
	}
	return more
}

// Of returns a node with those of its annotations alone that are read: Daymark's own, those of the keys, and those that one of the keys may
// be a mistake for. It is the same node if these are all.
func (a NodeAnnotations) Of(n *Node) *Node {
	read := make(map[string]string, len(n.Annotations))
	for key, value := range n.Annotations { // order does not matter: they go into a map
		if strings.HasPrefix(key, v1beta1.GroupVersion.Group+"/") || a[key] || a.near(key) {
			read[key] = value
		}
	}
	if len(read) == len(n.Annotations) {
		return n
	}
	reduced := *n
	reduced.Annotations = read
	return &reduced
}

// near reports whether a key is suggested for one of the keys if no node has that.
func (a NodeAnnotations) near(key string) bool {
	for named := range a { // order does not matter: any will do
		if Nearest(named, []string{key}) != "" {
			return true
		}
	}
	return false
}
