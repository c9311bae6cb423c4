package gossip

import (
	"bytes"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// From whatever keys to whatever others, the keyring has exactly the new ones, the first of them first.
func TestRotate_EndsWithTheNewKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		some := rapid.SliceOfNDistinct(rapid.IntRange(0, 6), 1, 6, rapid.ID[int])
		secrets := func(numbers []int) [][]byte {
			all := make([][]byte, 0, len(numbers))
			for _, n := range numbers {
				all = append(all, []byte{byte(n)})
			}
			return derive(all)
		}
		before, after := secrets(some.Draw(t, "before")), secrets(some.Draw(t, "after"))
		ring, err := newKeyring(before)
		if err != nil {
			t.Fatal(err)
		}
		if err := rotate(ring, after); err != nil {
			t.Fatal(err)
		}
		got := ring.GetKeys()
		if !bytes.Equal(got[0], after[0]) {
			t.Fatal("the first key does not encrypt")
		}
		want := slices.Clone(after)
		for _, keys := range [][][]byte{got, want} {
			slices.SortFunc(keys, bytes.Compare)
		}
		if !slices.EqualFunc(got, want, bytes.Equal) {
			t.Fatalf("got %d keys, want %d", len(got), len(want))
		}
	})
}

// Receivers iterate over the keys while they are changed. The race detector finds out whether that is safe.
func TestRotate_DoesNotDisturbReceivers(t *testing.T) {
	a, b, c := []byte("a"), []byte("b"), []byte("c")
	ring, err := newKeyring(derive([][]byte{a}))
	if err != nil {
		t.Fatal(err)
	}
	var receivers sync.WaitGroup
	done := make(chan struct{})
	for range 2 {
		receivers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				for _, key := range ring.GetKeys() {
					if len(key) != 32 {
						t.Error("half a key")
					}
				}
			}
		})
	}
	for range 200 {
		for _, secrets := range [][][]byte{{a, b}, {b, a}, {b}, {c, b}, {c, a, b}, {a}} {
			if err := rotate(ring, derive(secrets)); err != nil {
				t.Fatal(err)
			}
		}
	}
	close(done)
	receivers.Wait()
}

func TestDerive_TakesSecretsOfAnyLength(t *testing.T) {
	keys := derive([][]byte{{}, []byte("x"), bytes.Repeat([]byte("y"), 1000), []byte("x")})
	if len(keys) != 3 {
		t.Fatalf("%d keys of 3 different secrets", len(keys))
	}
	for _, key := range keys {
		if len(key) != 32 {
			t.Errorf("a key of %d bytes", len(key))
		}
	}
}
