package bfdsession

import (
	"testing"
	"time"
)

// params are the usual ones with other intervals.
func params(tx, rx time.Duration) Parameters {
	p := usual
	p.DesiredMinTx, p.RequiredMinRx = tx, rx
	return p
}

// TestIntervalsChangeInOrder is RFC 5880 section 6.8.3: what would let one end expect more than the other gives waits for
// the end of the Poll Sequence, everything else is at once.
func TestIntervalsChangeInOrder(t *testing.T) {
	// The peer takes packets at any rate and sends at 10 ms, so that its wishes hide none of ours.
	peer := func(p *Packet) { p.DesiredMinTx, p.RequiredMinRx = 10*ms, 10*ms }
	for _, row := range []struct {
		name             string
		to               Parameters
		tx, detect       time.Duration // Before the Final.
		txEnd, detectEnd time.Duration // After it.
	}{
		{"to send less often waits", params(900*ms, 300*ms), 300 * ms, 900 * ms, 900 * ms, 900 * ms},
		{"to send more often is at once", params(100*ms, 300*ms), 100 * ms, 900 * ms, 100 * ms, 900 * ms},
		{"to expect packets more often waits", params(300*ms, 100*ms), 300 * ms, 900 * ms, 300 * ms, 300 * ms},
		{"to expect packets less often is at once", params(300*ms, 500*ms), 300 * ms, 1500 * ms, 300 * ms, 1500 * ms},
		{"both slower", params(900*ms, 500*ms), 300 * ms, 1500 * ms, 900 * ms, 1500 * ms},
		{"both faster", params(100*ms, 50*ms), 100 * ms, 900 * ms, 100 * ms, 150 * ms},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := settled(t, start, usual)
			m.Receive(start, said(Up, peer))
			m.Change(row.to)
			if v := m.View(); v.Transmit != row.tx || v.Detection != row.detect || !v.Polling {
				t.Errorf("before the Final: %+v", v)
			}
			now := start
			for range 2 { // Every packet of the sequence polls and says the new intervals.
				now = now.Add(row.tx)
				sent := sends(m, now)
				if len(sent) != 1 || !sent[0].Poll || sent[0].DesiredMinTx != row.to.DesiredMinTx || sent[0].RequiredMinRx != row.to.RequiredMinRx {
					t.Fatalf("sent %+v", sent)
				}
				m.Receive(now, said(Up, peer)) // Not the answer.
			}
			m.Receive(now, said(Up, peer, func(p *Packet) { p.Final = true }))
			if v := m.View(); v.Transmit != row.txEnd || v.Detection != row.detectEnd || v.Polling {
				t.Errorf("after the Final: %+v", v)
			}
			if sent := sends(m, now.Add(row.txEnd)); len(sent) != 1 || sent[0].Poll {
				t.Errorf("after the Final, sent %+v", sent)
			}
			if m.state != Up {
				t.Errorf("it is %s", m.state)
			}
		})
	}
}

// TestAPollWaitsForItsTurn: RFC 5880 section 6.5 forbids additional packets.
func TestAPollWaitsForItsTurn(t *testing.T) {
	m := settled(t, start, usual)
	m.Change(params(300*ms, 100*ms))
	if sent := sends(m, at(290*ms)); len(sent) > 0 {
		t.Errorf("sent %+v", sent)
	}
	if sent := sends(m, at(300*ms)); len(sent) != 1 || !sent[0].Poll {
		t.Errorf("sent %+v", sent)
	}
}

// TestTwoPollsDoNotMeet: a change during a Poll Sequence begins its own when the first is over and a packet without the
// Final bit has come, because a second answer to the first would look like an answer to it (RFC 5880 section 6.8.3).
func TestTwoPollsDoNotMeet(t *testing.T) {
	m := settled(t, start, usual)
	final := func(p *Packet) { p.Final = true }
	m.Change(params(300*ms, 200*ms))
	m.Change(params(300*ms, 100*ms))
	if sent := sends(m, at(300*ms)); len(sent) != 1 || !sent[0].Poll || sent[0].RequiredMinRx != 200*ms {
		t.Fatalf("the first poll is %+v", sent)
	}
	m.Receive(at(310*ms), said(Up, final))
	m.Receive(at(311*ms), said(Up, final)) // Another answer to the first.
	m.Receive(at(315*ms), said(Up))        // It overtook the next one.
	m.Receive(at(316*ms), said(Up, final))
	if v := m.View(); v.Polling {
		t.Errorf("polls already: %+v", v)
	}
	if sent := sends(m, at(600*ms)); len(sent) != 1 || sent[0].Poll || sent[0].RequiredMinRx != 200*ms {
		t.Errorf("between the polls, sent %+v", sent)
	}
	m.Receive(at(605*ms), said(Up, final)) // Late, but still no sign that there are no more.
	if v := m.View(); v.Polling {
		t.Errorf("polls already: %+v", v)
	}
	m.Receive(at(610*ms), said(Up))
	if sent := sends(m, at(900*ms)); len(sent) != 1 || !sent[0].Poll || sent[0].RequiredMinRx != 100*ms {
		t.Errorf("the second poll is %+v", sent)
	}
	m.Receive(at(910*ms), said(Up, final))
	if v := m.View(); v.Polling || v.Receive != 300*ms { // The peer's own interval.
		t.Errorf("at the end: %+v", v)
	}
}

func TestAFinalThatNobodyAskedForEndsNothing(t *testing.T) {
	m := settled(t, start, usual)
	m.Change(params(300*ms, 100*ms))
	m.Receive(at(10*ms), said(Up, func(p *Packet) { p.Final = true })) // Before the first packet of the poll.
	if !m.View().Polling {
		t.Error("the poll has ended")
	}
}

func TestAChangeThatIsTakenBackNeedsNoSecondPoll(t *testing.T) {
	m := settled(t, start, usual)
	m.Change(params(300*ms, 200*ms))
	sends(m, at(300*ms))
	m.Receive(at(310*ms), said(Up, func(p *Packet) { p.Final = true }))
	m.Change(params(300*ms, 100*ms))
	m.Change(params(300*ms, 200*ms))
	m.Receive(at(400*ms), said(Up))
	if m.View().Polling {
		t.Error("it polls for nothing")
	}
}

func TestTheMultiplierChangesWithoutAPoll(t *testing.T) {
	m := settled(t, start, usual)
	other := usual
	other.Multiplier = 9
	m.Change(other)
	if sent := sends(m, at(300*ms)); len(sent) != 1 || sent[0].Poll || sent[0].Multiplier != 9 {
		t.Errorf("sent %+v", sent)
	}
}

func TestWhileNotUpIntervalsChangeAtOnce(t *testing.T) {
	m := inState(t, Init, start, usual)
	m.Change(params(5*time.Second, 50*ms))
	if v := m.View(); v.Transmit != 5*time.Second || v.Polling {
		t.Errorf("%+v", v)
	}
	m.Receive(at(10*ms), said(Up))
	if v := m.View(); v.State != Up || v.Transmit != 5*time.Second || v.Polling {
		t.Errorf("up, with nothing to tell: %+v", v)
	}
}
