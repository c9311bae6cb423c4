package detector

import "time"

const (
	// maxStale is how long a process stays stale after it woke, when no other speaker answers.
	maxStale = 500 * time.Millisecond
	// reactGrace is how long the rest of this speaker may take to act on what it has missed.
	reactGrace = 50 * time.Millisecond
	// minPause is the least time without a tick that counts as a pause.
	minPause = 250 * time.Millisecond
	// saidInterval is the least time between two wakes that are known from what others say alone.
	saidInterval = 5 * time.Second
	// maxReplies bounds how many incomplete replies are remembered.
	maxReplies = 1000
)

// Pause detects that this process was stopped, by a signal or with its machine, and has just woken. Such a process must not
// act on what it knew before: others may have taken its place. It is stale until another speaker has told it what it missed.
//
// A reply to a ping is a pong and the messages of claims that the pong announces, in any order. All times are since one
// common start. A Pause is not safe for concurrent use.
type Pause struct {
	staleness Staleness
	// wokeAt is the last wake; stoppedFor is how long the process had been stopped; firstPing is the first ping after it.
	wokeAt, stoppedFor time.Duration
	firstPing          uint64
	// learned: something new was learned since the wake.
	learned bool
	// replies to pings that were sent after the wake; nil: none is waited for.
	replies map[replyKey]*reply
}

type replyKey struct {
	peer string
	ping uint64
}

// reply is what has come in reply to one ping.
type reply struct {
	// received is how many messages of claims have come, announced how many there are; complete only once the pong is there.
	received, announced uint64
	pong                bool
}

// Staleness says when the process is stale, as long as no method of its Pause is called.
type Staleness struct {
	// limit is the age of lastTick that makes the process stale. lastTick is 0 before the first tick and after Stop.
	limit, lastTick time.Duration
	// until is when the staleness ends that began with the last wake.
	until time.Duration
}

// Stale reports whether the process was stopped until just now, or has not heard yet what it missed.
func (s Staleness) Stale(now time.Duration) bool {
	return s.lastTick != 0 && now-s.lastTick > s.limit || now < s.until
}

// NewPause returns a Pause for ticks that come at an interval.
func NewPause(tickInterval time.Duration) *Pause {
	return &Pause{staleness: Staleness{limit: max(minPause, 4*tickInterval)}}
}

// Staleness returns when the process is stale, as far as is known now.
func (p *Pause) Staleness() Staleness { return p.staleness }

// Tick notes a tick: gap is the time since the last one, ping the number of the pings that follow, peers says whether there
// are any to ask. It returns the length of the time about which they must be asked; 0: there is nothing to ask.
func (p *Pause) Tick(now, gap time.Duration, ping uint64, peers bool) (missed time.Duration) {
	if gap > p.staleness.limit && peers {
		p.wake(now, gap, ping)
	}
	p.staleness.lastTick = now
	if now >= p.staleness.until {
		p.replies = nil
		return 0
	}
	return p.stoppedFor + now - p.wokeAt
}

// wake begins the staleness: the process was stopped for a time, and pings from a number on ask for what was missed.
func (p *Pause) wake(now, stopped time.Duration, ping uint64) {
	p.wokeAt, p.stoppedFor, p.firstPing = now, stopped, ping
	p.replies, p.learned = map[replyKey]*reply{}, false
	p.staleness.until = now + maxStale
}

// Woke notes other evidence that the process was stopped for a time: what came had waited, another clock went on, or others have
// missed us. ping is the number of the pings that follow. It reports whether that is new: what others say counts once in a while,
// since one that does not hear us says so all the time, and is not to silence us for ever.
func (p *Pause) Woke(now, stopped time.Duration, ping uint64, said bool) bool {
	if now < p.staleness.until || said && p.wokeAt != 0 && now-p.wokeAt < saidInterval {
		return false
	}
	p.wake(now, stopped, ping)
	return true
}

// Stop ends the detection: there are no more ticks, and the process is not stale.
func (p *Pause) Stop() {
	p.staleness.lastTick, p.staleness.until = 0, 0
}

// Learned notes that something new was received, from whomever.
func (p *Pause) Learned(now time.Duration) {
	if now < p.staleness.until {
		p.learned = true
	}
}

// ClaimsReceived notes a message of claims in reply to a ping.
func (p *Pause) ClaimsReceived(now time.Duration, peer string, ping uint64) {
	p.update(now, replyKey{peer, ping}, func(r *reply) { r.received++ })
}

// PongReceived notes the pong that replies to a ping, and how many messages of claims belong to it.
func (p *Pause) PongReceived(now time.Duration, peer string, ping, announced uint64) {
	p.update(now, replyKey{peer, ping}, func(r *reply) { r.announced, r.pong = announced, true })
}

// update notes a part of a reply. The first complete reply ends the staleness, at once or after reactGrace.
func (p *Pause) update(now time.Duration, key replyKey, change func(*reply)) {
	if now >= p.staleness.until || p.replies == nil || key.ping < p.firstPing || len(p.replies) >= maxReplies {
		return
	}
	r := p.replies[key]
	if r == nil {
		r = &reply{}
		p.replies[key] = r
	}
	change(r)
	if !r.pong || r.received < r.announced {
		return
	}
	p.replies = nil
	end := now
	if p.learned {
		end += reactGrace
	}
	p.staleness.until = min(p.staleness.until, end)
}

// Last reports when the process last woke and had peers to ask, 0: never, and whether one of them has answered.
func (p *Pause) Last() (wokeAt time.Duration, answered bool) {
	return p.wokeAt, p.wokeAt != 0 && p.staleness.until < p.wokeAt+maxStale
}
