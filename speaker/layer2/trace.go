package layer2

import (
	"bytes"
	"fmt"
	"maps"
	"net/netip"

	"github.com/mdlayher/ndp"

	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/traceapi"
)

// reaction is what was done about a frame.
type reaction int

const (
	nothing reaction = iota
	answered
	couldNotSend
	wasStale
	// anothers: another node answers the client.
	anothers
)

// purpose is why a frame is sent.
type purpose string

const (
	asAnswer       purpose = "the answer"
	asAnnouncement purpose = "announced: this node holds it"
	asProbe        purpose = "asked: no node has announced it before, so a host outside the cluster may have it"
	asUpdate       purpose = "told a client of the shared address: this node answers it now"
	asIntroduction purpose = "told another node of the shared address of a client"
	asQuestion     purpose = "asked: another node may answer for it"
)

// description says what a frame is about; the zero description: nothing.
type description struct {
	protocol traceapi.Protocol
	// target is the address that is asked for or advertised, sender that of who sent it; invalid where there is none.
	target, sender netip.Addr
	by, to         mac
	toAddr         netip.Addr
	kind           frameKind
}

type frameKind int

const (
	frameRequest frameKind = iota
	frameProbe
	frameAnnouncement
	frameReply
)

// String says it in words.
func (d description) String() string {
	switch d.kind {
	case frameProbe:
		return fmt.Sprintf("probe: who has %s, by %s", d.target, d.by)
	case frameAnnouncement:
		return fmt.Sprintf("announcement: %s is at %s", d.target, d.by)
	case frameReply:
		return fmt.Sprintf("%s is at %s, to %s (%s)", d.target, d.by, d.toAddr, d.to)
	case frameRequest:
	}
	return fmt.Sprintf("who has %s, by %s (%s)", d.target, d.sender, d.by)
}

func describeARP(frame []byte) (d description) {
	p, ok := parseARP(frame)
	if !ok {
		return d
	}
	d = description{protocol: traceapi.ARP, target: p.target, sender: p.sender, by: p.senderMAC, to: p.to}
	switch {
	case p.sender == p.target:
		d.kind = frameAnnouncement
	case p.reply:
		d.kind, d.target, d.toAddr = frameReply, p.sender, p.target
	case p.sender.IsUnspecified():
		d.kind = frameProbe
	}
	return d
}

func describeNDP(frame []byte) (d description) {
	p, ok := parseIPv6(frame)
	if !ok || len(p.icmp) < messageLength {
		return d
	}
	d = description{
		protocol: traceapi.NDP, target: netip.AddrFrom16([16]byte(p.icmp[targetOffset:messageLength])),
		sender: p.source, by: p.from, to: p.to, toAddr: p.destination,
	}
	switch {
	case p.icmp[0] == typeAdvertisement && p.destination.IsMulticast():
		d.kind, d.by = frameAnnouncement, advertised(p)
	case p.icmp[0] == typeAdvertisement:
		d.kind, d.by = frameReply, advertised(p)
	case p.source.IsUnspecified():
		d.kind = frameProbe
	}
	return d
}

// advertised is the MAC address that an advertisement gives, or else that of its frame.
func advertised(p icmpv6Packet) mac {
	message, err := ndp.ParseMessage(p.icmp)
	advertisement, is := message.(*ndp.NeighborAdvertisement)
	if err != nil || !is {
		return p.from
	}
	link, _ := linkLayerAddress(advertisement.Options, ndp.Target)
	return userMAC(link, p.from)
}

// traceReceived tells those who trace one of the addresses of a frame what it was and what became of it.
func (s *socket) traceReceived(frame []byte, did reaction) {
	d := s.protocol.describe(frame)
	if d.protocol == "" {
		return
	}
	s.record(d.target, traceapi.In, frame, d, func() string {
		if d.kind == frameRequest || d.kind == frameProbe {
			return s.decisionOnRequest(d.target, d.sender, did)
		}
		return s.decisionOnUse(d.by)
	})
	if d.sender != d.target {
		s.record(d.sender, traceapi.In, frame, d, func() string { return s.decisionOnUse(d.by) })
	}
}

// traceSent tells those who trace the target of a frame that it was sent, and why.
func (s *socket) traceSent(frame []byte, as purpose) {
	d := s.protocol.describe(frame)
	s.record(d.target, traceapi.Out, frame, d, func() string { return string(as) })
}

func (s *socket) record(addr netip.Addr, direction traceapi.Direction, frame []byte, d description, decision func() string) {
	s.tracer.Record(addr, func() traceapi.Event {
		return traceapi.Event{
			Protocol: d.protocol, Direction: direction, On: s.name, Summary: d.String(), Decision: decision(), Frame: bytes.Clone(frame),
		}
	})
}

// decisionOnRequest says whether a request for an address was answered, or why not.
func (s *socket) decisionOnRequest(addr, asker netip.Addr, did reaction) string {
	v := (*s.addresses.Load())[addr]
	switch {
	case did == answered:
		return "answered"
	case did == couldNotSend:
		return "not answered: the kernel did not send the answer"
	case did == wasStale:
		return "not answered: this process was stopped for a while, and others may have taken the address over"
	case did == anothers && v != nil:
		return "not answered: " + anotherAnswers(v, asker)
	case v != nil && v.held.Load():
		return "not answered: the request is not valid"
	case v != nil:
		return "not answered: it is probed first, because no node has announced it before, or a host outside the cluster has it"
	}
	standing, known := s.tracer.Standing(addr)
	switch {
	case !known:
		return "not answered: this node does not hold it"
	case standing.Holds:
		return "not answered: this node answers for it on other interfaces"
	}
	return "not answered: " + standing.Layer2
}

// anotherAnswers says which node answers who asks for a shared address.
func anotherAnswers(v *vip, asker netip.Addr) string {
	s := v.shared()
	switch {
	case s == nil:
		return "another node answered this client, and does not now"
	case !asker.IsValid() || asker.IsUnspecified():
		return "the address is shared, and its holder answers who asks whether it is in use"
	case s.Own.Serves(asker):
		return "another node of the shared address has told of this client, which is told in turn"
	default:
		return "the address is shared, and node " + s.Table.Server(asker) + " answers this client"
	}
}

// decisionOnUse says whose a MAC address is that uses an address.
func (s *socket) decisionOnUse(by mac) string {
	switch found, known := s.handler.ownerOf(by); {
	case !known:
		return "used by a host outside the cluster"
	case found.other():
		return "used by node " + found.node
	}
	return "used by this node"
}

// Listen has these interfaces listened on for the families of these addresses, which somebody traces, though nothing may be answered there.
func (r *Responder) Listen(addresses []netip.Addr, interfaces []string) {
	wanted := map[socketKey]bool{}
	for _, addr := range addresses {
		for _, name := range interfaces {
			wanted[socketKey{name, lb.FamilyOf(addr)}] = true
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if maps.Equal(r.listened, wanted) {
		return
	}
	r.listened = wanted
	if !r.stopped {
		_ = r.apply() // Set returns its error, too.
	}
}
