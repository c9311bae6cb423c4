package simulation

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

const (
	// people is who makes the changes that no program makes.
	people = "people"
	// lag is how late a controller may see a change while nothing fails, and act on what was before: two messages that are slow.
	lag = 2*maxSlow + time.Second
	// lagOfFailures is what comes to that for some time after a failure of its link: a watch that ends unnoticed, a request that is
	// given up.
	lagOfFailures = 2 * time.Minute
	// maxWrites is how many writes of one object are tried at most within a window.
	maxWrites, writesWindow = 40, 10 * time.Second
)

// judge looks at each change when it is made. It knows the promises of docs/when-pools-change.md, and nothing of how they are kept.
// The server's lock guards it.
type judge struct {
	*world
	// violation is the first promise that was broken; empty when none was.
	violation string
	services  map[types.UID]*record
	pools     map[string]*poolRecord
	// owed are addresses that were taken from Services, about which no Event has said so yet.
	owed []loss
	// attempts are the times of the last writes that were tried, by object.
	attempts map[string][]time.Time
	// writes counts those of controllers that made a version, edits those of people.
	writes, edits, tried int
	// losses counts the addresses that controllers took from Services, by cause.
	losses map[string]int
	// byHand is when people last wrote into the status of a Service, in the place of the controller.
	byHand time.Time
	// announced and withdrawn count the routes that speakers told routers, and took back.
	announced, withdrawn int
	// reported is when each process last sent the status of each object.
	reported map[string]time.Time
	// written is when a controller last wrote something but the Lease.
	written time.Time
}

// record of a Service: what people did to it.
type record struct {
	// touched is when they changed anything of it, and asked when they changed what it asks for.
	touched, asked time.Time
	// byHand is how often they wrote into its status.
	byHand int
	// given is when a controller gave it each address.
	given map[netip.Addr]time.Time
}

// poolRecord is when people last changed a pool, when they last said what it has, and when it was deleted; zero while it exists.
type poolRecord struct{ touched, edited, deleted time.Time }

// loss is an address that a controller took from a Service.
type loss struct {
	uid  types.UID
	name string
	addr netip.Addr
	by   string
	at   time.Time
}

func newJudge(w *world) *judge {
	return &judge{
		world: w, services: map[types.UID]*record{}, pools: map[string]*poolRecord{}, attempts: map[string][]time.Time{}, losses: map[string]int{}, reported: map[string]time.Time{},
	}
}

func (j *judge) violate(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	j.note("VIOLATION: %s", text)
	if j.violation == "" {
		j.violation = fmt.Sprintf("at %s: %s", j.clock(), text)
	}
}

// observe is called with each change.
func (j *judge) observe(c change) {
	if c.by != people {
		if c.kind != "Lease" {
			j.writes++
			j.written = c.at
		}
	} else {
		j.edits++
	}
	switch c.kind {
	case "Service":
		j.service(c)
	case "IPAddressPool":
		j.pool(c)
	case "Event":
		j.event(c)
	}
}

// attempted is called with each write of a controller that arrives, whatever becomes of it.
func (j *judge) attempted(p *process, kind string, key types.NamespacedName) {
	if kind == "Event" {
		key.Name = ""
	}
	name, now := kind+" "+key.String(), time.Now()
	j.tried++
	recent := slices.DeleteFunc(j.attempts[name], func(at time.Time) bool { return now.Sub(at) > writesWindow })
	j.attempts[name] = append(recent, now)
	if kind != "Event" && len(recent) >= maxWrites {
		j.violate("%s tries %d writes of %s within %s", p.id, len(recent)+1, name, writesWindow)
	}
}

func (j *judge) pool(c change) {
	if c.by != people {
		return
	}
	name := c.object().GetName()
	known := j.pools[name]
	if known == nil {
		known = &poolRecord{}
		j.pools[name] = known
	}
	known.touched = c.at
	if c.after == nil {
		known.deleted = c.at
		return
	}
	known.edited, known.deleted = c.at, time.Time{}
}

func (j *judge) service(c change) {
	uid := c.object().GetUID()
	known := j.services[uid]
	if known == nil {
		known = &record{given: map[netip.Addr]time.Time{}}
		j.services[uid] = known
	}
	before, _ := c.before.(*corev1.Service)
	after, _ := c.after.(*corev1.Service)
	j.note("%s: %s", c.by, describe(before, after))
	if c.by == people {
		known.touched = c.at
		if before == nil || after == nil || asks(before) != asks(after) {
			known.asked = c.at
		} else {
			j.byHand = c.at
			known.byHand++
		}
		return
	}
	if after == nil {
		return // The last finalizer went.
	}
	j.checkMissing(c, before, after)
	if assigned := meta.FindStatusCondition(after.Status.Conditions, v1beta1.ConditionAddressAssigned); assigned != nil && assigned.Reason == "CompetingWriter" && known.byHand == 0 {
		j.violate("%s says that another program writes %s, which none does", c.by, keyOf(after))
	}
	for _, addr := range gained(after, before) {
		known.given[addr] = c.at
		j.checkAlone(c, known, after, addr)
		j.checkProvenance(c, after, addr)
	}
	for _, addr := range shown(before) {
		if slices.Contains(shown(after), addr) {
			if pool := poolOf(before, addr); pool != "" && poolOf(after, addr) == "" && ours(after) {
				j.violate("%s forgets that pool %s gave %s to %s", c.by, pool, addr, keyOf(after))
			}
			continue
		}
		cause := j.cause(c, known, before, after, addr)
		if cause == "" {
			j.violate("%s takes %s from %s without a cause", c.by, addr, keyOf(after))
		}
		j.losses[cause]++
		if ours(after) && poolOf(before, addr) != "" && cause != causeOther {
			j.owed = append(j.owed, loss{uid, after.Name, addr, c.by, c.at})
		}
	}
}

// checkAlone checks that an address that a controller gives to a Service is in no other one that may not share it.
func (j *judge) checkAlone(c change, known *record, s *corev1.Service, addr netip.Addr) {
	for _, object := range j.server.objects["Service"] { // order does not matter: any will do
		other := object.(*corev1.Service)
		if other.UID == s.UID || !slices.Contains(shown(other), addr) || mayShare(s, other) {
			continue
		}
		theirs := j.services[other.UID]
		if late := j.lagOf(c.by); c.at.Sub(theirs.touched) > late && c.at.Sub(known.touched) > late {
			j.violate("%s gives %s to %s, and %s shows it", c.by, addr, keyOf(s), keyOf(other))
		}
	}
}

// checkProvenance checks that the address is of a pool that contains it, and that the Service says so.
func (j *judge) checkProvenance(c change, s *corev1.Service, addr netip.Addr) {
	name := poolOf(s, addr)
	if name == "" {
		j.violate("%s gives %s to %s and does not say of which pool", c.by, addr, keyOf(s))
		return
	}
	pool := j.poolNow(name)
	known := j.pools[name]
	if known == nil || (pool == nil || !pool.Contains(addr)) && c.at.Sub(known.touched) > j.lagOf(c.by)+j.poolGrace {
		j.violate("%s gives %s to %s of pool %s, which does not have it", c.by, addr, keyOf(s), name)
	}
}

// Why a controller may take an address from a Service.
const (
	causeOther   = "the Service is for somebody else, or goes"
	causeForeign = "nobody of Daymark gave it"
	causeAsked   = "the Service asks for something else"
	causeTwice   = "two Services have it that may not share it"
	causeShrunk  = "the pool does not contain it any more"
	causeGone    = "the pool is gone"
)

// cause is why a controller may take an address from a Service; empty when it may not.
func (j *judge) cause(c change, known *record, before, after *corev1.Service, addr netip.Addr) string {
	if !ours(after) {
		return causeOther
	}
	pool := poolOf(before, addr)
	if pool == "" {
		return causeForeign
	}
	if !known.asked.Before(known.given[addr]) || asksForOther(after, addr, pool) {
		return causeAsked
	}
	if j.twice(c, before, addr) {
		return causeTwice
	}
	of, touched := j.poolNow(pool), j.pools[pool]
	switch {
	case touched == nil:
		return causeForeign
	case of != nil && !of.Contains(addr), c.at.Sub(touched.edited) < j.lagOf(c.by):
		return causeShrunk
	case of == nil && c.at.Sub(goneSince(before, touched)) >= j.poolGrace-time.Second: // Conditions have whole seconds.
		return causeGone
	}
	return ""
}

// goneSince is since when the pool of a Service's addresses is gone: as the Service has said since then if it has. A pool that came back
// and went again while no controller could write counts from the first time.
func goneSince(s *corev1.Service, pool *poolRecord) time.Time {
	if provenance := lb.ParseProvenance(s.Status.Conditions); !provenance.MissingSince.IsZero() {
		return provenance.MissingSince
	}
	return pool.deleted
}

// checkMissing checks that pools which a Service says are gone are so.
func (j *judge) checkMissing(c change, before, after *corev1.Service) {
	was, is := lb.ParseProvenance(before.Status.Conditions), lb.ParseProvenance(after.Status.Conditions)
	for _, a := range is.Allocations {
		pool := j.pools[a.Pool]
		if a.Missing && !was.Missing(a.Addr) && pool != nil && j.poolNow(a.Pool) != nil && c.at.Sub(pool.touched) > j.lagOf(c.by) {
			j.violate("%s says of %s that pool %s is gone", c.by, keyOf(after), a.Pool)
		}
	}
}

// twice reports whether another Service shows an address that it may not share with this one, or did when the controller looked.
func (j *judge) twice(c change, s *corev1.Service, addr netip.Addr) bool {
	late := j.lagOf(c.by)
	if c.at.Sub(j.byHand) < late {
		return true
	}
	for _, object := range j.server.objects["Service"] { // order does not matter: any will do
		other := object.(*corev1.Service)
		if other.UID != s.UID && slices.Contains(shown(other), addr) && !mayShare(s, other) {
			return true
		}
	}
	if s.Annotations[v1beta1.AnnotationAllowSharedIP] == "" {
		return false
	}
	for _, theirs := range j.services { // order does not matter: any will do
		if c.at.Sub(theirs.touched) < late {
			return true
		}
	}
	return false
}

// lagOf is how late a process may see a change, and act on what was before. One that is gone may have failed for long.
func (j *judge) lagOf(id string) time.Duration {
	for _, slot := range j.slots {
		if p := slot.process(); p != nil && p.id == id {
			if since := slot.link.failingSince(); !since.IsZero() {
				return time.Since(since) + lagOfFailures
			}
			if time.Since(p.born) > lag {
				return lag
			}
		}
	}
	return lagOfFailures
}

// event pays what is owed.
func (j *judge) event(c change) {
	event, ok := c.after.(*eventsv1.Event)
	if ok && j.everything {
		j.note("%s: Event %s of %s: %s", c.by, event.Reason, event.Regarding.Name, event.Note)
	}
	if !ok || event.Reason != "AddressWithdrawn" {
		return
	}
	j.owed = slices.DeleteFunc(j.owed, func(l loss) bool {
		return l.uid == event.Regarding.UID && strings.HasPrefix(event.Note, l.addr.String()+" ")
	})
}

// checkTold checks that what was taken was told, but for what a controller took that crashed, or lost the API server, before it could.
func (j *judge) checkTold() {
	for _, l := range j.owed {
		for _, slot := range j.slots {
			if p := slot.process(); p != nil && p.id == l.by && !slot.link.failedSince(l.at) {
				j.violate("%s took %s from %s at %s, and no Event says so", l.by, l.addr, l.name, l.at.Sub(j.began))
			}
		}
	}
}

// poolNow is a pool as it is; nil when there is none.
func (j *judge) poolNow(name string) *lb.Pool {
	object, ok := j.server.objects["IPAddressPool"][client.ObjectKey{Name: name}].(*v1beta1.IPAddressPool)
	if !ok {
		return nil
	}
	return lb.ParsePool(object)
}

// ours reports whether Daymark is to serve a Service.
func ours(s *corev1.Service) bool {
	return s.Spec.Type == corev1.ServiceTypeLoadBalancer && s.DeletionTimestamp == nil &&
		(s.Spec.LoadBalancerClass == nil || *s.Spec.LoadBalancerClass == classes.Name) && s.Annotations[v1beta1.AnnotationProvider] != "other"
}

// asks is all by which a Service says what it asks for.
func asks(s *corev1.Service) string {
	policy := corev1.IPFamilyPolicySingleStack
	if s.Spec.IPFamilyPolicy != nil {
		policy = *s.Spec.IPFamilyPolicy
	}
	text := fmt.Sprint(s.Spec.Type, s.Spec.IPFamilies, policy)
	for _, port := range s.Spec.Ports {
		text += fmt.Sprintf(" %s/%d", port.Protocol, port.Port)
	}
	if s.DeletionTimestamp != nil {
		text += " deleted"
	}
	for _, key := range []string{
		v1beta1.AnnotationLoadBalancerIPs, v1beta1.AnnotationAddressPool, v1beta1.AnnotationAllowSharedIP, v1beta1.AnnotationProvider,
	} {
		text += "," + s.Annotations[key]
	}
	return text
}

// asksForOther reports whether a Service asks for another address than it has, or for another pool: it moves as soon as it can.
func asksForOther(s *corev1.Service, addr netip.Addr, pool string) bool {
	address, from := s.Annotations[v1beta1.AnnotationLoadBalancerIPs], s.Annotations[v1beta1.AnnotationAddressPool]
	return address != "" && address != addr.String() || from != "" && from != pool
}

// shown are the addresses in the status of a Service.
func shown(s *corev1.Service) (list []netip.Addr) {
	if s == nil {
		return nil
	}
	for _, entry := range s.Status.LoadBalancer.Ingress {
		if addr, err := netip.ParseAddr(entry.IP); err == nil {
			list = append(list, addr)
		}
	}
	return list
}

// gained are the addresses that a Service shows, and did not before.
func gained(after, before *corev1.Service) []netip.Addr {
	had := shown(before)
	return slices.DeleteFunc(shown(after), func(a netip.Addr) bool { return slices.Contains(had, a) })
}

// poolOf is the pool that gave an address, as the Service says; empty when it does not.
func poolOf(s *corev1.Service, addr netip.Addr) string {
	provenance := lb.ParseProvenance(s.Status.Conditions)
	return provenance.PoolOf(addr)
}

// mayShare reports whether two Services may have one address, as docs/sharing-addresses.md says.
func mayShare(a, b *corev1.Service) bool {
	key := a.Annotations[v1beta1.AnnotationAllowSharedIP]
	if key == "" || key != b.Annotations[v1beta1.AnnotationAllowSharedIP] || a.Namespace != b.Namespace {
		return false
	}
	for _, port := range a.Spec.Ports {
		if slices.ContainsFunc(b.Spec.Ports, func(o corev1.ServicePort) bool { return o.Port == port.Port && o.Protocol == port.Protocol }) {
			return false
		}
	}
	return true
}

// describe a change of a Service.
func describe(before, after *corev1.Service) string {
	switch {
	case before == nil:
		return fmt.Sprintf("%s is made and asks for %s", keyOf(after), asks(after))
	case after == nil:
		return fmt.Sprintf("%s is gone, which had %v", keyOf(before), shown(before))
	case asks(before) != asks(after):
		return fmt.Sprintf("%s asks for %s", keyOf(after), asks(after))
	}
	text := fmt.Sprintf("%s has %v and had %v", keyOf(after), shown(after), shown(before))
	for _, c := range after.Status.Conditions {
		text += fmt.Sprintf("; %s %s: %s", strings.TrimPrefix(c.Type, "daymark.io/"), c.Reason, c.Message)
	}
	return text
}
