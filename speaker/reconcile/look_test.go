package reconcile

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

func TestTheKeyToSendWithComesFirst(t *testing.T) {
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

func TestPasswordsOfPeersAreFound(t *testing.T) {
	peers := []*lb.Peer{
		{Name: "none"},
		{Name: "there", Password: &lb.SecretKey{Name: "s", Key: "password"}},
		{Name: "missing", Password: &lb.SecretKey{Name: "s", Key: "other"}},
	}
	got := passwords(peers, []*corev1.Secret{{ObjectMeta: metav1.ObjectMeta{Name: "s"}, Data: map[string][]byte{"password": []byte("x")}}})
	if len(got) != 1 || got[*peers[1].Password] != "x" {
		t.Errorf("found %v", got)
	}
}
