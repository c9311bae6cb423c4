package web

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/cli/view"
)

// network of so many routers and nodes; each node holds an address and has a session with each router.
func network(routers, nodes int) *view.Network {
	n := &view.Network{Layer2: true}
	for i := range routers {
		n.Routers = append(n.Routers, view.RouterLine{PeerLine: view.PeerLine{Name: fmt.Sprint("router", i), Where: "the other end of an interface with a long name"}})
	}
	for i := range nodes {
		node := view.NodeLine{Node: fmt.Sprint("a-node-with-a-name-that-is-much-too-long-to-be-drawn-", i), State: view.NodeReady, Held: 1}
		for _, r := range n.Routers {
			node.Sessions = append(node.Sessions, view.SessionLine{Peer: r.Name, State: "Established", IPv4: 3})
		}
		n.Nodes = append(n.Nodes, node)
	}
	return n
}

func TestPicture_FitsAndOverlapsNothing(t *testing.T) {
	for routers := range 10 {
		for _, nodes := range []int{0, 1, 2, mostBoxes, mostBoxes + 1, 100, 1000} {
			p := draw(network(routers, nodes))
			boxes := slices.Clone(p.Boxes)
			for i, b := range boxes {
				if b.X < 0 || b.Y < 0 || b.X+b.Width > p.Width || b.Y+b.Height > p.Height {
					t.Errorf("%d routers, %d nodes: the box %s is outside", routers, nodes, b.Title)
				}
				for _, other := range boxes[:i] {
					if b.X < other.X+other.Width && other.X < b.X+b.Width && b.Y < other.Y+other.Height && other.Y < b.Y+b.Height {
						t.Errorf("%d routers, %d nodes: the boxes %s and %s overlap", routers, nodes, b.Title, other.Title)
					}
				}
			}
			for _, c := range p.Cells {
				if c.X+c.Width > p.Width || c.Y+c.Height > p.Height {
					t.Errorf("%d routers, %d nodes: a cell is outside", routers, nodes)
				}
			}
			if (nodes > mostBoxes) != (len(p.Cells) == nodes && nodes > 0) {
				t.Errorf("%d nodes have %d cells", nodes, len(p.Cells))
			}
		}
	}
}

func TestPicture_HasALineForEachSession(t *testing.T) {
	n := network(2, 3)
	n.Nodes[0].Sessions[1].State = "Active"
	n.Nodes[1].State = view.NodeGone
	n.Nodes[2].Held, n.Nodes[2].Sessions = 0, n.Nodes[2].Sessions[:1]
	counts := map[string]int{}
	for _, l := range draw(n).Lines {
		counts[l.Class]++
	}
	// Clients have three ways. n0 holds an address and has a session up and one down, what n1 said is old, n2 has one session.
	if counts["way"] != 3 || counts["up"] != 3 || counts["down"] != 4 || len(counts) != 3 {
		t.Errorf("lines are %v", counts)
	}
}

func TestPicture_SaysWhatItShows(t *testing.T) {
	for _, test := range []struct {
		network *view.Network
		wanted  string
	}{
		{&view.Network{}, "Clients reach 0 nodes by nothing: there is neither"},
		{network(0, 1), "Clients reach 1 node by the nodes' own segment."},
		{network(9, 2), "others."},
	} {
		if said := draw(test.network).Text; !strings.Contains(said, test.wanted) {
			t.Errorf("%q says %q", test.wanted, said)
		}
	}
}
