package gossip

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	// joinInterval is the time between attempts to reach a speaker that is expected and not alive.
	joinInterval = time.Second
	// maxParallel bounds how many speakers are contacted by TCP side by side; one success brings all others that it knows.
	maxParallel = 8
)

// ExpectedPeer is another speaker that should be there.
type ExpectedPeer struct {
	// Address is where it gossips; invalid while it has not said so.
	Address netip.AddrPort
	// Down: the control plane takes its node to be down. The speaker is tried, but not waited for.
	Down bool
}

// Set says which other speakers there should be, by node: the whole of what the API server knows. An entry for this node
// is ignored; one without an address is waited for. Those that are not alive are tried at once and then every second
// until they are alive or not expected any more; View says which cannot be reached. A speaker that is alive is not
// forgotten when it is not expected any more. Whoever is woken by Changes may call Set: what was set already changes nothing.
func (m *Membership) Set(expected map[string]ExpectedPeer) {
	expected = maps.Clone(expected)
	delete(expected, m.cfg.Node)
	m.mu.Lock()
	if m.bootstrap.Told() && maps.Equal(m.expected, expected) {
		m.mu.Unlock()
		return
	}
	m.expected = expected
	maps.DeleteFunc(m.failures, func(node string, _ joinFailure) bool {
		_, still := m.expected[node]
		return !still
	})
	m.peers.expect(m.expected)
	m.updateBootstrap()
	m.mu.Unlock()
	m.guard.outdated.Store(true)
	notify(m.joinNow)
	notify(m.changes)
}

// SetNodes says which addresses the nodes of the cluster have: the whole of what the API server knows. Others have to share a
// few connections and datagrams.
func (m *Membership) SetNodes(addresses []netip.Addr) {
	m.mu.Lock()
	m.nodes = addresses
	m.mu.Unlock()
	m.guard.outdated.Store(true)
}

// nodeAddresses are all addresses that nodes are known to have: by the API server, by the gossip, and by what speakers say of
// their links.
func (m *Membership) nodeAddresses() map[netip.Addr]struct{} {
	all := m.peers.addresses()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, addr := range m.nodes {
		all[addr.Unmap()] = struct{}{}
	}
	for _, peer := range m.expected {
		all[peer.Address.Addr().Unmap()] = struct{}{}
	}
	delete(all, netip.Addr{})
	return all
}

// updateBootstrap passes on how many peers are waited for now. The caller holds mu.
func (m *Membership) updateBootstrap() {
	waitedFor, gone := countExpected(m.expected, m.failures, m.peers.spokeLately(time.Now()))
	m.bootstrap.Expect(time.Now(), waitedFor, gone)
}

// countExpected counts the peers that must be waited for, and those that are gone: their node is down, or their host says
// that nobody listens and nothing comes from there either.
func countExpected(expected map[string]ExpectedPeer, failures map[string]joinFailure, spoke func(node string) bool) (waitedFor, gone int) {
	for node, peer := range expected {
		if peer.Down || failures[node].refused && !spoke(node) {
			gone++
		} else {
			waitedFor++
		}
	}
	return waitedFor, gone
}

// joinMissing joins those that are expected and not alive, at every Set and every second, until ctx ends.
func (m *Membership) joinMissing(ctx context.Context) {
	ticker := time.NewTicker(joinInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.joinNow:
		case <-ticker.C:
		}
		m.joinAll(ctx)
	}
}

// joinAll tries all that are missing, a few side by side. Each is checked again right before its turn, because the first
// that is reached makes us known to the others.
func (m *Membership) joinAll(ctx context.Context) {
	unheard := m.peers.snapshot().unheard
	for _, to := range unheard[:min(len(unheard), maxParallel)] {
		m.repair(repair{node: to.Name, to: to}) // What they claim does not come by datagram.
	}
	m.mu.Lock()
	wanted := m.peers.heardUnlisted() // They answer, but memberlist has not taken them back.
	maps.Copy(wanted, m.expected)
	m.mu.Unlock()

	var (
		joining sync.WaitGroup
		slots   = make(chan struct{}, maxParallel)
	)
	for _, peer := range missing(wanted, m.peers.listed(), nil) {
		slots <- struct{}{}
		if ctx.Err() != nil || !peer.at.IsValid() || peer.at == m.cfg.Bind || m.isListed(peer.node) {
			<-slots
			continue
		}
		joining.Go(func() {
			m.join(peer.node, peer.at)
			<-slots
		})
	}
	joining.Wait()
}

// rejoinRecovered joins those that are heard again, or for the first time, at once, until ctx ends: memberlist must take them
// back. It also sends them our state if that does not fit in a datagram.
func (m *Membership) rejoinRecovered(ctx context.Context) {
	var (
		joining sync.WaitGroup
		slots   = make(chan struct{}, maxParallel)
	)
	defer joining.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case node := <-m.recovered:
			to, at, known := m.peers.addressOf(node)
			own, ok := m.peers.ownState()
			large, unlisted := ok && m.isLarge(own), !m.isListed(node)
			if !known || !large && !unlisted {
				continue
			}
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			joining.Go(func() {
				if unlisted {
					m.join(node, at)
				}
				if large {
					m.sendReliably(to, kindState, own)
				}
				<-slots
			})
		}
	}
}

// join makes one attempt to reach a speaker, notes how it went, and reports whether it was reached.
func (m *Membership) join(node string, at netip.AddrPort) bool {
	_, err := m.list.Load().Join([]string{at.String()})

	m.mu.Lock()
	before := m.failures[node]
	m.mu.Unlock()
	var failure joinFailure
	if err != nil {
		switch {
		case !refused(err):
			failure = joinFailure{text: describe(err)}
		case m.peers.spokeLately(time.Now())(node):
			failure = joinFailure{text: "the connection is refused, though it is heard: as by a firewall"}
		default:
			failure = refusalOf(m.at.Addr(), at, err, before)
		}
		failure.text, failure.seen = steady(failure.text, time.Now(), before.text, before.seen)
	}
	m.mu.Lock()
	before = m.failures[node]
	delete(m.failures, node)
	if _, expected := m.expected[node]; err != nil && expected {
		m.failures[node] = failure
	}
	now := m.failures[node]
	changed := before.text != now.text || before.refused != now.refused
	m.updateBootstrap()
	m.mu.Unlock()
	if changed {
		notify(m.changes)
	}
	return err == nil
}

// isListed reports whether memberlist counts a speaker as alive.
func (m *Membership) isListed(node string) bool { return slices.Contains(m.peers.listed(), node) }
