package gossip

import (
	"bytes"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// FuzzState: what can be read of a state is read again as it was, once written in the same version, and is bounded.
func FuzzState(f *testing.F) {
	full := manyLinks(3)
	full.Links[1].Unable, full.Links[1].PermanentMAC = []lb.Family{lb.IPv6}, "02:00:00:00:00:02"
	full.Links[2].Routes = full.Links[0].Addresses[:1]
	full.Segments = []election.SegmentEdges{{
		Subnet: full.Links[0].Addresses[0].Masked(), Cut: []string{"b"}, Open: []string{"c"}, Heard: []string{"d"},
	}}
	full.Draining, full.DrainingTold = []netip.Addr{full.Links[0].Addresses[0].Addr(), netip.MustParseAddr("2001:db8::1")}, true
	full.Sessions, full.PassesOn, full.Lost = 1<<60, true, full.Draining
	for _, s := range []State{{}, {Known: true}, {Leaving: true, Proxy: 1}, full} {
		f.Add(byte(version1), s.encode(version1))
		f.Add(byte(version2), s.encode(version2))
	}
	f.Fuzz(func(t *testing.T, number byte, body []byte) {
		v := version1 + version(number%2)
		s, ok := stateRecord{version: v, body: body}.decode()
		if !ok {
			return
		}
		for _, as := range []version{v, version1} {
			again := s.encode(as)
			got, ok := stateRecord{version: as, body: again}.decode()
			if !ok || as == v && !bytes.Equal(got.encode(as), again) || len(got.Links) != len(s.Links) {
				t.Errorf("version %d: written again it reads %+v, was %+v", as, got, s)
			}
		}
	})
}

// FuzzNodeMeta: no NodeMeta makes a speaker understand nothing of what it says, or puts its incarnation out of range.
func FuzzNodeMeta(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 5}, byte(0))
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 5}, byte(2))
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 5, 1, 1, 2, 2, 1, 3}, byte(3))
	f.Fuzz(func(t *testing.T, meta []byte, dMax byte) {
		before := bytes.Clone(meta)
		versions := versionsOf(meta, dMax)
		if !versions.known() || versions.min == 0 || versions.max < versions.min {
			t.Errorf("versions %v", versions)
		}
		if incarnationOf(meta) >= maxIncarnation {
			t.Errorf("incarnation %d", incarnationOf(meta))
		}
		if !bytes.Equal(meta, before) {
			t.Error("the NodeMeta was written to")
		}
	})
}

// FuzzSealer_Open: nothing is opened but what was sealed with the key, and what is not remembers no salt.
func FuzzSealer_Open(f *testing.F) {
	var from, to sealer
	for _, s := range []*sealer{&from, &to} {
		if err := s.set(derive(secrets("k"))); err != nil {
			f.Fatal(err)
		}
	}
	sealed := from.seal([]byte("message"))
	f.Add(sealed)
	f.Add(slices.Concat(sealed, []byte{0}))
	f.Add(sealed[:len(sealed)-1])
	f.Fuzz(func(t *testing.T, datagram []byte) {
		if !isSealed(datagram) {
			return
		}
		openers := len(to.openers)
		message, err := to.open(someNode, nil, datagram)
		switch {
		case err != nil && len(to.openers) != openers:
			t.Error("a salt is remembered that nobody with the key has used")
		case err == nil && !reflect.DeepEqual(message, []byte("message")):
			t.Errorf("%x is opened", datagram)
		}
	})
}
