package unnumbered

import "time"

// Times of RFC 4861.
const (
	// solicitInterval is RTR_SOLICITATION_INTERVAL (section 10), varied by a tenth. Hosts stop after three attempts; we
	// continue until a router answers, because there is no other way to find it.
	solicitInterval = 4 * time.Second
	// advertiseInterval is the minimum time between unsolicited advertisements; up to advertiseJitter is added at
	// random (section 6.2.4).
	advertiseInterval, advertiseJitter = 8 * time.Second, 4 * time.Second
	// minAdvertiseDelay is MIN_DELAY_BETWEEN_RAS (section 10): we advertise no more often, however many solicitations
	// come.
	minAdvertiseDelay = 3 * time.Second
	// maxAnswerDelay is MAX_RA_DELAY_TIME (section 10): an answer is delayed at random up to it, so that the routers of
	// a link do not all answer at the same moment.
	maxAnswerDelay = 500 * time.Millisecond
	// sendRetryInterval is the wait after a message that could not be sent.
	sendRetryInterval = time.Second
)

// schedule decides when to solicit and when to advertise. It is a pure value: times and jitter, which is in [0, 1), are
// passed in. The zero schedule does both at once.
type schedule struct {
	// solicit is the earliest time of the next solicitation, if one is needed; advertise is the time of the next
	// advertisement.
	solicit, advertise time.Time
	// lastAdvertisement is when an advertisement was last sent.
	lastAdvertisement time.Time
}

// solicitAt returns when the next solicitation is due.
func (s *schedule) solicitAt(n neighbor) time.Time {
	if from := n.solicitFrom(); from.After(s.solicit) {
		return from
	}
	return s.solicit
}

// nextDue returns when the next message is due.
func (s *schedule) nextDue(n neighbor) time.Time {
	if at := s.solicitAt(n); at.Before(s.advertise) {
		return at
	}
	return s.advertise
}

// solicitationSent schedules the next solicitation after one was sent, or could not be sent.
func (s *schedule) solicitationSent(now time.Time, sent bool, jitter float64) {
	s.solicit = now.Add(sendRetryInterval)
	if sent {
		s.solicit = now.Add(scale(solicitInterval, 0.9+0.2*jitter))
	}
}

// advertisementSent schedules the next advertisement after one was sent, or could not be sent.
func (s *schedule) advertisementSent(now time.Time, sent bool, jitter float64) {
	s.advertise = now.Add(sendRetryInterval)
	if sent {
		s.lastAdvertisement = now
		s.advertise = now.Add(advertiseInterval + scale(advertiseJitter, jitter))
	}
}

// solicitationReceived brings the next advertisement forward: a solicitation is answered by an advertisement (section
// 6.2.6).
func (s *schedule) solicitationReceived(now time.Time, jitter float64) {
	s.advertiseBy(now.Add(scale(maxAnswerDelay, jitter)))
}

// routerFound brings the next advertisement forward: a new router has not received one of ours yet.
func (s *schedule) routerFound(now time.Time) { s.advertiseBy(now) }

// advertiseBy brings the next advertisement forward to a time, or to the first later time that minAdvertiseDelay
// permits.
func (s *schedule) advertiseBy(at time.Time) {
	if earliest := s.lastAdvertisement.Add(minAdvertiseDelay); at.Before(earliest) {
		at = earliest
	}
	if at.Before(s.advertise) {
		s.advertise = at
	}
}

// scale returns a fraction of a duration.
func scale(of time.Duration, fraction float64) time.Duration {
	return time.Duration(float64(of) * fraction)
}
