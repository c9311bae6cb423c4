package reconcile

import (
	"net/netip"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/speaker/layer2"
)

func TestGossipKeys_KeyToSendWithIsFirst(t *testing.T) {
	secret := func(name string, data map[string][]byte) *corev1.Secret {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: data}
	}
	keys := gossipKeys([]*corev1.Secret{
		secret("other", map[string][]byte{"key": []byte("no")}),
		secret(v1beta1.GossipSecret, map[string][]byte{"a": []byte("2"), "key": []byte("1"), "b": []byte("3")}),
	})
	var got []string
	for _, key := range keys {
		got = append(got, string(key))
	}
	if want := []string{"1", "2", "3"}; !slices.Equal(got, want) {
		t.Errorf("keys %v, want %v", got, want)
	}
}

// TestLeftToOthers: who comes to hold the address next has to probe it, also where one of its segments alone is left.
func TestLeftToOthers(t *testing.T) {
	addr := func(last byte) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, last}) }
	got := leftToOthers([]layer2.Conflict{
		{Addr: addr(4)}, {Addr: addr(3), Announced: true}, {Addr: addr(2), Announced: true, Elsewhere: true}, {Addr: addr(1), Node: "n2"},
	})
	if want := []netip.Addr{addr(2), addr(4)}; !slices.Equal(got, want) {
		t.Errorf("left are %v, want %v", got, want)
	}
}
