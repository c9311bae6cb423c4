package bfdsession

import (
	"testing"
	"time"
)

// withIntervals are the default parameters with other intervals.
func withIntervals(tx, rx time.Duration) Parameters {
	p := defaultParameters
	p.DesiredMinTx, p.RequiredMinRx = tx, rx
	return p
}

// TestPollSequence_IntervalsChangeInOrder is RFC 5880 section 6.8.3: a change by which one end would expect more than the
// other sends waits for the end of the Poll Sequence. Any other change is effective at once.
func TestPollSequence_IntervalsChangeInOrder(t *testing.T) {
	// The peer sends and accepts packets at 10 ms, so that its intervals do not hide ours.
	peer := func(p *Packet) { p.DesiredMinTx, p.RequiredMinRx = 10*ms, 10*ms }
	for _, row := range []struct {
		name             string
		to               Parameters
		tx, detect       time.Duration // Before the Final.
		txEnd, detectEnd time.Duration // After it.
	}{
		{"to send less often waits", withIntervals(900*ms, 300*ms), 300 * ms, 900 * ms, 900 * ms, 900 * ms},
		{"to send more often is at once", withIntervals(100*ms, 300*ms), 100 * ms, 900 * ms, 100 * ms, 900 * ms},
		{"to expect packets more often waits", withIntervals(300*ms, 100*ms), 300 * ms, 900 * ms, 300 * ms, 300 * ms},
		{"to expect packets less often is at once", withIntervals(300*ms, 500*ms), 300 * ms, 1500 * ms, 300 * ms, 1500 * ms},
		{"both slower", withIntervals(900*ms, 500*ms), 300 * ms, 1500 * ms, 900 * ms, 1500 * ms},
		{"both faster", withIntervals(100*ms, 50*ms), 100 * ms, 900 * ms, 100 * ms, 150 * ms},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := upAndSettled(t, start, defaultParameters)
			m.Receive(start, peerPacket(Up, peer))
			m.SetParameters(row.to)
			if v := m.Snapshot(); v.TransmitInterval != row.tx || v.DetectionTime != row.detect || !v.Polling {
				t.Errorf("before the Final: %+v", v)
			}
			now := start
			for range 2 { // Every packet of the sequence has Poll and the new intervals.
				now = now.Add(row.tx)
				sent := duePackets(m, now)
				if len(sent) != 1 || !sent[0].Poll || sent[0].DesiredMinTx != row.to.DesiredMinTx || sent[0].RequiredMinRx != row.to.RequiredMinRx {
					t.Fatalf("sent %+v", sent)
				}
				m.Receive(now, peerPacket(Up, peer)) // Not an answer.
			}
			m.Receive(now, peerPacket(Up, peer, func(p *Packet) { p.Final = true }))
			if v := m.Snapshot(); v.TransmitInterval != row.txEnd || v.DetectionTime != row.detectEnd || v.Polling {
				t.Errorf("after the Final: %+v", v)
			}
			if sent := duePackets(m, now.Add(row.txEnd)); len(sent) != 1 || sent[0].Poll {
				t.Errorf("after the Final, sent %+v", sent)
			}
			if m.state != Up {
				t.Errorf("it is %s", m.state)
			}
		})
	}
}

// TestPollSequence_NeedsNoAdditionalPacket: RFC 5880 section 6.5 forbids additional packets.
func TestPollSequence_NeedsNoAdditionalPacket(t *testing.T) {
	m := upAndSettled(t, start, defaultParameters)
	m.SetParameters(withIntervals(300*ms, 100*ms))
	if sent := duePackets(m, at(290*ms)); len(sent) > 0 {
		t.Errorf("sent %+v", sent)
	}
	if sent := duePackets(m, at(300*ms)); len(sent) != 1 || !sent[0].Poll {
		t.Errorf("sent %+v", sent)
	}
}

// TestPollSequence_TwoDoNotOverlap: a change during a Poll Sequence starts its own sequence when the first is over and a
// packet without Final has come. A second answer to the first sequence would look like an answer to the second (RFC 5880
// section 6.8.3).
func TestPollSequence_TwoDoNotOverlap(t *testing.T) {
	m := upAndSettled(t, start, defaultParameters)
	final := func(p *Packet) { p.Final = true }
	m.SetParameters(withIntervals(300*ms, 200*ms))
	m.SetParameters(withIntervals(300*ms, 100*ms))
	if sent := duePackets(m, at(300*ms)); len(sent) != 1 || !sent[0].Poll || sent[0].RequiredMinRx != 200*ms {
		t.Fatalf("the first poll is %+v", sent)
	}
	m.Receive(at(310*ms), peerPacket(Up, final))
	m.Receive(at(311*ms), peerPacket(Up, final)) // Another answer to the first.
	m.Receive(at(315*ms), peerPacket(Up))        // It overtook the next one.
	m.Receive(at(316*ms), peerPacket(Up, final))
	if v := m.Snapshot(); v.Polling {
		t.Errorf("polls already: %+v", v)
	}
	if sent := duePackets(m, at(600*ms)); len(sent) != 1 || sent[0].Poll || sent[0].RequiredMinRx != 200*ms {
		t.Errorf("between the polls, sent %+v", sent)
	}
	m.Receive(at(605*ms), peerPacket(Up, final)) // Late, but still an answer: more may follow.
	if v := m.Snapshot(); v.Polling {
		t.Errorf("polls already: %+v", v)
	}
	m.Receive(at(610*ms), peerPacket(Up))
	if sent := duePackets(m, at(900*ms)); len(sent) != 1 || !sent[0].Poll || sent[0].RequiredMinRx != 100*ms {
		t.Errorf("the second poll is %+v", sent)
	}
	m.Receive(at(910*ms), peerPacket(Up, final))
	if v := m.Snapshot(); v.Polling || v.ReceiveInterval != 300*ms { // The peer's own interval.
		t.Errorf("at the end: %+v", v)
	}
}

func TestPollSequence_UnsolicitedFinalEndsNothing(t *testing.T) {
	m := upAndSettled(t, start, defaultParameters)
	m.SetParameters(withIntervals(300*ms, 100*ms))
	m.Receive(at(10*ms), peerPacket(Up, func(p *Packet) { p.Final = true })) // Before the first packet of the poll.
	if !m.Snapshot().Polling {
		t.Error("the poll has ended")
	}
}

func TestPollSequence_RevertedChangeNeedsNoSecond(t *testing.T) {
	m := upAndSettled(t, start, defaultParameters)
	m.SetParameters(withIntervals(300*ms, 200*ms))
	duePackets(m, at(300*ms))
	m.Receive(at(310*ms), peerPacket(Up, func(p *Packet) { p.Final = true }))
	m.SetParameters(withIntervals(300*ms, 100*ms))
	m.SetParameters(withIntervals(300*ms, 200*ms))
	m.Receive(at(400*ms), peerPacket(Up))
	if m.Snapshot().Polling {
		t.Error("it polls for nothing")
	}
}

func TestPollSequence_DetectMultNeedsNone(t *testing.T) {
	m := upAndSettled(t, start, defaultParameters)
	other := defaultParameters
	other.DetectMult = 9
	m.SetParameters(other)
	if sent := duePackets(m, at(300*ms)); len(sent) != 1 || sent[0].Poll || sent[0].DetectMult != 9 {
		t.Errorf("sent %+v", sent)
	}
}

func TestPollSequence_NoneWhileNotUp(t *testing.T) {
	m := inState(t, Init, start, defaultParameters)
	m.SetParameters(withIntervals(5*time.Second, 50*ms))
	if v := m.Snapshot(); v.TransmitInterval != 5*time.Second || v.Polling {
		t.Errorf("%+v", v)
	}
	m.Receive(at(10*ms), peerPacket(Up))
	if v := m.Snapshot(); v.State != Up || v.TransmitInterval != 5*time.Second || v.Polling {
		t.Errorf("up, with nothing to tell: %+v", v)
	}
}

// TestOutlast_PeerAgreesToWait is what lets another process go on with a session: the peer must have confirmed that it waits.
func TestOutlast_PeerAgreesToWait(t *testing.T) {
	peer := func(p *Packet) { p.DesiredMinTx, p.RequiredMinRx = 10*ms, 10*ms }
	m := upAndSettled(t, start, defaultParameters)
	m.Receive(start, peerPacket(Up, peer))
	if !m.Outlast(30*time.Second) || m.Finished() {
		t.Fatal("it does not wait for the peer")
	}
	sent := duePackets(m, start)
	if len(sent) != 1 || !sent[0].Poll || sent[0].State != Up || time.Duration(sent[0].DetectMult)*sent[0].DesiredMinTx < 30*time.Second {
		t.Fatalf("at once it sent %+v", sent)
	}
	m.Receive(start, peerPacket(Up, peer)) // Not an answer.
	if v := m.Snapshot(); m.Finished() || v.TransmitInterval != defaultParameters.DesiredMinTx {
		t.Errorf("before the Final: finished %t, %+v", m.Finished(), v)
	}
	m.Receive(start, peerPacket(Up, peer, func(p *Packet) { p.Final = true }))
	if !m.Finished() {
		t.Error("it is not finished after the Final")
	}
}

func TestOutlast_OnlyWhatIsUp(t *testing.T) {
	m := New(1, defaultParameters, func() float64 { return 0 })
	if m.Outlast(30*time.Second) || m.Finished() {
		t.Error("a session that is down was left to another process")
	}
	m = upAndSettled(t, start, defaultParameters)
	m.Outlast(30 * time.Second)
	m.AdminDown()
	if m.Finished() {
		t.Error("a peer that did not agree is not told that the session ends")
	}
}

func TestOutlast_LongerThanAskedFor(t *testing.T) {
	m := upAndSettled(t, start, defaultParameters)
	slow := defaultParameters
	slow.DesiredMinTx = time.Minute
	m.SetParameters(slow)
	m.Receive(start, peerPacket(Up))
	duePackets(m, start.Add(time.Second))
	m.Receive(start.Add(time.Second), peerPacket(Up, func(p *Packet) { p.Final = true }))
	if !m.Outlast(30*time.Second) || !m.Finished() {
		t.Error("a peer that waits for longer anyway is asked")
	}
}
