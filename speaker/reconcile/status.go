package reconcile

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/bfdsession"
	"github.com/daymark-lb/daymark/internal/core/election"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/reason"
	"github.com/daymark-lb/daymark/internal/core/status"
	"github.com/daymark-lb/daymark/internal/version"
	"github.com/daymark-lb/daymark/speaker/bfd"
	"github.com/daymark-lb/daymark/speaker/bgp"
	"github.com/daymark-lb/daymark/speaker/gossip"
	"github.com/daymark-lb/daymark/speaker/layer2"
)

// The most characters of a text about a session, which is what the schema allows, and of a condition's message, which is
// more than anybody reads.
const (
	maxText    = 512
	maxMessage = 4096
)

// ownVersion is the version of this speaker, as a Speaker object may have it.
var ownVersion = lb.Truncate(version.Get().Version, 128)

// report says what truly happened after a pass that planned some sessions, and what failed in it. Observing: this speaker speaks for those that cannot.
func (l *Loop) report(seen *snapshot, planned []announce.Session, failed error, observing bool) {
	sessions := l.exec.BGP.Status()
	l.memory.inactive = inactiveSince(l.memory.inactive, sessions)
	written := v1beta1.SpeakerStatus{
		Version:      ownVersion,
		Network:      networkStatus(&seen.world, &l.memory.computer, l.memory.addresses.LostBy(l.cfg.Node)),
		ServiceProxy: l.memory.proxy.status,
		Layer2:       layer2Status(l.exec.Layer2.Held(), l.exec.Layer2.Conflicts(), l.memory.segments.standIns),
		Withdrawn:    l.memory.withdrawals.text(),
		Drained:      new(bool),
		Draining:     l.memory.connections.status(l.exec.Connections.Left()),
		BGP:          bgpStatus(sessions, l.memory.inactive, bfdStates(l.exec.BFD.Status(), l.bfd.Load())),
	}
	l.memory.addLocalEnds(written.BGP, sessions, planned)
	if address := l.exec.Gossip.Address(); address.IsValid() {
		written.GossipAddress = address.String()
	}
	view := seen.view
	if node := seen.node(l.cfg.Node); node != nil {
		*written.Drained = node.Draining
	}
	if l.tellsOfOthers(seen, observing) {
		written.Members = int32(len(view.Alive)) //nolint:gosec // the number of nodes
		written.HeardOnDownNodes = seen.heardOnDownNodes()
	} else {
		view.Why = "" // The Speaker objects of the monitors name those that are missing.
	}
	l.publisher.Set(Published{Address: l.exec.Gossip.Address(), Known: seen.published[l.cfg.Node], Owner: seen.node(l.cfg.Node)})
	conditions := []metav1.Condition{
		readyCondition(failed, l.leavingWhy()), membershipCondition(seen.world.Members.Known, view, l.memory.texts()),
		detourCondition(l.memory.detours, l.exec.Links.StrictReversePath),
		safeCondition(attracts(l.exec.Layer2.Held(), sessions), l.uncounted(), written.Draining, l.whyApart(&seen.world), len(l.memory.connections.decision.Stranded)),
	}
	if c, told := l.memory.proxy.condition(); told {
		conditions = append(conditions, c)
	}
	if c, told := l.breakCondition(&seen.world); told {
		conditions = append(conditions, c)
	}
	l.reporter.Set(Report{
		Status: written, owner: seen.node(l.cfg.Node), reread: seen.own == nil || lb.SpeakerGone(seen.own),
		speakers: max(len(seen.speakers), len(seen.view.Alive)), conditions: conditions,
	})
}

// networkStatus is what a node's own network uses, where a computer knows the Services; lost are the links with what it has lost. It changes rarely.
func networkStatus(w *announce.World, services *announce.Computer, lost []lb.Link) v1beta1.SpeakerNetwork {
	links := w.OwnLinks
	var prefixes []netip.Prefix
	for i := range links {
		if !links[i].OfServiceProxy() {
			prefixes = append(append(prefixes, links[i].Addresses...), links[i].Duplicates...)
		}
	}
	prefixes = slices.DeleteFunc(prefixes, func(prefix netip.Prefix) bool { return !prefix.Addr().IsGlobalUnicast() })
	slices.SortFunc(prefixes, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	var routers []netip.Addr
	for _, gateway := range w.Gateways {
		if gateway.Addr.IsGlobalUnicast() {
			routers = append(routers, gateway.Addr)
		}
	}
	slices.SortFunc(routers, netip.Addr.Compare)
	own, more := serviceAddresses(services, links, lost)
	return v1beta1.SpeakerNetwork{
		Interfaces: networkInterfaces(announce.AnsweringLinks(links, w.L2Advertisements)),
		Addresses:  firstTexts(prefixes), MoreAddresses: moreAddresses(prefixes), Gateways: firstTexts(routers),
		ServiceAddresses: own, MoreServiceAddresses: more,
	}
}

// moreAddresses are those of sorted prefixes for which firstTexts has no room, as ranges: no Service is to be given any of them.
func moreAddresses(sorted []netip.Prefix) []string {
	sorted = slices.Compact(sorted)
	var others []netip.Addr
	for _, prefix := range sorted[min(len(sorted), v1beta1.SpeakerNetworkLimit):] {
		others = append(others, prefix.Addr())
	}
	return rangeTexts(slices.Compact(others))
}

// networkInterfaces are the first of some links with the families that each answers for.
func networkInterfaces(links []lb.Link) []v1beta1.NodeInterface {
	var list []v1beta1.NodeInterface
	for i := range links[:min(len(links), v1beta1.SpeakerNetworkLimit)] {
		reported := v1beta1.NodeInterface{Name: links[i].Name}
		for _, family := range []lb.Family{lb.IPv4, lb.IPv6} {
			if links[i].Answers(family) {
				reported.Families = append(reported.Families, v1beta1.AddressFamily(family.String()))
			}
		}
		list = append(list, reported)
	}
	return list
}

// serviceAddresses are the first addresses of Services that some links have, or have lost, with the interface of each, and the others as ranges.
func serviceAddresses(services *announce.Computer, links, lost []lb.Link) (list []v1beta1.NodeServiceAddress, more []string) {
	var others []netip.Addr
	add := func(all []announce.OwnServiceAddress, lost bool) {
		for _, own := range all {
			if len(list) < v1beta1.SpeakerNetworkLimit {
				list = append(list, v1beta1.NodeServiceAddress{Address: own.Addr.String(), Interface: own.Interface, Lost: lost})
			} else {
				others = append(others, own.Addr)
			}
		}
	}
	add(services.OwnServiceAddresses(links), false)
	add(services.OwnServiceAddresses(lost), true)
	return list, rangeTexts(others)
}

// rangeTexts are addresses as ranges, as many as a Speaker object may have: they leave out none of the addresses.
func rangeTexts(addresses []netip.Addr) []string {
	if len(addresses) == 0 {
		return nil
	}
	return lb.Strings(lb.Cover(addresses, v1beta1.SpeakerRangeLimit))
}

// firstTexts are the texts of the first values of a sorted list, as many as a Speaker object may have, each once.
func firstTexts[T interface {
	comparable
	fmt.Stringer
}](sorted []T) []string {
	sorted = slices.Compact(sorted)
	if len(sorted) == 0 {
		return nil
	}
	return lb.Strings(sorted[:min(len(sorted), v1beta1.SpeakerNetworkLimit)])
}

// readyCondition says whether this node announces what it should. Why it leaves is empty unless it does.
func readyCondition(failed error, leaves string) metav1.Condition {
	if leaves != "" {
		return condition(v1beta1.ConditionReady, false, status.Leaving, "the node leaves: "+leaves)
	}
	if failed != nil {
		return condition(v1beta1.ConditionReady, false, status.Failed, failed.Error())
	}
	return condition(v1beta1.ConditionReady, true, status.Ready, "all of what this node should announce is announced")
}

// membershipCondition says whether the other speakers are known: to the gossip, and so that they know of this one, too.
func membershipCondition(known bool, view gossip.View, silences []string) metav1.Condition {
	doubts := joinTexts(append(silences, view.Why))
	switch {
	case known && doubts != "":
		return condition(v1beta1.ConditionMembershipKnown, true, status.NotAllSeen, doubts)
	case known:
		return condition(v1beta1.ConditionMembershipKnown, true, status.Known, "all speakers that are expected are seen")
	case view.Known:
		return condition(v1beta1.ConditionMembershipKnown, false, status.Unknown,
			"the other speakers cannot know of this one before its EndpointSlice says where it gossips")
	default:
		return condition(v1beta1.ConditionMembershipKnown, false, status.Unknown, view.Why)
	}
}

// joinTexts joins those that are not empty.
func joinTexts(texts []string) string {
	return strings.Join(slices.DeleteFunc(texts, func(text string) bool { return text == "" }), "; ")
}

func condition(kind string, is bool, why reason.Reason, message string) metav1.Condition {
	c := metav1.Condition{Type: kind, Status: metav1.ConditionFalse, Reason: why.Name, Message: lb.Truncate(message, maxMessage)}
	if is {
		c.Status = metav1.ConditionTrue
	}
	return c
}

func layer2Status(held []layer2.Held, conflicts []layer2.Conflict, standIns []election.StandIn) v1beta1.SpeakerLayer2 {
	var s v1beta1.SpeakerLayer2
	holders := make(map[netip.Addr]string, len(standIns))
	for _, standIn := range standIns {
		holders[standIn.Addr] = standIn.Holder
	}
	s.Conflicts, s.MoreConflicts = conflictStatus(conflicts)
	for _, h := range held {
		if lb.FamilyOf(h.Addr) == lb.IPv6 {
			s.IPv6++
		} else {
			s.IPv4++
		}
		if len(s.Held) < v1beta1.SpeakerListLimit {
			s.Held = append(s.Held, v1beta1.HeldAddress{
				Address: h.Addr.String(), Interfaces: h.Interfaces, Since: metav1.NewTime(h.Since).Rfc3339Copy(),
				StandsInFor: holders[h.Addr], Shares: int32(h.Shares.Len()), SharedBy: h.SharedBy, //nolint:gosec // 60 at most.
			})
		}
	}
	return s
}

// conflictStatus lists the first conflicts, those about addresses that this node does not announce before the others, and has the
// addresses of the rest of these as ranges: whoever judges by the Speaker object must not take them for announced.
func conflictStatus(conflicts []layer2.Conflict) (list []v1beta1.AddressConflict, more []string) {
	sorted := slices.SortedStableFunc(slices.Values(conflicts), func(a, b layer2.Conflict) int {
		switch {
		case a.Announced == b.Announced:
			return 0
		case b.Announced:
			return -1
		default:
			return 1
		}
	})
	var others []netip.Addr
	for i := range sorted {
		switch c := &sorted[i]; {
		case i < v1beta1.SpeakerConflictLimit:
			list = append(list, v1beta1.AddressConflict{
				Address: c.Addr.String(), MAC: c.MAC, Node: c.Node, NodeInterface: c.NodeInterface, Interface: c.Interface,
				Since: metav1.NewTime(c.Since).Rfc3339Copy(), Announced: c.Announced, Elsewhere: c.Elsewhere,
			})
		case !c.Announced:
			others = append(others, c.Addr)
		}
	}
	return list, rangeTexts(others)
}

// inactiveSince is since when each session is not established, by name, given what it was before.
func inactiveSince(before map[string]time.Time, sessions []bgp.Status) map[string]time.Time {
	now := make(map[string]time.Time, len(sessions))
	for i := range sessions {
		s := &sessions[i]
		if s.State == v1beta1.BGPEstablished {
			continue
		}
		since, known := before[s.Name]
		if !known {
			since = s.Since
		}
		now[s.Name] = since
	}
	return now
}

// bgpStatus lists the sessions. A session that is not established is Active since it stopped being established: the states
// that a router goes through which refuses us again and again would only cause writes.
func bgpStatus(sessions []bgp.Status, inactive map[string]time.Time, bfdStates map[string]string) []v1beta1.BGPSession {
	var list []v1beta1.BGPSession
	for _, s := range sessions[:min(len(sessions), v1beta1.SpeakerListLimit)] {
		entry := v1beta1.BGPSession{
			Peer: s.Peer, Address: s.Address, State: s.State, Since: metav1.NewTime(s.Since).Rfc3339Copy(),
			LastError: lb.Truncate(s.LastError, maxText), IPv4: int32(s.IPv4), IPv6: int32(s.IPv6), //nolint:gosec // numbers of Services
			HoldTime: metav1.Duration{Duration: s.HoldTime}, KeepaliveTime: metav1.Duration{Duration: s.KeepaliveTime},
			Warning: lb.Truncate(strings.Join(s.Warnings, "; "), maxText), BFD: lb.Truncate(bfdStates[s.Name], maxText),
		}
		if s.State != v1beta1.BGPEstablished {
			entry.State, entry.Since = v1beta1.BGPActive, metav1.NewTime(inactive[s.Name]).Rfc3339Copy()
		}
		if s.Down {
			entry.State = v1beta1.BGPIdle
		}
		if !s.NextTry.IsZero() {
			entry.NextTry = metav1.NewTime(s.NextTry).Rfc3339Copy()
		}
		if s.State == v1beta1.BGPEstablished {
			entry.Digest, entry.NextHops = s.Digest.String(), nextHopTexts(&s)
		}
		entry.Families, entry.HeldBack = familyNames(s.Families), familyNames(s.HeldBack)
		list = append(list, entry)
	}
	return list
}

// nextHopTexts are the next hops of the families that a session exchanges.
func nextHopTexts(s *bgp.Status) (texts v1beta1.BGPNextHops) {
	for _, family := range s.Families {
		if hops := lb.Strings(s.NextHops.Of(family).Addresses()); family == lb.IPv6 {
			texts.IPv6 = hops
		} else {
			texts.IPv4 = hops
		}
	}
	return texts
}

func familyNames(families []lb.Family) (names []v1beta1.AddressFamily) {
	for _, family := range families {
		names = append(names, v1beta1.AddressFamily(family.String()))
	}
	return names
}

// bfdStates are the states of the BFD sessions in words, by the BGP sessions that they watch.
func bfdStates(sessions []bfd.Status, plan *announce.BFDPlan) map[string]string {
	states := make(map[string]string, len(sessions))
	for i := range sessions {
		for _, name := range plan.Sharing(sessions[i].Name) {
			states[name] = bfdState(&sessions[i])
			if plan.Ending(name) {
				states[name] += ", and not heeded: BFD is taken from this session, and waits for the router to do the same"
			}
		}
	}
	return states
}

// bfdState is the state of a BFD session, with what is wrong if it is not up.
func bfdState(s *bfd.Status) string {
	text := s.State.String()
	if why := cmp.Or(s.Problem, s.LastDown); why != "" && s.State != bfdsession.Up {
		text += ": " + why
	}
	return text
}
