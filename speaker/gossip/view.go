package gossip

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/daymark-lb/daymark/internal/core/election"
)

// bootstrapCheckInterval is the time between checks whether the membership has become known by the passing of time alone.
const bootstrapCheckInterval = 100 * time.Millisecond

// View is what is known of the speakers now.
type View struct {
	// Alive are the nodes whose speakers are alive, sorted, this one included. It is shared, and must not be changed.
	Alive []string
	// Suspects are those of them that an observer suspects or is about to: in some tens of milliseconds they may not be alive.
	// Sorted, and shared as Alive.
	Suspects []string
	// Known: the others have been met, or it is settled that there are none within reach. Until then nothing may be
	// concluded from Alive. Once true it stays true.
	Known bool
	// Peers are the speakers that are alive, this one included. It is shared, and must not be changed.
	Peers map[string]Peer
	// Silent are the speakers that are not alive and have not said that they leave, as they were last known. It is shared, and
	// must not be changed.
	Silent map[string]Peer
	// Claims are the strongest known, by whomever. They are shared, and must not be changed; they may be kept.
	Claims election.Claims
	// ClaimsVersion is another one when the claims have changed.
	ClaimsVersion uint64
	// ClaimsMissing: others are alive, and what they claim may not have come yet, since this speaker has just begun, or none of them was alive
	// before. An exchange with one of them brings it, or datagrams do.
	ClaimsMissing bool
	// Returned counts how often a speaker of the same incarnation came back that had been taken for dead: a partition has
	// healed, or it was a false alarm, and others may have taken its addresses. Nobody acts on it.
	Returned uint64
	// Version is the highest version of the messages that all speakers understand. From 2 on claims say whether they were
	// announced, and from 3 on tables say who serves a shared address. A rule of the election that needs that must not be used
	// below.
	Version int
	// CannotConnect: no connection gets through to any of several speakers that are alive, as behind a firewall of this node.
	CannotConnect bool
	// Why Known is false, or what is in doubt though it is true, for a person; empty: all is well.
	Why string
}

// Peer is what is known of a speaker that is alive.
type Peer struct {
	// Incarnation identifies the run of the speaker, of two the higher is the later; 0: not known.
	Incarnation uint64
	// State is the last that was received; StateKnown: one was received.
	State      State
	StateKnown bool
	// Partial: the state is in version 1, though all speakers understand later ones. One that begins does not know yet what the others
	// understand: its first state has only what version 1 has, and the whole of it comes when it has heard of them, about a tenth of a second later.
	Partial bool
	// Version is the highest version of the messages that it understands; 0: not known.
	Version int
	// LastHeard is when the last sign of life came from one that is silent; zero: this speaker did not watch it.
	LastHeard time.Time
}

// View returns who is alive, what they say, and whether that can be relied on. It is cheap: what has not changed is not
// computed again.
func (m *Membership) View() View {
	now := m.peers.snapshot()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bootstrap.Observe(time.Now(), len(now.alive) > 1)
	view := View{
		Alive: now.alive, Suspects: now.suspects, Known: m.bootstrap.Known(), Peers: now.peers, Silent: now.silent,
		Returned: now.returned, Version: int(now.version), CannotConnect: now.cannotConnect, ClaimsMissing: m.peers.claimsMissing(),
	}
	view.Claims, view.ClaimsVersion = m.claims.snapshot()
	switch {
	case m.keyring == nil:
		view.Why = "there is no gossip key yet"
	case m.list.Load() == nil && len(now.alive) == 1:
		view.Why = "gossip has not begun"
	default:
		absent := missing(m.expected, now.alive, m.failures)
		view.Why = joinWhy(
			why(m.cfg.Bind, m.bootstrap.Told(), m.bootstrap.Known(), absent), whyForeign(now.foreign), whyUnheard(now.unheard),
			whyUnconnected(now.unconnected), whyDeaf(now.deaf),
		)
	}
	return view
}

// Changes wakes its one receiver when View may have changed. A notification carries nothing; several changes may share one.
func (m *Membership) Changes() <-chan struct{} { return m.changes }

// Urgent wakes its one receiver when who is alive or suspected has changed in View, or somebody else claims what we claimed:
// an address may have no holder, or two; and when a node has told that routers may turn from it, or to it. It is in addition to Changes.
func (m *Membership) Urgent() <-chan struct{} { return m.urgent }

// awaitBootstrap notifies the receiver of Changes when the membership becomes known by the passing of time alone.
func (m *Membership) awaitBootstrap(ctx context.Context) {
	ticker := time.NewTicker(bootstrapCheckInterval)
	defer ticker.Stop()
	for known := false; !known; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if known = m.View().Known; known {
			notify(m.changes)
		}
	}
}

// missing returns the expected speakers that are not alive, in order of name.
func missing(expected map[string]ExpectedPeer, alive []string, failures map[string]joinFailure) []missingPeer {
	var absent []missingPeer
	for _, node := range slices.Sorted(maps.Keys(expected)) {
		if _, found := slices.BinarySearch(alive, node); !found {
			absent = append(absent, missingPeer{node, expected[node].Address, failures[node]})
		}
	}
	return absent
}
