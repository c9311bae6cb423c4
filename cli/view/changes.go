package view

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Change is something that nodes, routers or the controller have changed between two looks at a cluster.
type Change struct {
	Time metav1.Time `json:"time"`
	Kind ChangeKind  `json:"kind"`
	// Object that it is about: an address, a Service as NAMESPACE/NAME, a node.
	Object string `json:"object"`
	// Service that has the address, as NAMESPACE/NAME; empty: it is about no address, or none is seen that has it.
	Service string `json:"service,omitempty"`
	// From and To are holders, states or versions of the object before and after; empty: none.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	// Wrong: it is not as it should be any more.
	Wrong   bool   `json:"wrong,omitempty"`
	Message string `json:"message"`
}

// ChangeKind is what a change is about.
type ChangeKind string

// The kinds of changes.
const (
	// ChangedHolder: an address is held by another node, by layer 2.
	ChangedHolder ChangeKind = "Holder"
	// ChangedSession: a BGP session of a node is up or down, or gone.
	ChangedSession ChangeKind = "Session"
	// ChangedSpeaker: the speaker of a node is new, deleted, gone or back.
	ChangedSpeaker ChangeKind = "Speaker"
	// ChangedService: a Service is in another state.
	ChangedService ChangeKind = "Service"
)

// Changes since an earlier look at the same cluster, in a fixed order.
func (c *Cluster) Changes(before *Cluster) []Change {
	changes := slices.Concat(c.holderChanges(before), c.speakerChanges(before), c.serviceChanges(before))
	for i := range changes {
		changes[i].Time = metav1.NewTime(c.Now)
	}
	return changes
}

// holderChanges are addresses that a node holds which did not, or that nobody holds any more. That one of several holders ends is no
// change: a crashed node's report names its addresses for some time after another holds them.
func (c *Cluster) holderChanges(before *Cluster) (changes []Change) {
	addresses := maps.Clone(before.holdersByAddress())
	maps.Copy(addresses, c.holdersByAddress())
	services := c.servicesByAddress()
	for _, address := range slices.Sorted(maps.Keys(addresses)) {
		was, wasKnown := before.holdersOf([]string{address})
		is, isKnown := c.holdersOf([]string{address})
		gained := slices.DeleteFunc(slices.Clone(is), func(node string) bool { return slices.Contains(was, node) })
		if len(was) == 0 && !wasKnown || len(is) == 0 && (!isKnown || len(was) == 0) || len(gained) == 0 && len(is) > 0 {
			continue
		}
		change := Change{
			Kind: ChangedHolder, Object: address, Service: services[address],
			From: strings.Join(was, ", "), To: strings.Join(gained, ", "),
		}
		change.Wrong = change.To == "" && change.Service != ""
		switch {
		case change.To == "":
			change.Message = fmt.Sprintf("nobody holds %s any more; %s did", address, change.From)
		case change.From == "":
			change.Message = fmt.Sprintf("%s holds %s", change.To, address)
		default:
			change.Message = fmt.Sprintf("%s took %s over from %s", change.To, address, change.From)
		}
		changes = append(changes, change)
	}
	return changes
}

// servicesByAddress are the names of the Services that have an address; of one that several share the first.
func (c *Cluster) servicesByAddress() map[string]string {
	names := map[string]string{}
	for _, s := range c.ours(true) {
		for _, address := range lb.Strings(s.Ingress) {
			if names[address] == "" {
				names[address] = s.Key.String()
			}
		}
	}
	return names
}

// speakerChanges are speakers that are new, deleted, gone or back, and sessions that are up or down.
func (c *Cluster) speakerChanges(before *Cluster) (changes []Change) {
	speakers := maps.Clone(before.speakers)
	maps.Copy(speakers, c.speakers)
	seen := c.sees(resourceSpeakers) && before.sees(resourceSpeakers)
	for _, name := range slices.Sorted(maps.Keys(speakers)) {
		was, is := before.speakers[name], c.speakers[name]
		if !seen && (was == nil || is == nil) {
			continue
		}
		change := speakerChange(was, is)
		if change.Message != "" {
			change.Kind, change.Object = ChangedSpeaker, name
			changes = append(changes, change)
		}
		if is != nil || !lb.SpeakerGone(was) { // that of one that was gone is old
			changes = append(changes, sessionChanges(name, cmp.Or(was, &v1beta1.Speaker{}), cmp.Or(is, &v1beta1.Speaker{}))...)
		}
	}
	return changes
}

// speakerChange is what has become of a speaker; nil: there is no Speaker object. It is not wrong that one is deleted: that of a node
// which was removed is.
func speakerChange(was, is *v1beta1.Speaker) Change {
	switch {
	case was == nil:
		return Change{To: "new", Message: "the speaker of " + is.Name + " is new"}
	case is == nil:
		return Change{To: "deleted", Message: "the speaker of " + was.Name + " is deleted"}
	case lb.SpeakerGone(is) && !lb.SpeakerGone(was):
		return Change{To: "gone", Wrong: true, Message: "the speaker of " + is.Name + " is gone"}
	case !lb.SpeakerGone(is) && lb.SpeakerGone(was):
		return Change{From: "gone", Message: "the speaker of " + is.Name + " is back"}
	}
	return Change{}
}

// sessionChanges are sessions of a node that are up or down, and those that were up and are no more.
func sessionChanges(node string, was, is *v1beta1.Speaker) (changes []Change) {
	const up = string(v1beta1.BGPEstablished)
	before := map[string]string{}
	for _, s := range sessionsOf(was, "") {
		before[s.Peer+" "+s.Address] = s.State
	}
	for _, s := range sessionsOf(is, "") {
		old := before[s.Peer+" "+s.Address]
		delete(before, s.Peer+" "+s.Address)
		if old == s.State || old != up && s.State != up {
			continue
		}
		change := Change{Kind: ChangedSession, Object: node, From: old, To: s.State, Wrong: s.State != up && s.State != string(v1beta1.BGPIdle)}
		change.Message = "the session of " + node + " with " + s.Peer + " is up"
		if s.State != up {
			change.Message = strings.TrimSuffix("the session of "+node+" with "+s.Peer+" is down: "+s.LastError, ": ")
		}
		changes = append(changes, change)
	}
	for _, s := range sessionsOf(was, "") {
		if before[s.Peer+" "+s.Address] == up {
			message := "the session of " + node + " with " + s.Peer + " is gone"
			changes = append(changes, Change{Kind: ChangedSession, Object: node, From: up, Message: message})
		}
	}
	return changes
}

// serviceChanges are Services of ours that are in another state, or new, or gone.
func (c *Cluster) serviceChanges(before *Cluster) (changes []Change) {
	old := map[string]ServiceState{}
	for _, s := range before.ours(false) {
		old[s.Key.String()] = before.line(s).State
	}
	for _, s := range c.ours(false) {
		name, line := s.Key.String(), c.line(s)
		was := old[name]
		delete(old, name)
		if was == line.State || line.State == ServiceUnknown {
			continue
		}
		change := Change{Kind: ChangedService, Object: name, Service: name, From: string(was), To: string(line.State)}
		change.Wrong = line.State.Wrong()
		change.Message = name + " is announced"
		if change.Wrong {
			change.Message = name + ": " + line.Reason + ": " + line.Message
		}
		changes = append(changes, change)
	}
	for _, name := range slices.Sorted(maps.Keys(old)) {
		changes = append(changes, Change{Kind: ChangedService, Object: name, Service: name, From: string(old[name]), Message: name + " is gone"})
	}
	return changes
}
