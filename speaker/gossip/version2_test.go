package gossip

import (
	"bytes"
	_ "embed"
	"encoding/hex"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/detector"
	"github.com/daymark-lb/daymark/internal/core/election"
)

// version2Recorded is what a speaker of version 2, "old", sent to one of its own version, "a", as it was on the wire, sealed with the
// secret "k"; and its NodeMeta and its part of an exchange. It was built from the last commit before version 3, and is not changed.
//
//go:embed testdata/version2.txt
var version2Recorded string

// A speaker of version 3 reads what one of version 2 sends, and writes to it the very same bytes.
func TestVersion2_WhatASpeakerSentIsReadAndWrittenAlike(t *testing.T) {
	recorded := map[string][]byte{}
	for line := range strings.Lines(version2Recorded) {
		name, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		message, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		recorded[name] = message
	}
	meta := recorded["meta"]
	if got := versionsOf(meta, 2); got != (versionRange{version1, version2}) || got.foreign() {
		t.Errorf("it speaks versions %v", got)
	}
	incarnation := incarnationOf(meta)
	addr := netip.MustParseAddr
	claims := claimList{
		{Addr: addr("192.0.2.9"), Node: "old", Incarnation: incarnation, Term: 3, Announced: true},
		{Addr: addr("2001:db8::9"), Node: "old", Incarnation: incarnation, Term: 1},
	}
	state := State{Known: true, Links: manyLinks(1).Links}
	opener := sealedBy(t, "k")
	delete(recorded, "meta")
	for name, message := range recorded {
		if isSealed(message) {
			opened, err := opener.open(someNode, nil, message)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			message = bytes.Clone(opened)
		}
		head, r := decodeHeader(message)
		if head.version != version2 || head.node != "old" || head.incarnation != incarnation || head.alone {
			t.Errorf("%s: head %+v", name, head)
		}
		if name != "exchange" && (head.to != "a" || head.toIncarnation == 0 || head.seq == 0) {
			t.Errorf("%s: head %+v", name, head)
		}
		var content body
		good := true
		switch name {
		case "ping":
			asked := r.ping()
			content, good = asked, asked.number > 0 && asked.at == gossipAt("127.4.2.9")
		case "pong":
			answer := r.pong()
			content, good = answer, answer.number > 0
		case "votes":
			said := r.votes()
			content, good = said, said.number == 1 && len(said.votes) == 1 && said.votes[0].Node == "a" && said.votes[0] == (detector.Vote{
				Node: "a", Incarnation: said.votes[0].Incarnation,
			})
		case "claims":
			said := r.claimsMessage()
			content, good = said, reflect.DeepEqual(said.claims, claims)
		case "state":
			said := r.stateRecord(head)
			got, ok := said.decode()
			content, good = said, ok && reflect.DeepEqual(got, state)
		case "missed":
			said := r.missed()
			content, good = said, said == missed{"c", 7}
		case "exchange":
			said := r.exchange()
			nodes := []string{}
			for _, record := range said.states {
				got, ok := record.decode()
				good = good && ok && got.Known
				nodes = append(nodes, record.node)
			}
			content, good = said, good && slices.Contains(nodes, "old") && containsAll(said.claims, claims)
		case "leave":
			content = leave{}
		default:
			t.Errorf("nobody knows %s", name)
			continue
		}
		if !r.ok() || !good {
			t.Errorf("%s: whole: %v, %+v", name, r.ok(), content)
		}
		if again := encode(head, content.append(nil, version2)); !bytes.Equal(again, message) {
			t.Errorf("%s is written as\n%x, and was\n%x", name, again, message)
		}
	}
	if want := []string{"claims", "exchange", "leave", "missed", "ping", "pong", "state", "votes"}; !slices.Equal(slices.Sorted(maps.Keys(recorded)), want) {
		t.Errorf("recorded are %v", slices.Sorted(maps.Keys(recorded)))
	}
}

func containsAll(all, some []election.Claim) bool {
	return !slices.ContainsFunc(some, func(claim election.Claim) bool { return !slices.Contains(all, claim) })
}
