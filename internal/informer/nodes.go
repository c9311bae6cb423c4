package informer

import (
	"reflect"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// nodes keeps the values of Nodes as long as they are equal in all that is read of them, so that an annotation that nobody reads changes
// nothing: who compares values by their pointers sees none. A key that a BGPPeer has named once is read as long as the process runs, since
// what counts of a BGPPeer with a mistake may be an earlier version. The zero value is ready for use.
type nodes struct {
	keys lb.NodeAnnotations
	// whole are the values with all annotations, in order of name, and read those that were made of them.
	whole, read []*lb.Node
}

// of returns the values for those with all annotations, in order of name: the list of the call before if nothing has changed.
func (n *nodes) of(whole []*lb.Node, peers []*lb.Peer) []*lb.Node {
	keys := n.keys.With(peers)
	sameKeys := len(keys) == len(n.keys)
	if sameKeys && n.read != nil && slices.Equal(whole, n.whole) {
		return n.read
	}
	read := make([]*lb.Node, len(whole))
	i := 0
	for j, node := range whole {
		for i < len(n.whole) && n.whole[i].Name < node.Name {
			i++
		}
		known := i < len(n.whole) && n.whole[i].Name == node.Name
		if known && sameKeys && n.whole[i] == node {
			read[j] = n.read[i]
			continue
		}
		read[j] = keys.Of(node)
		if known && reflect.DeepEqual(read[j], n.read[i]) {
			read[j] = n.read[i]
		}
	}
	if n.read != nil && slices.Equal(read, n.read) {
		read = n.read
	}
	n.keys, n.whole, n.read = keys, whole, read
	return read
}
