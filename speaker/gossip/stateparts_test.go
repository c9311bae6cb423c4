package gossip

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestAssembly_AStateIsWholeWhateverComesFirst(t *testing.T) {
	state := record("a", 1, 7, manyLinks(60))
	var a assembly
	parts := partsOf(state)
	if len(parts) < 5 {
		t.Fatalf("%d parts", len(parts))
	}
	for _, order := range [][]int{rand.Perm(len(parts)), rand.Perm(len(parts))} {
		for i, at := range order {
			_, _ = a.add(parts[order[0]]) // One comes twice.
			whole, complete := a.add(parts[at])
			if complete != (i == len(order)-1) {
				t.Fatalf("complete after %d of %d parts", i+1, len(parts))
			}
			if complete && !reflect.DeepEqual(whole, state) {
				t.Errorf("it is another state: %+v", whole)
			}
		}
		if a.size != 0 || len(a.states) != 0 {
			t.Errorf("%d bytes are kept of %d states", a.size, len(a.states))
		}
	}
}

func TestAssembly_ALaterStateCounts(t *testing.T) {
	earlier, later := partsOf(record("a", 1, 7, manyLinks(60))), partsOf(record("a", 1, 8, manyLinks(50)))
	var a assembly
	_, _ = a.add(earlier[0])
	for i, part := range later {
		_, _ = a.add(earlier[1])
		if _, complete := a.add(part); complete != (i == len(later)-1) {
			t.Fatalf("complete after %d of %d parts", i+1, len(later))
		}
	}
}

func TestAssembly_IsBounded(t *testing.T) {
	var a assembly
	for i := range 3 * maxAssembled / (partOverhead * maxParts) {
		part := statePart{stateRecord{node: strings.Repeat("x", i%200), incarnation: uint64(i), body: make([]byte, partLen)}, uint64(i % maxParts), maxParts}
		if i%maxParts == 0 {
			part.index = 1
		}
		_, _ = a.add(part)
		if a.size > maxAssembled+partOverhead*maxParts+partLen {
			t.Fatalf("%d bytes", a.size)
		}
	}
}

func TestStatePart_IsReadAsItWasWritten(t *testing.T) {
	for _, part := range partsOf(record("node", 12345, 4, manyLinks(60))) {
		message := encode(header{version: newest, kind: kindStatePart, node: "node", incarnation: 12345, to: "b", speaks: versionRange{1, 3}}, part.append(nil, newest))
		from, body := decodeHeader(message)
		got := body.statePart()
		got.state.node, got.state.incarnation = from.node, from.incarnation
		if !body.ok() || !reflect.DeepEqual(got, part) || from.speaks != (versionRange{1, 3}) {
			t.Errorf("%+v became %+v, in %+v", part, got, from)
		}
		if longest := len(message) + 2*maxText; longest > maxDatagram {
			t.Errorf("%d bytes with the longest names", longest)
		}
	}
	for _, damaged := range []statePart{{index: 1, count: 1}, {count: maxParts + 1}, {state: stateRecord{body: make([]byte, partLen+1)}, count: 1}} {
		body := &reader{rest: damaged.append(nil, newest), version: newest}
		if _ = body.statePart(); body.ok() {
			t.Errorf("%+v is taken", damaged)
		}
	}
}

// What another speaker has of our state is told by its pings. One that has it is left alone.
func TestPeerStore_ALostStateIsSentAgain(t *testing.T) {
	m := New(Config{Node: "self", Keys: secrets("k")})
	m.peers.setListed(begins, "a", listing{1, versionRange{version1, newest}, gossipAt("127.0.0.1")}, true)
	lacks := func(after time.Duration, has uint64) bool { return m.peers.lacksState(begins.Add(after), "a", has) }
	if lacks(0, 1) || lacks(time.Hour, 1) {
		t.Error("there is none yet")
	}
	m.BroadcastState(State{Known: true})
	for _, step := range []struct {
		name  string
		after time.Duration
		has   uint64
		lacks bool
	}{
		{"it is on its way", 0, 1, false},
		{"it still may be", stateGrace - ms, 1, false},
		{"it is lost", stateGrace, 1, true},
		{"it is on its way again", stateGrace + ms, 1, false},
		{"it is lost again", 2 * stateGrace, 1, true},
		{"it has come", 3 * stateGrace, 2, false},
		{"one of before does not say", 9 * stateGrace, 0, false},
	} {
		if got := lacks(step.after, step.has); got != step.lacks {
			t.Errorf("%s: %v", step.name, got)
		}
	}
	if m.peers.hasOf("a") != 1 || m.peers.hasOf("nobody") != 1 {
		t.Error("nothing is known of a")
	}
	m.peers.mergeState(begins, stateRecord{node: "a", incarnation: 1, seq: 5, version: version1, body: State{}.encode(version1)})
	if got := m.peers.hasOf("a"); got != 5 {
		t.Errorf("%d says that what version 1 says is all of it", got)
	}
	m.peers.mergeState(begins, record("a", 1, 5, State{}))
	if got := m.peers.hasOf("a"); got != 6 {
		t.Errorf("%d says that the latest is not there", got)
	}
}
