package validate

import (
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/cli/view"
	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/status"
)

// subject is an object that the daemons judge.
type subject struct{ kind, namespace, name string }

func (s subject) String() string {
	return s.kind + " " + strings.TrimPrefix(s.namespace+"/"+s.name, "/")
}

// judged has the conditions that the controller would write for a set of objects, as far as they are about what users write, and say
// that something is wrong with it.
func judged(v *view.Cluster) map[subject][]metav1.Condition {
	found := map[subject][]metav1.Condition{}
	put := func(of subject, conditions ...metav1.Condition) {
		for _, c := range conditions {
			if wrong(c) {
				found[of] = append(found[of], c)
			}
		}
	}
	for _, use := range v.Addresses().Pools {
		var object v1beta1.IPAddressPool
		pool := status.NewPool(use)
		pool.Write(&object, v.Now)
		put(subject{kind: "IPAddressPool", name: use.Pool.Name}, object.Status.Conditions...)
	}
	for i := range v.Addresses().Reservations {
		use := &v.Addresses().Reservations[i]
		put(subject{kind: "IPReservation", name: use.Reservation.Name}, status.Reservation(use).At(v.Now))
	}
	judgeAnnouncing(v, put)
	for i := range v.Addresses().Assignments {
		a := &v.Addresses().Assignments[i]
		put(subject{"Service", a.Service.Key.Namespace, a.Service.Key.Name}, assigned(a, v.Now))
	}
	return found
}

// judgeAnnouncing judges the objects that are about announcing.
func judgeAnnouncing(v *view.Cluster, put func(subject, ...metav1.Condition)) {
	references, _ := status.NewReferences(v.Parsed, v.Now)
	for _, a := range v.Parsed.L2Advertisements {
		put(subject{kind: "L2Advertisement", name: a.Name}, references.L2Advertisement(a).At(v.Now))
	}
	overridden := v.Explainer().OverriddenAttributes(v.Parsed.Services)
	for _, a := range v.Parsed.BGPAdvertisements {
		put(subject{kind: "BGPAdvertisement", name: a.Name}, references.BGPAdvertisement(a, overridden[a.Name]).At(v.Now))
	}
	for _, p := range v.Parsed.Peers {
		p = withoutUnknownPassword(p, v.Parsed.Secrets)
		var object v1beta1.BGPPeer
		peer := references.Peer(p)
		peer.Write(&object, v.Now)
		put(subject{kind: "BGPPeer", name: p.Name}, object.Status.Conditions...)
	}
	for _, c := range v.Parsed.Communities {
		put(subject{kind: "Community", name: c.Name}, references.Community(c.Name).At(v.Now))
	}
}

// withoutUnknownPassword is a peer without the password of a Secret that is not in the files. Nothing can be said of that: no command
// reads the Secrets of a cluster.
func withoutUnknownPassword(p *lb.Peer, secrets []*corev1.Secret) *lb.Peer {
	if p.Password == nil || slices.ContainsFunc(secrets, func(s *corev1.Secret) bool { return s.Name == p.Password.Name }) {
		return p
	}
	without := *p
	without.Password = nil
	return &without
}

// assigned is the condition about the addresses of a Service.
func assigned(a *ipam.Assignment, now time.Time) metav1.Condition {
	outcome := a.Outcome()
	return status.Condition{
		Type: v1beta1.ConditionAddressAssigned, True: outcome.Assigned, Reason: outcome.Reason, Message: outcome.Message,
	}.At(now)
}

// wrong reports whether a condition is about a fault of what users write. What comes of it in the network, such as sessions, is not.
func wrong(c metav1.Condition) bool {
	switch c.Type {
	case v1beta1.ConditionReady, v1beta1.ConditionAddressAssigned:
		return c.Status == metav1.ConditionFalse || c.Reason == status.Overridden.Name || c.Reason == status.WiderThanPools.Name
	case v1beta1.ConditionOverlap:
		return c.Status == metav1.ConditionTrue
	}
	return false
}

// severities of the reasons that are wrong wherever the objects are applied. All others are warnings: what an object refers to
// may be in the cluster already, and without the cluster nothing is known of its nodes and Services.
var severities = map[string]Severity{
	status.Invalid.Name: Error, status.HeldBack.Name: Error, status.Overlap.Name: Error, status.Conflict.Name: Error,
	status.SpecialRange.Name: Error, status.BadPassword.Name: Error, ipam.ReasonRequestInvalid.Name: Error,
	status.NotFound.Name: Warning, status.NoPool.Name: Warning, status.Overridden.Name: Warning,
	status.WiderThanPools.Name: Warning, status.NodeAddress.Name: Warning,
	ipam.ReasonNotInPool.Name: Warning, ipam.ReasonReserved.Name: Warning,
}

// missing are the reasons that say that something is not there.
var missing = []string{status.NotFound.Name, status.NoPool.Name, ipam.ReasonNotInPool.Name}

// severityOf a condition; empty for one of which nothing can be said without the cluster, or without all of it.
func severityOf(c *metav1.Condition, others *Others) Severity {
	s := severities[c.Reason]
	switch {
	case others.Partly && slices.Contains(missing, c.Reason):
		return ""
	case s == "" && others.Live && !others.Partly:
		return Warning
	}
	return s
}

var fieldAtBegin = regexp.MustCompile(`^spec(\.[A-Za-z0-9]+|\[[0-9]+\])+`)

// fieldIn the words of a condition, which may begin with one; empty for none.
func fieldIn(message string) string { return fieldAtBegin.FindString(message) }
