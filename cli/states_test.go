package main

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/internal/core/status"
)

// silent has the session of n2 down, and the controller has not written that yet.
func silent(all *source.Memory) *source.Memory {
	for _, item := range all.Items {
		if speaker, ok := item.(*v1beta1.Speaker); ok && speaker.Name == "n2" {
			session := &speaker.Status.BGP[0]
			session.State, session.LastError, session.Since = v1beta1.BGPActive, "dial 192.0.2.1:179: connection refused", metav1.NewTime(now.Add(-time.Minute))
		}
	}
	return all
}

// unwell has each node have something that the Services' conditions do not say: connections to n1 break, the session of n2 is down, and the
// router was not sent by n3 what it should.
func unwell(all *source.Memory) source.Source {
	for _, item := range all.Items {
		speaker, ok := item.(*v1beta1.Speaker)
		if !ok {
			continue
		}
		switch session := &speaker.Status.BGP[0]; speaker.Name {
		case "n1":
			speaker.Status.Conditions = append(speaker.Status.Conditions, metav1.Condition{
				Type: v1beta1.ConditionConnectionsBreak, Status: metav1.ConditionTrue, Reason: status.CannotPassOn.Name,
				Message: "rp_filter of eth0 is 1", LastTransitionTime: metav1.NewTime(now.Add(-time.Hour)),
			})
		case "n3":
			session.IPv4, session.Digest = 1, "0123456789abcdef"
		}
	}
	return silent(all)
}

// nowhere has an L2Advertisement name an interface that no node has, as the controller and the speakers then say it.
func nowhere(all *source.Memory) source.Source {
	since := metav1.NewTime(now.Add(-time.Minute))
	fail := func(conditions []metav1.Condition, kind, reason, message string) {
		c := meta.FindStatusCondition(conditions, kind)
		c.Status, c.Reason, c.Message, c.LastTransitionTime = metav1.ConditionFalse, reason, message, since
	}
	for _, item := range all.Items {
		switch o := item.(type) {
		case *v1beta1.L2Advertisement:
			o.Spec.Interfaces = []string{"eth9"}
			fail(o.Status.Conditions, v1beta1.ConditionReady, status.NoInterface.Name, "interfaces: eth9: no node that is selected has such an interface that is up; they have eth0")
		case *v1beta1.Speaker:
			o.Status.Layer2 = v1beta1.SpeakerLayer2{}
			fail(o.Status.Conditions, v1beta1.ConditionReady, status.Failed.Name, "192.0.2.200 is held by no node: nodeSelectors and interfaces of the "+
				"advertisement (lan) leave none that may hold it and has an interface for it that is up")
		case *corev1.Service:
			if o.Name == "web" {
				fail(o.Status.Conditions, v1beta1.ConditionAnnounced, status.NoNode.Name, "192.0.2.200: no node announces it (interfaces: eth9; the nodes have eth0)")
			}
		}
	}
	return all
}

// full has a pool of one address, which a Service has, as when it was made for that one.
func full(all *source.Memory) source.Source {
	for _, item := range all.Items {
		if pool, ok := item.(*v1beta1.IPAddressPool); ok && pool.Name == "lan" {
			pool.Spec.Addresses, pool.Status.IPv4 = []v1beta1.AddressRange{"192.0.2.200/32"}, &v1beta1.AddressCount{Assigned: 1, Available: "0"}
			c := meta.FindStatusCondition(pool.Status.Conditions, v1beta1.ConditionExhausted)
			c.Status, c.Reason, c.Message = metav1.ConditionTrue, status.Exhausted.Name, "no IPv4 address is left: 1 in use"
		}
	}
	return all
}

// told has Events about objects that are in no namespace, and an older one about another node.
func told(all *source.Memory) source.Source {
	for i, about := range []string{"Node n1", "Speaker n1", "IPAddressPool lan", "BGPPeer tor", "Node n2"} {
		kind, name, _ := strings.Cut(about, " ")
		event := &eventsv1.Event{
			TypeMeta: metav1.TypeMeta{APIVersion: "events.k8s.io/v1", Kind: "Event"}, ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: strings.ToLower(kind + "." + name)},
			EventTime: metav1.NewMicroTime(now.Add(-time.Duration(i+1) * time.Minute)), Type: corev1.EventTypeNormal, Reason: "Noted", Note: "about " + about,
			Regarding: corev1.ObjectReference{Kind: kind, Name: name},
		}
		all.Items = append(all.Items, event)
	}
	return all
}

// parted has the segment of an address that n2 holds cut, so that n1 stands in for it; with alone, also the gossip of n1, which takes itself for the holder.
func parted(all *source.Memory, alone bool) source.Source {
	for _, item := range all.Items {
		speaker, ok := item.(*v1beta1.Speaker)
		if !ok || speaker.Name != "n1" {
			continue
		}
		known := meta.FindStatusCondition(speaker.Status.Conditions, v1beta1.ConditionMembershipKnown)
		held := v1beta1.HeldAddress{Address: "192.0.2.200", Interfaces: []string{"eth0"}, Since: metav1.NewTime(now.Add(-time.Minute))}
		known.Reason = status.NotAllSeen.Name
		if alone {
			speaker.Status.Members, known.Message = 1, "does not see n2, n3"
		} else {
			held.StandsInFor = "n2"
			known.Message = "the segment of 192.0.2.0/24 does not lead to n2, n3 any more, and the gossip does: is a switch cut?; this node stands in for n2, and answers here for 192.0.2.200"
		}
		speaker.Status.Layer2.Held = []v1beta1.HeldAddress{held}
	}
	return all
}

// edited has an edit of a BGPPeer that misspells the annotation which nodes have: the controller does not accept it, and its sessions go on.
func edited(all *source.Memory) source.Source {
	for _, item := range all.Items {
		switch o := item.(type) {
		case *corev1.Node:
			o.Annotations = map[string]string{"example.com/routers": "192.0.2.1"}
		case *v1beta1.BGPPeer:
			before := o.DeepCopy()
			o.Status.Accepted = &v1beta1.AcceptedBGPPeer{Generation: 1, Spec: before.Spec}
			o.Generation, o.Spec.PeerAddress, o.Spec.PeerFrom = 2, "", &v1beta1.PeerFrom{NodeAnnotation: "example.com/roters"}
			*meta.FindStatusCondition(o.Status.Conditions, v1beta1.ConditionReady) = metav1.Condition{
				Type: v1beta1.ConditionReady, Status: metav1.ConditionFalse, Reason: status.NoNode.Name, LastTransitionTime: metav1.NewTime(now.Add(-time.Minute)),
				Message: "no node that nodeSelectors match has the annotation example.com/roters: did you mean example.com/routers?; what it said in generation 1 counts until then",
			}
		}
	}
	return all
}
