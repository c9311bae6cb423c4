package unnumbered

import "time"

// Times of RFC 4861.
const (
	// solicitEvery is RTR_SOLICITATION_INTERVAL (section 10), a tenth more or less. Hosts stop after three attempts; we
	// have nothing better to do until a router answers.
	solicitEvery = 4 * time.Second
	// advertiseEvery is the least time between unasked advertisements, to which up to advertiseSpread is added at random
	// (section 6.2.4).
	advertiseEvery, advertiseSpread = 8 * time.Second, 4 * time.Second
	// hurry is MIN_DELAY_BETWEEN_RAS (section 10): whoever asks how often, we advertise no more often.
	hurry = 3 * time.Second
	// answerWithin is MAX_RA_DELAY_TIME (section 10), the most that an answer is held back so that all ends of a link do
	// not answer in one moment.
	answerWithin = 500 * time.Millisecond
	// again is the wait after a message that could not be sent.
	again = time.Second
)

// rhythm is the rule when to solicit and when to advertise. It is a value without a clock or chance: scatter is in
// [0, 1). The zero rhythm does both at once.
type rhythm struct {
	// solicit is the earliest time of the next solicitation, if one is wanted; advertise that of the next advertisement.
	solicit, advertise time.Time
	// advertised is when an advertisement was last sent.
	advertised time.Time
}

// solicitAt is when the next solicitation is due.
func (r *rhythm) solicitAt(n neighbor) time.Time {
	if from := n.askFrom(); from.After(r.solicit) {
		return from
	}
	return r.solicit
}

// next is when something is due next.
func (r *rhythm) next(n neighbor) time.Time {
	if at := r.solicitAt(n); at.Before(r.advertise) {
		return at
	}
	return r.advertise
}

// solicited notes a solicitation, sent or not.
func (r *rhythm) solicited(now time.Time, sent bool, scatter float64) {
	r.solicit = now.Add(again)
	if sent {
		r.solicit = now.Add(part(solicitEvery, 0.9+0.2*scatter))
	}
}

// advertisedAt notes an advertisement, sent or not.
func (r *rhythm) advertisedAt(now time.Time, sent bool, scatter float64) {
	r.advertise = now.Add(again)
	if sent {
		r.advertised = now
		r.advertise = now.Add(advertiseEvery + part(advertiseSpread, scatter))
	}
}

// asked brings the next advertisement forward: a solicitation wants an answer (section 6.2.6).
func (r *rhythm) asked(now time.Time, scatter float64) { r.bring(now.Add(part(answerWithin, scatter))) }

// met brings the next advertisement forward: a router that has just come has not heard us yet.
func (r *rhythm) met(now time.Time) { r.bring(now) }

// bring makes the next advertisement come at a time, or as soon after it as the last one allows.
func (r *rhythm) bring(at time.Time) {
	if earliest := r.advertised.Add(hurry); at.Before(earliest) {
		at = earliest
	}
	if at.Before(r.advertise) {
		r.advertise = at
	}
}

// part is a fraction of a time.
func part(of time.Duration, fraction float64) time.Duration {
	return time.Duration(float64(of) * fraction)
}
