package gossip

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// acquainted returns two that have heard each other: "a" of a run, which sends, and "b", which knows its salt.
func acquainted(t testing.TB) (a, b *Membership) {
	t.Helper()
	a, b = New(Config{Node: "a", Keys: secrets("k")}), New(Config{Node: "b", Keys: secrets("k")})
	for _, each := range [][2]*Membership{{a, b}, {b, a}} {
		each[0].peers.setListed(begins, each[1].cfg.Node, listing{each[1].Incarnation(), versionRange{version1, newest}, gossipAt("127.0.0.1")}, true)
	}
	tell(t, b, a)
	tell(t, a, b)
	return a, b
}

// tell has a speaker take a ping in full of another one, and the other one what that says of salts.
func tell(t testing.TB, from, to *Membership) {
	t.Helper()
	h := from.peers.headerTo(to.cfg.Node, kindPing)
	datagram := from.sealer.seal(encode(h, ping{number: 1, at: gossipAt("127.0.0.1")}.append(nil, h.version)))
	message, err := to.sealer.open(someNode, make([]byte, 2000), datagram)
	if err != nil {
		t.Fatal(err)
	}
	head, body := decodeHeader(message)
	head.salt = saltOf(datagram)
	to.handle(head, body, byDatagram)
	back, body := decodeHeader(encode(to.peers.headerTo(from.cfg.Node, kindVotes), votes{}.append(nil, version2)))
	from.handle(back, body, byDatagram)
}

// shortDatagram is a ping of one speaker to another as it has a short header; nil: it may have none.
func shortDatagram(from, to *Membership, content shortHeartbeat) []byte {
	by := from.sealer.sealing.Load()
	message, ok := from.peers.shorten(kindPing, content, to.cfg.Node, by)
	if !ok {
		return nil
	}
	nonce := shortNonce(message.seq)
	b := appendShortHead(nil, by.salt, message.seq)
	return message.aead.Seal(b, nonce[:], message.content, b)
}

// openedBy reports whether a speaker opens a datagram with a short header.
func openedBy(m *Membership, datagram []byte) bool {
	between, aead := m.sealer.introduced(saltID(datagram[1:]))
	if aead == nil || between.to.incarnation != m.Incarnation() {
		return false
	}
	nonce := shortNonce(m.peers.seqOf(between.from, datagram[1+saltIDLen:shortHead]))
	_, err := aead.Open(nil, nonce[:], datagram[shortHead:], datagram[:shortHead])
	return err == nil
}

// Whatever a heartbeat says is what the other side takes from it, though most of it is not sent.
func TestShort_AHeartbeatStandsForTheWholeOne(t *testing.T) {
	a, b := acquainted(t)
	seq := a.peers.headerTo("b", kindPing).seq
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.SampledFrom([]kind{kindPing, kindPong}).Draw(t, "kind")
		now := said{rapid.Uint64Range(0, 2).Draw(t, "digest"), rapid.Uint64Range(0, 2).Draw(t, "has")}
		asker := a.Incarnation()
		if k == kindPong {
			asker = b.Incarnation()
		}
		number := asker + rapid.Uint64Range(0, 1<<40).Draw(t, "number")
		made, ok := a.peers.shorten(k, shortHeartbeat{number: number, said: now}, "b", a.sealer.sealing.Load())
		if seq++; !ok || made.seq != seq {
			t.Fatalf("it must be in full: %v; number %d, not %d", !ok, made.seq, seq)
		}
		between, _ := b.sealer.introduced(a.sealer.sealing.Load().salt.id())
		message, ok := b.peers.expand(between, made.seq, made.content)
		if !ok {
			t.Fatalf("%x is not understood", made.content)
		}
		head, body := decodeHeader(message)
		if head.node != "a" || head.incarnation != a.Incarnation() || head.to != "b" || head.toIncarnation != b.Incarnation() || head.seq != seq || head.kind != k {
			t.Fatalf("header %+v", head)
		}
		if k == kindPong {
			if got := body.pong(); !body.ok() || got != (pong{number: number, digest: now.digest, has: now.has}) {
				t.Fatalf("%+v", got)
			}
		} else if got := body.ping(); !body.ok() || got != (ping{number: number, at: gossipAt("127.0.0.1"), digest: now.digest, has: now.has}) {
			t.Fatalf("%+v", got)
		}
		b.peers.noteSaid("a", now)
	})
}

// What is not sent is authenticated all the same.
func TestShort_IsOpenedByTheRunThatItIsForAlone(t *testing.T) {
	a, b := acquainted(t)
	other, _ := acquainted(t)
	datagram := shortDatagram(a, b, shortHeartbeat{number: a.Incarnation()})
	if datagram == nil || !openedBy(b, datagram) {
		t.Fatalf("%x is not opened", datagram)
	}
	if len(datagram) > 40 {
		t.Errorf("it has %d bytes", len(datagram))
	}
	for i := range datagram {
		changed := append([]byte{}, datagram...)
		if changed[i] ^= 1; i > 0 && openedBy(b, changed) {
			t.Errorf("with another byte %d it is opened", i)
		}
	}
	if openedBy(other, datagram) || openedBy(a, datagram) {
		t.Error("another speaker opens it")
	}
	b.peers.refute(b.Incarnation() + 1)
	if openedBy(b, datagram) {
		t.Error("a later run opens it")
	}
}

// Who sends one has heard that it is opened, by this run, with this salt, and that the last one was answered.
func TestShort_IsSentOnlyToWhoOpensIt(t *testing.T) {
	plain := shortHeartbeat{number: 1}
	for _, step := range []struct {
		name   string
		change func(a, b *Membership)
		beat   shortHeartbeat
		short  bool
	}{
		{"to one that has said that it opens it", func(*Membership, *Membership) {}, plain, true},
		{"with more to say", func(*Membership, *Membership) {}, ping{missed: time.Second}.short(), false},
		{"to one of an earlier build, which does not say it", func(a, _ *Membership) { a.peers.records["b"].shortForm = shortForm{} }, plain, false},
		{"with another salt", func(a, _ *Membership) { _ = a.sealer.renew() }, plain, false},
		{"by a later run of ours", func(a, _ *Membership) { a.peers.refute(a.Incarnation() + 1) }, plain, false},
		{"to a later run of it", func(a, b *Membership) { a.peers.detector.Mentioned(begins, "b", b.Incarnation()+1) }, plain, false},
		{"when the ping before was not answered", func(a, _ *Membership) {
			a.peers.detector.TakePings(begins.Add(time.Hour))
			a.peers.detector.TakePings(begins.Add(2 * time.Hour))
		}, plain, false},
	} {
		a, b := acquainted(t)
		step.change(a, b)
		if got := shortDatagram(a, b, step.beat) != nil; got != step.short {
			t.Errorf("%s: short is %v", step.name, got)
		}
	}
}

// A heartbeat in full may have said something else, which the receiver goes by.
func TestShort_SaysAllAgainAfterAHeartbeatInFull(t *testing.T) {
	a, b := acquainted(t)
	beat := shortHeartbeat{number: 1, said: said{digest: 7, has: 7}}
	first := len(shortDatagram(a, b, beat))
	for range sayTimes {
		shortDatagram(a, b, beat)
	}
	if later := len(shortDatagram(a, b, beat)); later >= first {
		t.Fatalf("it is said each time: %d and %d bytes", first, later)
	}
	shortDatagram(a, b, shortHeartbeat{number: 2, full: true})
	if again := len(shortDatagram(a, b, beat)); again != first {
		t.Errorf("%d bytes, and %d after one in full", first, again)
	}
}

// Of two salts that begin alike one is not announced.
func TestSealer_IntroducesNoSecondSaltThatBeginsAlike(t *testing.T) {
	from, to := sealedBy(t, "k"), sealedBy(t, "k")
	between := pair{run{"a", 1}, run{"b", 1}}
	introduce := func(of salt) bool {
		aead, err := derived(to.keys[0], of)
		if err != nil {
			t.Fatal(err)
		}
		to.openers[of] = &opener{aead: aead, key: to.keys[0]}
		return to.introduce(of, between)
	}
	first := from.sealing.Load().salt
	alike := first
	alike[saltLen-1] ^= 1
	if !introduce(first) || introduce(alike) || !introduce(first) || introduce(salt{}) {
		t.Error("the first alone may be announced")
	}
	if err := to.set(keysOf("new")); err != nil {
		t.Fatal(err)
	}
	if _, aead := to.introduced(first.id()); aead != nil {
		t.Error("it is opened by a key that was removed")
	}
	if len(to.ids) > 0 {
		t.Errorf("the beginnings of %d salts are kept without a key", len(to.ids))
	}
}

func TestSeqNear_TakesTheNearestNumber(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		near := rapid.Uint64Range(0, 1<<40).Draw(t, "near")
		seq := uint64(max(0, int64(near)+rapid.Int64Range(-1<<15+1, 1<<15-1).Draw(t, "off")))
		head := appendShortHead(nil, salt{}, seq)
		if got := seqNear(near, head[1+saltIDLen:]); got != seq {
			t.Fatalf("%d near %d is read as %d", seq, near, got)
		}
	})
}

// Two speakers at rest send heartbeats with short headers, and one that has forgotten all salts hears the other one all the time.
func TestShort_ASpeakerThatForgetsSaltsHearsTheNextPing(t *testing.T) {
	var kept *recorder
	cfg := func(node, at string) Config {
		return Config{Node: node, Bind: gossipAt(at), Keys: secrets("k"), Timing: patient()}
	}
	a := beginChanged(t, cfg("a", "127.5.3.1"), func(m *Membership) { kept = recording(m) })
	b := beginWith(t, cfg("b", "127.5.3.2"), nil)
	meet(t, a, b)
	a.awaits(t, "both", alive("a", "b"))
	heartbeats(t, a, b)
	shorts := func() (n int) {
		for _, datagram := range kept.sentTo(b) {
			if isShort(datagram) {
				n++
			}
		}
		return n
	}
	eventually(t, "heartbeats are short", func() bool { return shorts() > 3 })
	for _, s := range []*speaker{a, b} {
		s.sealer.mu.Lock()
		clear(s.sealer.openers)
		clear(s.sealer.ids)
		s.sealer.mu.Unlock()
	}
	since, before := time.Now(), shorts()
	eventually(t, "they hear each other", func() bool { return a.heardSince(b, since) && b.heardSince(a, since) })
	eventually(t, "heartbeats are short again", func() bool { return shorts() > before+3 })
	if a.View().Returned+b.View().Returned > 0 {
		t.Error("one took the other one for dead")
	}
}

// FuzzExpand: nothing that a speaker with the key may say with a short header reads as anything but a heartbeat of that speaker.
func FuzzExpand(f *testing.F) {
	a, b := acquainted(f)
	for range sayTimes + 1 {
		made, _ := a.peers.shorten(kindPing, shortHeartbeat{number: a.Incarnation() + 1, said: said{1 << 60, 2}}, "b", a.sealer.sealing.Load())
		f.Add(made.content)
	}
	f.Add([]byte{byte(kindPong) | shortAlone, 5, 3, 4, 1, 2, 3, 4})
	between := pair{run{"a", a.Incarnation()}, run{"b", b.Incarnation()}}
	f.Fuzz(func(t *testing.T, content []byte) {
		if len(content) == 0 {
			return
		}
		message, ok := b.peers.expand(between, 9, content)
		if !ok {
			return
		}
		head, body := decodeHeader(message)
		if body.failed || head.node != "a" || head.to != "b" || head.seq != 9 || head.kind != kindPing && head.kind != kindPong {
			t.Errorf("%x reads as %+v", content, head)
		}
	})
}
