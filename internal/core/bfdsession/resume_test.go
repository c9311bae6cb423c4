package bfdsession

import (
	"testing"
	"time"
)

// formerDiscriminator is ours in a session of an earlier process.
const formerDiscriminator = 99

func toFormer(p *Packet) { p.YourDiscriminator = formerDiscriminator }

// listening is a new machine that listens for a second, and has sent nothing.
func listening(t *testing.T) *Machine {
	t.Helper()
	m := newMachine(defaultParameters)
	m.Listen(at(time.Second))
	if sent := duePackets(m, start); len(sent) > 0 || !m.Listening() || m.Snapshot().Settled {
		t.Fatalf("it has sent %+v", sent)
	}
	return m
}

func TestMachine_ListensBeforeItSends(t *testing.T) {
	m := listening(t)
	if from, by, ok := m.NextDue(); !ok || from != at(time.Second) || by != from {
		t.Errorf("due from %v to %v, %t", from, by, ok)
	}
	if sent := duePackets(m, at(time.Second-1)); len(sent) > 0 {
		t.Errorf("too early it has sent %+v", sent)
	}
	if sent := duePackets(m, at(time.Second)); len(sent) != 1 || sent[0].State != Down || !m.Snapshot().Settled {
		t.Errorf("then it has sent %+v", sent)
	}
}

func TestMachine_PassiveListensAndSendsNothing(t *testing.T) {
	m := New(1, Parameters{DesiredMinTx: 300 * ms, RequiredMinRx: 300 * ms, DetectMult: 3, Passive: true}, noJitter)
	m.Listen(at(time.Second))
	if _, by, ok := m.NextDue(); !ok || by != at(time.Second) {
		t.Errorf("due at %v, %t", by, ok)
	}
	if sent := duePackets(m, at(time.Second)); len(sent) > 0 || !m.Snapshot().Settled {
		t.Errorf("it has sent %+v, %+v", sent, m.Snapshot())
	}
}

func TestMachine_PeerThatIsDownEndsTheListening(t *testing.T) {
	m := listening(t)
	m.Receive(start, peerPacket(Down, func(p *Packet) { p.YourDiscriminator = 0 }))
	if sent := duePackets(m, start); len(sent) != 1 || sent[0].State != Init || !m.Snapshot().Settled {
		t.Errorf("it has sent %+v", sent)
	}
}

// The peer must see the same session go on: its own discriminator, ours of before, and never a state but Up.
func TestMachine_ResumesTheSessionOfAnEarlierProcess(t *testing.T) {
	m := listening(t)
	m.Resume(at(200*ms), peerPacket(Up, toFormer))
	sent := duePackets(m, at(200*ms))
	if len(sent) != 1 || sent[0].State != Up || !sent[0].Poll || sent[0].MyDiscriminator != formerDiscriminator ||
		sent[0].YourDiscriminator != 2 || sent[0].DesiredMinTx != 300*ms || sent[0].RequiredMinRx != 300*ms {
		t.Fatalf("it has sent %+v", sent)
	}
	if s := m.Snapshot(); s.Settled || s.State != Up || s.LocalDiscr != formerDiscriminator || s.DetectionTime != 900*ms {
		t.Errorf("before the peer has answered: %+v", s)
	}
	if event := m.Receive(at(201*ms), peerPacket(Up, toFormer)); event != NoEvent || m.Snapshot().Settled {
		t.Errorf("a packet that is no answer: event %d, %+v", event, m.Snapshot())
	}
	if event := m.Receive(at(202*ms), peerPacket(Up, toFormer, func(p *Packet) { p.Final = true })); event != CameUp || !m.Snapshot().Settled {
		t.Errorf("the answer: event %d, %+v", event, m.Snapshot())
	}
	if event := m.Receive(at(300*ms), peerPacket(Down, toFormer)); event != Failed {
		t.Errorf("from then on it may fail: event %d", event)
	}
}

func TestMachine_PollOfThePeerIsAnsweredByTheResumedSession(t *testing.T) {
	m := listening(t)
	m.Resume(start, peerPacket(Up, toFormer, func(p *Packet) { p.Poll = true }))
	if sent := duePackets(m, start); len(sent) == 0 || !sent[0].Final || sent[0].State != Up {
		t.Errorf("it has sent %+v", sent)
	}
}

// A session that could not be resumed was never up in this process: nothing has failed.
func TestMachine_ResumeThatComesTooLateIsNoFailure(t *testing.T) {
	for name, end := range map[string]func(*Machine) Event{
		"the peer goes down":    func(m *Machine) Event { return m.Receive(at(ms), peerPacket(Down, toFormer)) },
		"the peer is shut down": func(m *Machine) Event { return m.Receive(at(ms), peerPacket(AdminDown, toFormer)) },
		"the peer falls silent": func(m *Machine) Event { return m.Expire(at(time.Second)) },
	} {
		t.Run(name, func(t *testing.T) {
			m := listening(t)
			m.Resume(start, peerPacket(Up, toFormer))
			duePackets(m, start)
			if event := end(m); event != NoEvent || m.Snapshot().State != Down || !m.Snapshot().Settled {
				t.Errorf("event %d, %+v", event, m.Snapshot())
			}
		})
	}
}

func TestMachine_DoesNotResumeWhatIsNotUp(t *testing.T) {
	for _, state := range []State{AdminDown, Down, Init} {
		m := listening(t)
		m.Resume(start, peerPacket(state, toFormer))
		if s := m.Snapshot(); s.State != Down || s.LocalDiscr != 1 || !s.Settled {
			t.Errorf("the peer is %v: %+v", state, s)
		}
		if sent := duePackets(m, start); len(sent) != 1 || sent[0].State != Down || sent[0].MyDiscriminator != 1 {
			t.Errorf("the peer is %v: it has sent %+v", state, sent)
		}
	}
}
