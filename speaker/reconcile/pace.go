package reconcile

import (
	"math/rand/v2"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/status"
)

// Paces of the writes of a Speaker object. What happens to one node is written at once. What happens to all nodes at the same moment is
// written by each at another time, so that the cluster makes a bounded number of writes a second, whatever its size.
type pace uint8

const (
	// nothing is to be written.
	nothing pace = iota
	// counts have changed: prefixes and their digest, the words of a condition. Nobody waits for them.
	counts
	// members have changed, which few speakers of a large cluster write. They wait so that a roll-out is not two writes for each node.
	members
	// withdrawn has changed, which the controller waits for at most a minute; or the next try of a session, which lasts a minute
	// or more.
	withdrawn
	// sessions have changed, which may be those of all nodes: their one router has restarted, or their BGPPeer was edited. Or the service
	// proxy of a node begins to fail, of which others read.
	sessions
	// now: anything else has changed.
	now
)

const (
	// countsShare is the time that each speaker takes of the writes of counts: together they make 10 a second.
	countsShare = 100 * time.Millisecond
	// membersWait is how long a change of the members waits on average, in a cluster where that of counts waits as long.
	membersWait = 3 * time.Second
	// sessionShare is the time that each speaker takes of the writes of sessions, and maxSessionWait the longest wait on average.
	sessionShare   = 2 * time.Millisecond
	maxSessionWait = 5 * time.Second
	// withdrawnShare is the same for what has been withdrawn, and maxWithdrawnWait the longest wait.
	withdrawnShare   = 10 * time.Millisecond
	maxWithdrawnWait = 10 * time.Second
)

// wait is how long a speaker waits before it writes, in a cluster of so many. It differs from speaker to speaker.
func (p pace) wait(speakers int) time.Duration {
	share := time.Duration(speakers)
	switch p {
	case counts:
		return spread(share * countsShare)
	case members:
		return spread(min(share*countsShare, membersWait))
	case sessions:
		return spread(min(share*sessionShare, maxSessionWait))
	case withdrawn:
		return spread(min(share*withdrawnShare, maxWithdrawnWait))
	default:
		return 0
	}
}

// spread returns a random time around an average; none when the average is shorter than the time between two writes.
func spread(average time.Duration) time.Duration {
	if average <= reportInterval {
		return 0
	}
	return average/2 + rand.N(average) //nolint:gosec // random, so that not all nodes write at the same moment
}

// paceOf says how a status is to be written that replaces another one.
func paceOf(desired, written *v1beta1.SpeakerStatus) pace {
	for _, alike := range []struct {
		pace pace
		make func(*v1beta1.SpeakerStatus)
	}{
		{nothing, func(*v1beta1.SpeakerStatus) {}},
		{counts, func(s *v1beta1.SpeakerStatus) { takeCounts(s, written) }},
		{members, func(s *v1beta1.SpeakerStatus) { takeMembers(s, written) }},
		{withdrawn, func(s *v1beta1.SpeakerStatus) { takeWithdrawn(s, written) }},
		{sessions, func(s *v1beta1.SpeakerStatus) { takeSessions(s, written) }},
	} {
		status := desired.DeepCopy()
		alike.make(status)
		if equality.Semantic.DeepEqual(status, written) {
			return alike.pace
		}
	}
	return now
}

// takeMembers takes from another status all that is written at the pace of members or of counts.
func takeMembers(s, from *v1beta1.SpeakerStatus) {
	takeCounts(s, from)
	s.Members, s.HeardOnDownNodes = from.Members, from.HeardOnDownNodes
}

// takeWithdrawn takes from another status all that is written at the pace of withdrawn, of members or of counts.
func takeWithdrawn(s, from *v1beta1.SpeakerStatus) {
	takeMembers(s, from)
	s.Withdrawn = from.Withdrawn
	for i := range s.BGP[:min(len(s.BGP), len(from.BGP))] {
		s.BGP[i].NextTry = from.BGP[i].NextTry
	}
}

// takeSessions takes from another status all that is written at the pace of sessions or a slower one, if it has the same sessions, and
// some of them have changed. Whether the node may be stopped follows from its sessions.
func takeSessions(s, from *v1beta1.SpeakerStatus) {
	takeWithdrawn(s, from)
	takeProxyFails(s, from)
	same := func(a, b v1beta1.BGPSession) bool { return a.Peer == b.Peer && a.Address == b.Address }
	if !slices.EqualFunc(s.BGP, from.BGP, same) || equality.Semantic.DeepEqual(s.BGP, from.BGP) {
		return
	}
	s.BGP = from.BGP
	after, before := meta.FindStatusCondition(s.Conditions, v1beta1.ConditionSafeToStop), meta.FindStatusCondition(from.Conditions, v1beta1.ConditionSafeToStop)
	if after != nil && before != nil {
		*after = *before
	}
}

// takeProxyFails takes that the service proxy of the node has begun to fail, or works again. It may be so on all nodes at once, and others
// judge by it after proxyhealth.FailTime, before which it must be written.
func takeProxyFails(s, from *v1beta1.SpeakerStatus) {
	after := meta.FindStatusCondition(s.Conditions, v1beta1.ConditionServiceProxyUnhealthy)
	before := meta.FindStatusCondition(from.Conditions, v1beta1.ConditionServiceProxyUnhealthy)
	if after == nil || before == nil {
		return
	}
	if fails := status.ProxyFails.Name; after.Reason == fails || before.Reason == fails && after.Status == metav1.ConditionFalse {
		*after = *before
	}
}

// takeConnections takes the numbers of connections that are left. That there are none any more is waited for.
func takeConnections(s, from *v1beta1.SpeakerStatus) {
	if s.Draining == nil || from.Draining == nil || s.Draining.Addresses != from.Draining.Addresses {
		return
	}
	s.Draining.Connections = from.Draining.Connections
	for i := range s.Draining.List[:min(len(s.Draining.List), len(from.Draining.List))] {
		s.Draining.List[i].Connections = from.Draining.List[i].Connections
	}
}

// takeCounts takes from another status all that is written at the pace of counts.
func takeCounts(s, from *v1beta1.SpeakerStatus) {
	for i := range s.BGP[:min(len(s.BGP), len(from.BGP))] {
		s.BGP[i].IPv4, s.BGP[i].IPv6, s.BGP[i].Digest = from.BGP[i].IPv4, from.BGP[i].IPv6, from.BGP[i].Digest
		s.BGP[i].NextHops = from.BGP[i].NextHops
		if s.BGP[i].Warning != "" && from.BGP[i].Warning != "" {
			s.BGP[i].Warning = from.BGP[i].Warning
		}
	}
	takeConnections(s, from)
	for i := range s.Conditions {
		c := &s.Conditions[i]
		before := meta.FindStatusCondition(from.Conditions, c.Type)
		switch {
		case before == nil:
		case before.Status == c.Status && before.Reason == c.Reason:
			c.Message = before.Message
		case fleetWide(c.Reason) || fleetWide(before.Reason):
			*c = *before // It is so on most nodes, or was.
		}
	}
}

// fleetWide reports whether a reason of a condition is given by most nodes at once, or may be for all that is known.
func fleetWide(reason string) bool {
	return reason == v1beta1.ReasonFailsOnMostNodes || reason == status.ProxyOthersUnknown.Name
}
