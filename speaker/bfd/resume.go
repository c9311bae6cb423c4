package bfd

import (
	"log/slog"
	"time"

	"github.com/daymark-lb/daymark/internal/core/bfdsession"
)

// The limits of listenTime. Peers that are up send at least once a second, unless somebody wants less than that.
const minListenTime, maxListenTime = time.Second, 3 * time.Second

// listenTime is how long a session listens before it sends: a peer whose session is up has sent twice by then.
func listenTime(p bfdsession.Parameters) time.Duration {
	return min(max(2*p.RequiredMinRx, minListenTime), maxListenTime)
}

// listen has a new session listen for packets to one of an earlier process.
func (s *session) listen() {
	s.machine.Listen(s.since.Add(listenTime(s.parameters)))
	s.snapshot = s.machine.Snapshot()
}

// resume gives a session that listens a packet for one of an earlier process. If the peer has that up, the session goes on with
// its discriminator.
func (m *Monitor) resume(s *session, now time.Time, p *bfdsession.Packet) {
	delete(m.byDiscriminator, s.snapshot.LocalDiscr)
	s.machine.Resume(now, p)
	m.process(s, now, bfdsession.NoEvent)
	m.byDiscriminator[s.snapshot.LocalDiscr] = s
	if s.snapshot.State == bfdsession.Up {
		m.queueLog(slog.LevelInfo, "BFD session of an earlier process is resumed", "session", s.name, "peer", s.path.peer)
	}
}
