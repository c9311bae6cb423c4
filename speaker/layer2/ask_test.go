package layer2

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/mdlayher/arp"
	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

var ourLinkLocal = netip.MustParseAddr("fe80::11")

// question asks the node n2 at a MAC address by near0.
func question(at mac, addr netip.Addr) announce.Layer2Question {
	return announce.Layer2Question{
		Question: election.Question{Node: "n2", Addr: addr},
		Paths:    []announce.Layer2Path{{Interface: "near0", MAC: at.String(), Source: ourLinkLocal}},
	}
}

// wantAnswers4And6 waits until vip4 and vip6 have this answer of n2.
func wantAnswers4And6(t *testing.T, r *Responder, want election.Answer) {
	t.Helper()
	netnstest.Eventually(t, "the answers are as they should be", func() error {
		for _, addr := range []netip.Addr{vip4, vip6} {
			if got := r.Answers()[election.Question{Node: "n2", Addr: addr}]; got != want {
				return fmt.Errorf("the answer for %v is %v, not %v", addr, got, want)
			}
		}
		return nil
	})
}

// TestResponder_AsksANodeWhetherItAnswers: the other end is the speaker of another node.
func TestResponder_AsksANodeWhetherItAnswers(t *testing.T) {
	s := newSegment(t, "near0")
	a, b := begin(t, Config{}), begin(t, Config{})
	a.UpdateClusterMACs([]announce.NodeMAC{{MAC: s.farMAC(t).String(), Node: "n2", Interface: "far0"}})
	b.UpdateClusterMACs([]announce.NodeMAC{{MAC: s.mac(t).String(), Node: "n1", Interface: "near0"}})
	far := func(want []announce.Layer2Address) {
		s.host.Do(t, func() { mustSet(t, b, want) })
	}
	far(on([]string{"far0"}, vip4, vip6))
	questions := []announce.Layer2Question{question(s.farMAC(t), vip4), question(s.farMAC(t), vip6)}
	a.Ask(questions)
	awaitChange(t, a, "an answer came")
	wantAnswers4And6(t, a, election.Answered)
	far(nil)
	wantAnswers4And6(t, a, election.NoAnswer)
	far(on([]string{"far0"}, vip4, vip6))
	wantAnswers4And6(t, a, election.Answered)
	if len(a.Held()) > 0 || len(a.Conflicts()) > 0 || len(b.Conflicts()) > 0 {
		t.Errorf("held %v, conflicts %v and %v", a.Held(), a.Conflicts(), b.Conflicts())
	}
	a.Ask(nil)
	if got := a.Answers(); len(got) > 0 {
		t.Errorf("answers %v to no questions", got)
	}
}

// TestResponder_QuestionsAreUnicast: a switch that knows hosts answers broadcasts in their name, for dead ones, too.
func TestResponder_QuestionsAreUnicast(t *testing.T) {
	s := newSegment(t, "near0")
	r := begin(t, Config{})
	ours, to := s.mac(t), s.farMAC(t)
	arps, ndps := s.listen(t, unix.ETH_P_ARP), s.listen(t, unix.ETH_P_IPV6)
	begun := time.Now()
	r.Ask([]announce.Layer2Question{question(to, vip4), question(to, vip6)})
	for range askNum {
		receive(t, arps, "the ARP question", equalTo(questionARP(ours, vip4, to, netip.Addr{})))
		receive(t, ndps, "the NDP question", equalTo(questionNDP(ours, vip6, to, ourLinkLocal)))
	}
	wantAnswers4And6(t, r, election.NoAnswer)
	t.Logf("no answer after %v", time.Since(begun))
	r.Ask([]announce.Layer2Question{{Question: election.Question{Node: "n3", Addr: vip4}}})
	if got := r.Answers()[election.Question{Node: "n3", Addr: vip4}]; got != election.Unasked {
		t.Errorf("a node that cannot be asked has the answer %v", got)
	}
}

// A node whose interfaces become known is asked anew: it has not failed to answer before.
func TestAsker_WithoutAPathNobodyIsAsked(t *testing.T) {
	a, now, q := newAsker(), time.Now(), election.Question{Node: "n2", Addr: vip4}
	want := func(what string, want election.Answer) {
		t.Helper()
		if got := a.answers()[q]; got != want {
			t.Errorf("%s: %d, not %d", what, got, want)
		}
	}
	a.set(now, []announce.Layer2Question{{Question: q}})
	want("at once", election.Unasked)
	for range 2 * askNum {
		now = now.Add(askInterval)
		a.due(now)
	}
	want("later", election.Unasked)
	a.set(now, []announce.Layer2Question{{Question: q, Paths: []announce.Layer2Path{{Interface: "near0"}}}})
	want("with a path", 0)
}

// TestInquiry_AsksInRows with the times of each row.
func TestInquiry_AsksInRows(t *testing.T) {
	begins := time.Unix(1e9, 0)
	q := inquiry{due: begins}
	sent := map[time.Duration]bool{}
	run := func(from, to time.Duration) (news []time.Duration) {
		for at := from; at < to; at += time.Millisecond {
			send, changed := q.step(begins.Add(at), 0.5)
			if send {
				sent[at] = true
			}
			if changed {
				news = append(news, at)
			}
		}
		return news
	}
	if news := run(0, 20*ms); len(news) != 1 || news[0] != askNum*askInterval || q.answer != election.NoAnswer || len(sent) != askNum {
		t.Errorf("without an answer: news at %v, %d questions, %v", news, len(sent), q.answer)
	}
	if !q.heard() || q.heard() || q.answer != election.Answered {
		t.Error("an answer that comes late is news once")
	}
	// The node answers the second row, and no other.
	run(20*ms, 110*ms)
	q.heard()
	if news := run(110*ms, 1200*ms); len(news) != 1 || q.answer != election.NoAnswer {
		t.Errorf("news at %v", news)
	}
	clear(sent)
	if news := run(1200*ms, 20*time.Second); len(news) > 0 || len(sent) < 15*askNum || len(sent) > 21*askNum {
		t.Errorf("in 20 s %d questions, news at %v", len(sent), news)
	}
	q = inquiry{due: begins}
	for at := 0 * ms; at < 10*time.Second && q.answer == 0; at += 50 * ms { // A process that hardly runs.
		q.step(begins.Add(at), 0.5)
	}
	if q.answer != election.NoAnswer {
		t.Error("a process that is always late comes to no result")
	}
}

// A node that sends and receives nothing announces its addresses, too. That is a reason to ask it again, and no answer.
func TestInquiry_AnAnnouncementIsAskedAboutAtOnce(t *testing.T) {
	begins := time.Unix(1e9, 0)
	q := inquiry{due: begins}
	at := 0 * ms
	for ; q.answer != election.NoAnswer; at += ms {
		q.step(begins.Add(at), 0.5)
	}
	at += 50 * ms // The next row is not due yet.
	if send, _ := q.step(begins.Add(at), 0.5); send {
		t.Fatal("it is asked already")
	}
	q.announced(begins.Add(at))
	if q.answer != 0 {
		t.Errorf("the answer is %v", q.answer)
	}
	if send, _ := q.step(begins.Add(at), 0.5); !send {
		t.Error("it is not asked")
	}
	q.announced(begins.Add(at)) // In the middle of a row nothing begins anew.
	if q.sent != 1 {
		t.Errorf("%d were sent", q.sent)
	}
	q.heard()
	q.announced(begins.Add(at))
	if q.answer != election.Answered {
		t.Errorf("the answer is %v", q.answer)
	}
}

// TestInquiry_WaitsForOneThatAsksWhetherItWasReplaced, and that answered before, for as long as that takes, and no longer.
func TestInquiry_WaitsForOneThatAsksWhetherItWasReplaced(t *testing.T) {
	begins := time.Unix(1e9, 0)
	for _, test := range []struct {
		name   string
		silent time.Duration // after the first answer
		want   election.Answer
	}{
		{"half a second and a bit", 550 * ms, election.Answered},
		{"more than a second", 1100 * ms, election.NoAnswer},
	} {
		q := inquiry{due: begins}
		q.step(begins, 0.5)
		q.heard()
		last, row := 0*ms, 0*ms // when it was asked last, and since when of the row that is not answered
		for at := ms; at < 2*time.Second; at += ms {
			send, changed := q.step(begins.Add(at), 0.5)
			if send && row == 0 {
				row = at
			}
			if send && row > 0 && at-row >= test.silent {
				q.heard()
				break
			}
			if send {
				last = at
			}
			if changed {
				break
			}
			if row > 0 && at-last > 2*patientInterval {
				t.Fatalf("%s: no question from %v to %v", test.name, last, at)
			}
		}
		if row == 0 || q.answer != test.want {
			t.Errorf("%s: asked again at %v, the answer is %v", test.name, row, q.answer)
		}
	}
}

// TestInquiry_APauseOfThisProcessIsNoSilence: the node may have answered meanwhile, so it is asked once more.
func TestInquiry_APauseOfThisProcessIsNoSilence(t *testing.T) {
	begins := time.Unix(1e9, 0)
	q := inquiry{due: begins}
	q.step(begins, 0.5)
	q.heard()
	now := begins
	for asked := 0; asked < 2*askNum+1; { // until the second row, which is not answered, is at its patience
		now = now.Add(ms)
		if send, _ := q.step(now, 0.5); send {
			asked++
		}
	}
	now = now.Add(2 * patience)
	if send, changed := q.step(now, 0.5); !send || changed || q.answer != election.Answered {
		t.Errorf("after a pause: sends %t, news %t, the answer is %v", send, changed, q.answer)
	}
}

// TestResponder_ANodeThatAsksAboutAnAddressIsAskedAgain: so does who holds a shared one, and is not heard to announce it.
func TestResponder_ANodeThatAsksAboutAnAddressIsAskedAgain(t *testing.T) {
	for _, test := range []struct {
		addr netip.Addr
		held bool // here, too
	}{{vip4, false}, {vip4b, true}, {vip6, false}} {
		t.Run(test.addr.String(), func(t *testing.T) {
			s := newSegment(t, "near0")
			r := beginFast(t, Config{})
			far := s.farMAC(t)
			r.UpdateClusterMACs([]announce.NodeMAC{{MAC: far.String(), Node: "n2", Interface: "far0"}})
			if test.held {
				mustSet(t, r, on([]string{"near0"}, test.addr))
			}
			q := question(far, test.addr)
			r.Ask([]announce.Layer2Question{q})
			netnstest.Eventually(t, "it does not answer", func() error {
				if answer := r.Answers()[q.Question]; answer != election.NoAnswer {
					return fmt.Errorf("the answer is %v", answer)
				}
				return nil
			})
			r.asker.mu.Lock()
			state := r.asker.questions[q.Question]
			state.due = time.Now().Add(time.Hour)
			r.asker.mu.Unlock()
			etherType := protocols[lb.FamilyOf(test.addr)].etherType
			send(t, s.listen(t, etherType), protocols[lb.FamilyOf(test.addr)].probe(far, test.addr))
			netnstest.Eventually(t, "it is asked again", func() error {
				r.asker.mu.Lock()
				defer r.asker.mu.Unlock()
				if left := time.Until(state.due); left > time.Minute {
					return fmt.Errorf("not for %s", left)
				}
				return nil
			})
		})
	}
}

// TestResponder_ANodesKernelThatHasANewAddressIsAConflict: a virtual address of the control plane, or one left on an interface.
func TestResponder_ANodesKernelThatHasANewAddressIsAConflict(t *testing.T) {
	s := newSegment(t, "near0")
	r := beginFast(t, Config{})
	by := s.farMAC(t).String()
	r.UpdateClusterMACs([]announce.NodeMAC{{MAC: by, Node: "n3", Interface: "eth1"}})
	kernel := func(verb string) {
		s.host.Run(t, "ip", "addr", verb, vip4.String()+"/32", "dev", s.far)
		s.host.Run(t, "ip", "addr", verb, vip6.String()+"/128", "dev", s.far, "nodad")
	}
	kernel("add")
	mustSet(t, r, probed([]string{"near0"}, vip4, vip6))
	conflict := Conflict{MAC: by, Node: "n3", NodeInterface: "eth1", Interface: "near0"}
	of4, of6 := conflict, conflict
	of4.Addr, of6.Addr = vip4, vip6
	wantConflicts(t, r, nil, of4, of6)
	s.host.Run(t, "ip", "addr", "del", vip4.String()+"/32", "dev", s.far)
	s.host.Run(t, "ip", "addr", "del", vip6.String()+"/128", "dev", s.far)
	wantConflicts(t, r, []netip.Addr{vip4, vip6})
}

// Two speakers that claim one address at the same time settle it by their claims.
func TestACD_ANodeThatStopsSoonIsNoConflict(t *testing.T) {
	begins := time.Unix(1e9, 0)
	node := user{mac: foreign, owner: owner{"n2", "eth0"}, interfaceName: "near0"}
	d := newACD(begins, true, "")
	d.step(begins, 0.5)
	if began, _ := d.addressInUse(begins, node, 0.5); began || d.holding || d.conflict.certain {
		t.Error("a conflict at once")
	}
	var held time.Duration
	for at := 0 * ms; at < 10*time.Second && held == 0; at += 10 * ms {
		if d.step(begins.Add(at), 0.5) == doHold {
			held = at
		}
	}
	if held < nodeProbeInterval || held > time.Second {
		t.Errorf("held after %v, want soon", held)
	}
	d = newACD(begins, true, "")
	d.step(begins, 0.5)
	d.addressInUse(begins, node, 0.5)
	if began, _ := d.addressInUse(begins.Add(nodeConflictTime), node, 0.5); !began {
		t.Error("no conflict though it goes on")
	}
}

// TestResponder_ARivalOfTheClusterIsLeftToTheClaims at first: it is a conflict when they do not settle it.
func TestResponder_ARivalOfTheClusterIsLeftToTheClaims(t *testing.T) {
	s := newSegment(t, "near0")
	r := beginFast(t, Config{})
	r.UpdateClusterMACs([]announce.NodeMAC{{MAC: client.String(), Node: "n2", Interface: "eth0"}})
	conn, ours := s.listen(t, unix.ETH_P_ARP), s.mac(t)
	mustSet(t, r, on([]string{"near0"}, vip4))
	receive(t, conn, "the announcement", equalTo(gratuitousARP(ours, vip4)[1]))
	claim := with(request(broadcast, vip4, vip4), 22, client[:]...)
	send(t, conn, claim)
	awaitChange(t, r, "a rival is heard")
	rivals := r.Rivals()
	if len(rivals) != 1 || rivals[0].Addr != vip4 || rivals[0].Node != "n2" || len(r.Conflicts()) > 0 {
		t.Fatalf("rivals %+v, conflicts %v", rivals, r.Conflicts())
	}
	r.Defend([]netip.Addr{vip4})
	receive(t, conn, "the defence", equalTo(gratuitousARP(ours, vip4)[1]))
	key := rivalKey{vip4, "n2"}
	r.rivals.mu.Lock()
	r.rivals.seen[key].since = time.Now().Add(-rivalConflictTime)
	r.rivals.mu.Unlock()
	send(t, conn, claim)
	awaitChange(t, r, "it goes on")
	want := Conflict{Addr: vip4, MAC: client.String(), Node: "n2", NodeInterface: "eth0", Interface: "near0", Announced: true}
	got := r.Conflicts()
	if len(got) == 1 {
		got[0].Since = time.Time{}
	}
	if len(got) != 1 || got[0] != want {
		t.Errorf("conflicts %+v", got)
	}
	mustSet(t, r, nil)
	if len(r.Rivals()) > 0 || len(r.Conflicts()) > 0 {
		t.Errorf("of what is not held any more: rivals %+v, conflicts %v", r.Rivals(), r.Conflicts())
	}
}

// While there is no answer an address may have no holder, so that is no ordinary change.
func TestResponder_AnswersAndRivalsAreUrgent(t *testing.T) {
	s := newSegment(t, "near0")
	r := beginFast(t, Config{})
	r.UpdateClusterMACs([]announce.NodeMAC{{MAC: s.farMAC(t).String(), Node: "n2", Interface: "far0"}})
	awaitUrgent := func(what string) {
		t.Helper()
		select {
		case <-r.Urgent():
		case <-time.After(10 * time.Second):
			t.Fatalf("no urgent wake when %s", what)
		}
	}
	mustSet(t, r, on([]string{"near0"}, vip4))
	if len(r.Urgent()) > 0 {
		t.Error("to hold an address is urgent")
	}
	r.Ask([]announce.Layer2Question{question(s.farMAC(t), vip4b)})
	awaitUrgent("a node does not answer")
	conn := s.listen(t, unix.ETH_P_ARP)
	send(t, conn, arpFrame(s.mac(t), arp.OperationReply, s.farMAC(t), vip4b, s.mac(t), vip4))
	awaitUrgent("it does")
	send(t, conn, with(request(broadcast, vip4, vip4), 22, s.farMAC(t).slice()...))
	awaitUrgent("it announces what is held")
}
