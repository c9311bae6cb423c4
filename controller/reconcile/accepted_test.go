package reconcile

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/informer"
)

func TestAccepted_ObjectsThatAreGoneAreForgotten(t *testing.T) {
	a := newAccepted()
	peer := func(uid string) *v1beta1.BGPPeer {
		p := &v1beta1.BGPPeer{ObjectMeta: metav1.ObjectMeta{UID: types.UID(uid)}}
		p.Status.Accepted = &v1beta1.AcceptedBGPPeer{Generation: 1}
		a.putPeer(p, true)
		return p
	}
	stays := peer("stays")
	peer("goes")
	s := &snapshot{Snapshot: &informer.Snapshot{}}
	s.ParsedPeers = []informer.Parsed[*v1beta1.BGPPeer, *lb.Peer]{{Object: stays}}
	a.forget(s)
	if len(a.peers) != 1 || a.peers["stays"] == nil {
		t.Errorf("remembered are %v", a.peers)
	}
}
