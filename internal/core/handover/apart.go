package handover

import (
	"maps"
	"slices"
)

// Apart are other nodes that attract the packets of an address beside this one, or did, by the family of the address, sorted: packets cannot be
// handed to them, for they share no segment with this one, or by layer 2 none on which the address is announced.
type Apart struct{ IPv4, IPv6 []string }

// aparts collects Apart over the addresses of a pass.
type aparts struct {
	nodes [2]map[string]bool
	// done are the lists of holders that have been looked at, by their first entry and length, and by family: many addresses share a list.
	done map[holders]bool
}

type holders struct {
	first *string
	count int
	is4   bool
}

// look adds the nodes that share an address with the node that decides. Of an address by layer 2 that did not move nobody knows who may take it.
func (p *aparts) look(in *Input, a *Address, t *track, peers map[string]Peer) {
	alone := len(a.Holders) < 2 && len(t.former) == 0
	if alone || !slices.Contains(a.Holders, in.Node) && t.formerly(in.Node) == nil {
		return
	}
	if len(t.former) == 0 && len(a.Links) == 0 {
		key := holders{&a.Holders[0], len(a.Holders), a.Addr.Is4()}
		if p.done[key] {
			return
		}
		if p.done == nil {
			p.done = map[holders]bool{}
		}
		p.done[key] = true
	}
	add := func(node string) {
		if !in.apart(a, node, peers) {
			return
		}
		nodes := &p.nodes[1]
		if a.Addr.Is4() {
			nodes = &p.nodes[0]
		}
		if *nodes == nil {
			*nodes = map[string]bool{}
		}
		(*nodes)[node] = true
	}
	for _, node := range a.Holders {
		add(node)
	}
	for i := range t.former {
		if !t.former[i].over {
			add(t.former[i].node)
		}
	}
}

// sorted are the nodes that were found.
func (p *aparts) sorted() Apart {
	return Apart{slices.Sorted(maps.Keys(p.nodes[0])), slices.Sorted(maps.Keys(p.nodes[1]))}
}

// apart reports whether another node is known to share no segment with the one that decides, or by layer 2 none on which an address is announced.
func (in *Input) apart(a *Address, node string, peers map[string]Peer) bool {
	peer, known := peers[node]
	_, heard := in.Peers[node]
	return node != in.Node && known && heard && !peer.Partial && !peer.via(a, &Input{}).IsValid()
}

// strands reports whether connections to an address that moved away can only break: none of the nodes that attract its packets, or did, can hand
// them to this one. Until the move has settled, routers and clients may still send to this node itself.
func (m *Memory) strands(in *Input, a *Address, t *track, own *former) bool {
	return len(a.Holders) > 0 && !in.Now.Before(t.settled(own)) && !slices.ContainsFunc(t.members(in), func(node string) bool {
		return node != in.Node && !in.apart(a, node, m.peers)
	})
}
