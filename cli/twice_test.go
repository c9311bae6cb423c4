package main

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/status"
)

// twice adds a BGPPeer that leads all nodes to the router of the older BGPPeer tor, as speakers and the controller then say it.
func twice(all *source.Memory) *source.Memory {
	const overridden = "BGPPeer tor names the same router, 192.0.2.1:179, and is older"
	since := metav1.NewTime(now.Add(-time.Minute))
	peer := &v1beta1.BGPPeer{TypeMeta: metav1.TypeMeta{APIVersion: v1beta1.GroupVersion.String(), Kind: "BGPPeer"}}
	peer.Name, peer.Generation, peer.CreationTimestamp = "router", 1, since
	peer.Spec = v1beta1.BGPPeerSpec{MyASN: 64512, PeerASN: new(int64(64513)), PeerAddress: "192.0.2.1"}
	peer.Status = v1beta1.BGPPeerStatus{ObservedGeneration: 1, Nodes: 3, Conditions: []metav1.Condition{
		{Type: v1beta1.ConditionReady, Status: metav1.ConditionTrue, Reason: status.InUse.Name, LastTransitionTime: since},
		{
			Type: v1beta1.ConditionSessionsEstablished, Status: metav1.ConditionFalse, Reason: status.NotEstablished.Name, LastTransitionTime: since,
			Message: fmt.Sprintf("0 of 3 nodes have their sessions; n1: %s; n2: %[1]s; n3: %[1]s", overridden),
		},
	}}
	for _, item := range all.Items {
		if speaker, ok := item.(*v1beta1.Speaker); ok {
			speaker.Status.BGP = append([]v1beta1.BGPSession{{
				Peer: peer.Name, Address: "192.0.2.1", State: v1beta1.BGPActive, Since: since, LastError: overridden,
			}}, speaker.Status.BGP...)
		}
	}
	all.Items = append(all.Items, peer)
	return all
}

// twiceByGateway is twice with a younger BGPPeer that leads to the default gateway.
func twiceByGateway(all *source.Memory) *source.Memory {
	for _, item := range twice(all).Items {
		if peer, ok := item.(*v1beta1.BGPPeer); ok && peer.Name == "router" {
			peer.Spec.PeerAddress, peer.Spec.PeerFrom = "", &v1beta1.PeerFrom{DefaultGateway: new(v1beta1.AddressFamily("IPv4"))}
		}
	}
	return all
}

// renamed is twice with an advertisement that is for the younger BGPPeer alone, so that nothing is announced.
func renamed(all *source.Memory) *source.Memory {
	for _, item := range twice(all).Items {
		switch o := item.(type) {
		case *v1beta1.BGPAdvertisement:
			o.Spec.Peers = []string{"router"}
		case *v1beta1.Speaker:
			for i := range o.Status.BGP {
				if session := &o.Status.BGP[i]; session.Peer == "tor" {
					session.IPv4, session.Digest = 0, strings.Repeat("0", 16)
				}
			}
		case *corev1.Service:
			if o.Name == "api" {
				announced := meta.FindStatusCondition(o.Status.Conditions, v1beta1.ConditionAnnounced)
				announced.Status, announced.Reason = metav1.ConditionFalse, announce.ReasonNoNode.Name
				announced.Message = "198.51.100.0: no node announces it; of the node with a ready endpoint that is nearest to it: an older BGPPeer leads to the same router, and has the session"
				announced.LastTransitionTime = metav1.NewTime(now.Add(-time.Minute))
			}
		}
	}
	return all
}
