package gossip

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/bubble"
)

// someNode is the address that datagrams come from.
var someNode = netip.MustParseAddr("192.0.2.11")

// sealedBy returns a sealer with keys.
func sealedBy(t testing.TB, keys ...string) *sealer {
	t.Helper()
	s := &sealer{}
	if err := s.set(keysOf(keys...)); err != nil {
		t.Fatal(err)
	}
	return s
}

func keysOf(names ...string) (keys [][]byte) {
	for _, name := range names {
		key := sha256.Sum256([]byte(name))
		keys = append(keys, key[:])
	}
	return keys
}

// The salt names the key and the number is the nonce: a pair must not come twice, whoever seals what at which time.
func TestSealer_NoKeyHasANonceTwice(t *testing.T) {
	var (
		working sync.WaitGroup
		mu      sync.Mutex
	)
	seen := map[[saltLen + numberLen]byte]bool{}
	for _, s := range []*sealer{sealedBy(t, "k"), sealedBy(t, "k")} {
		for range 4 {
			working.Go(func() {
				for range 1000 {
					head := [saltLen + numberLen]byte(s.seal([]byte("message"))[1:sealedHead])
					mu.Lock()
					if seen[head] {
						t.Errorf("%x comes twice", head)
					}
					seen[head] = true
					mu.Unlock()
				}
			})
		}
		for _, keys := range [][]string{{"k", "new"}, {"new", "k"}, {"k"}} {
			working.Go(func() {
				if err := s.set(keysOf(keys...)); err != nil {
					t.Error(err)
				}
				if err := s.renew(); err != nil {
					t.Error(err)
				}
			})
		}
	}
	working.Wait()
	if len(seen) != 8000 {
		t.Errorf("%d different ones of 8000", len(seen))
	}
}

// A copy of a process, as of a virtual machine that is resumed twice, goes on with the same salt and number until it notices.
func TestSealer_TakesANewSaltAfterAStop(t *testing.T) {
	s := sealedBy(t, "k")
	before := [saltLen]byte(s.seal([]byte("message"))[1:])
	if again := [saltLen]byte(s.seal([]byte("message"))[1:]); again != before {
		t.Error("each datagram has a salt of its own: to derive a key takes long")
	}
	on := newNetwork()
	a, b := gather(t, on, "127.8.1.", patient(), "a", "b")[0], sealedBy(t, "k")
	first := a.sealer.sealing.Load().salt
	a.switches.set(true)
	eventually(t, "it is stopped", a.Stale)
	a.switches.set(false)
	eventually(t, "it has another salt", func() bool { return a.sealer.sealing.Load().salt != first })
	if _, err := b.open(someNode, nil, a.sealer.seal([]byte("message"))); err != nil {
		t.Error(err)
	}
}

func TestSealer_OpensWithAnyKeyWhileKeysChange(t *testing.T) {
	message := []byte("message")
	from, to := sealedBy(t, "old"), sealedBy(t, "old")
	opens := func(step string, want bool) {
		t.Helper()
		for range 2 { // The second time the key is known.
			got, err := to.open(someNode, make([]byte, 100), from.seal(message))
			if want != (err == nil && bytes.Equal(got, message)) {
				t.Errorf("%s: it opens %q, %v", step, got, err)
			}
		}
	}
	opens("one key", true)
	for _, step := range []struct {
		keys  []string
		first *sealer
	}{{[]string{"old", "new"}, from}, {[]string{"new", "old"}, to}, {[]string{"new"}, from}} {
		for _, s := range []*sealer{step.first, map[*sealer]*sealer{from: to, to: from}[step.first]} {
			if err := s.set(keysOf(step.keys...)); err != nil {
				t.Fatal(err)
			}
			opens(step.keys[0], true)
		}
	}
	if err := to.set(keysOf("other")); err != nil {
		t.Fatal(err)
	}
	opens("another key", false)
}

func TestSealer_OpensNothingThatWasChanged(t *testing.T) {
	from, to := sealedBy(t, "k"), sealedBy(t, "k")
	sealed := from.seal([]byte("message"))
	if _, err := to.open(someNode, nil, sealed); err != nil {
		t.Fatal(err)
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if _, err := to.open(someNode, nil, changed); err == nil {
			t.Errorf("with another byte %d it is opened", i)
		}
	}
	if len(to.openers) != 1 {
		t.Errorf("%d salts are remembered: whoever has no key fills the memory", len(to.openers))
	}
}

// Whoever has the key may begin as often as it likes.
func TestSealer_RemembersAFewThousandSenders(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		from, to := sealedBy(t, "k"), sealedBy(t, "k")
		node := someNode
		for range maxOpeners + 10 {
			node = node.Next()
			if err := from.renew(); err != nil {
				t.Fatal(err)
			}
			if _, err := to.open(node, nil, from.seal([]byte("message"))); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second / maxDerivations)
		}
		if n := len(to.openers); n == 0 || n > maxOpeners {
			t.Errorf("%d salts are remembered", n)
		}
		if n := len(to.by); n == 0 || n > maxOpeners {
			t.Errorf("%d addresses are remembered", n)
		}
	})
}

// Who sends in the name of nodes without the key makes nobody derive keys all the time. Known senders are heard meanwhile, and those that
// begin are soon: at once, if the flood comes from the address of another node.
func TestSealer_AFloodCostsFewDerivations(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		known, begins, to := sealedBy(t, "k"), sealedBy(t, "k"), sealedBy(t, "k")
		opens := func(from *sealer, node netip.Addr) bool {
			_, err := to.open(node, nil, from.seal([]byte("message")))
			return err == nil
		}
		if !opens(known, someNode) {
			t.Fatal("a sender that begins is not heard")
		}
		garbage := sealedBy(t, "other").seal([]byte("message"))
		flood := func(node netip.Addr) {
			for i := range 2 * maxOpeners {
				binary.BigEndian.PutUint64(garbage[1:], uint64(i))
				_, _ = to.open(node, nil, garbage)
			}
		}
		if flood(someNode); opens(begins, someNode) {
			t.Error("a key is derived for each datagram")
		}
		if !opens(begins, someNode.Next()) {
			t.Error("a sender that begins waits for a flood from another address")
		}
		begins = sealedBy(t, "k")
		node := someNode
		for range maxOpeners / maxNewSalts {
			node = node.Next()
			flood(node)
		}
		if opens(begins, node.Next()) {
			t.Error("a key is derived for some datagrams of each address")
		}
		if !opens(known, someNode) {
			t.Error("a known sender is not heard")
		}
		time.Sleep(time.Second)
		if !opens(begins, someNode) {
			t.Error("a sender that begins is never heard")
		}
	})
}

// A node that is cut off from the API server goes on with the key of before. Its datagrams have one salt, which is derived once; and another
// host that sends in its name, with its salt, does not keep it from being heard.
func TestSealer_DatagramsUnderAnotherKeyCostOneDerivation(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		late, to := sealedBy(t, "old"), sealedBy(t, "new")
		before := to.derivations.Tokens()
		for range maxOpeners {
			if _, err := to.open(someNode, nil, late.seal([]byte("message"))); err == nil {
				t.Fatal("another key opens it")
			}
		}
		if derived := before - to.derivations.Tokens(); derived != 1 {
			t.Errorf("a key was derived %v times", derived)
		}
		if err := to.set(keysOf("new", "old")); err != nil {
			t.Fatal(err)
		}
		changed := late.seal([]byte("message"))
		changed[len(changed)-1] ^= 1
		for range maxNewSalts {
			if _, err := to.open(someNode, nil, changed); err == nil {
				t.Fatal("what was changed is opened")
			}
		}
		if _, err := to.open(someNode, nil, late.seal([]byte("message"))); err != nil {
			t.Errorf("with the key it says %v", err)
		}
		if to.by[someNode].tried != nil {
			t.Error("the ciphers of a salt that is known are kept twice")
		}
	})
}

// What a datagram of the size of a heartbeat costs both sides; and one of a sender that is not known, with the key or without.
func BenchmarkSealer(b *testing.B) {
	message, buffer := make([]byte, 80), make([]byte, 2000)
	from, to := sealedBy(b, "k"), sealedBy(b, "k")
	b.Run("known", func(b *testing.B) {
		for b.Loop() {
			if _, err := to.open(someNode, buffer, from.seal(message)); err != nil {
				b.Fatal(err)
			}
		}
	})
	garbage := from.seal(message)
	b.Run("garbage", func(b *testing.B) {
		for i := uint64(0); b.Loop(); i++ {
			binary.BigEndian.PutUint64(garbage[1:], i)
			if _, err := to.open(someNode, buffer, garbage); err == nil {
				b.Fatal("it is opened")
			}
		}
	})
	b.Run("another-key", func(b *testing.B) {
		late := sealedBy(b, "old")
		for b.Loop() {
			if _, err := to.open(someNode, buffer, late.seal(message)); err == nil {
				b.Fatal("it is opened")
			}
		}
	})
}
