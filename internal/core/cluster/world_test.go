package cluster

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

func TestPasswords_OfPeersAreFound(t *testing.T) {
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
