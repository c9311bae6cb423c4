package bfdsession

import "time"

// A process that ends without AdminDown and is back within the Detection Time finds a peer whose session is still up. Our
// first packet, in state Down, would end it, and with it what depends on it: routers that keep the routes of a BGP speaker
// that restarts (RFC 4724) drop them when BFD goes down (RFC 5882 section 4.3.2). So a new session listens first. What the
// peer sends has all the state variables that are needed to go on as if they had outlived the process.

// Listen has a session that has sent nothing yet go on so until a time, or until the peer is heard.
func (m *Machine) Listen(until time.Time) { m.listenUntil = until }

// Listening reports whether the session has sent nothing because of Listen, and has not heard the peer.
func (m *Machine) Listening() bool { return !m.listenUntil.IsZero() }

// Resume takes a packet from the peer of a session that is Listening, with a discriminator that no session of this process
// has: it is for a session of an earlier process. If that is up for the peer, we go on with it, and with its discriminator. A Poll
// Sequence tells the peer our parameters and confirms that it has heard us in time; only then the session counts as up.
// In any other state the peer loses nothing by a new session.
func (m *Machine) Resume(now time.Time, p *Packet) {
	m.listenUntil = time.Time{}
	if p.State != Up {
		return
	}
	m.localDiscr, m.lastReceived, m.receivedAt, m.finalPending = p.YourDiscriminator, *p, now, p.Poll
	m.enterState(Up, DiagNone)
	m.advertised = intervals{m.parameters.DesiredMinTx, m.parameters.RequiredMinRx}
	m.inUse = m.advertised
	m.polling, m.firstPollAt, m.unconfirmed = true, time.Time{}, true
}
