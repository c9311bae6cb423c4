package view

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// A digest is written within a second, and in a cluster of more than ten speakers after so long for each of them at most. What the
// router was sent is no problem before that time has passed since something changed, and some seconds more.
const (
	reportedWithin    = 5 * time.Second
	reportedEachAfter = 150 * time.Millisecond
)

// differing are the BGPPeers that some nodes have sent other routes than the objects ask for, each once. It takes long: the routes of all
// nodes are computed.
func (c *Cluster) differing() (found []Problem) {
	if !c.settled() {
		return nil
	}
	c.planAll(c.tellingNodes())
	byPeer := map[string]int{}
	for _, s := range all[*v1beta1.Speaker](c) {
		lines := slices.DeleteFunc(c.checkedSessions(s, ""), func(l SessionLine) bool { return !c.settledSince(l.Since.Time) })
		for _, p := range c.sessionProblems(s.Name, lines, false) {
			at, known := byPeer[p.Name]
			if !known {
				byPeer[p.Name], found = len(found), append(found, p)
			} else if !found[at].isAbout([]subject{nodeSubject(s.Name)}) {
				found[at].about = append(found[at].about, p.about...)
			}
		}
	}
	for i := range found {
		p := &found[i]
		if more := len(p.about) - 1; more > 0 {
			p.Message += soItIs(more, "node", "nodes")
			p.Command, _, _ = strings.Cut(p.Command, " --node")
		}
	}
	return found
}

// tellingNodes are those with a session whose routes can be compared.
func (c *Cluster) tellingNodes() (nodes []string) {
	for _, s := range all[*v1beta1.Speaker](c) {
		told := func(b v1beta1.BGPSession) bool { return b.State == v1beta1.BGPEstablished && b.Digest != "" }
		if !lb.SpeakerGone(s) && slices.ContainsFunc(s.Status.BGP, told) {
			nodes = append(nodes, s.Name)
		}
	}
	return nodes
}

// soItIs says of how many more a message is true.
func soItIs(more int, one, several string) string {
	if more == 1 {
		several = one
	}
	return fmt.Sprintf("; so it is with %d more %s", more, several)
}

// settledSince reports whether each speaker has had the time to report what it made of a change.
func (c *Cluster) settledSince(at time.Time) bool {
	return at.IsZero() || c.since(at) >= reportedWithin+time.Duration(len(c.speakers))*reportedEachAfter
}

// changed is when something last did that routes follow from, as far as the objects say: not of those that are deleted, nor where
// managedFields are left out.
func (c *Cluster) changed() (newest time.Time) {
	later := func(at *metav1.Time) {
		if at != nil && at.After(newest) {
			newest = at.Time
		}
	}
	for _, object := range c.Objects {
		switch o := object.(type) {
		case *corev1.Node: // the rest of its status changes all the time
			for i := range o.Status.Conditions {
				later(&o.Status.Conditions[i].LastTransitionTime)
			}
		case *v1beta1.Speaker:
			laterOf(later, o.Status.Conditions)
		case *corev1.Service:
			later(&o.CreationTimestamp)
			laterOf(later, o.Status.Conditions)
			laterWrites(later, o)
		case *discoveryv1.EndpointSlice, *v1beta1.IPAddressPool, *v1beta1.BGPAdvertisement, *v1beta1.BGPPeer, *v1beta1.Community:
			if named, ok := o.(metav1.Object); ok {
				laterWrites(later, named)
			}
		}
	}
	return newest
}

func laterOf(later func(*metav1.Time), conditions []metav1.Condition) {
	for i := range conditions {
		later(&conditions[i].LastTransitionTime)
	}
}

func laterWrites(later func(*metav1.Time), o metav1.Object) {
	fields := o.GetManagedFields()
	for i := range fields {
		later(fields[i].Time)
	}
}
