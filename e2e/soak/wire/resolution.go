package wire

import (
	"net"
	"net/netip"
	"slices"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/ndp"
)

// Kind is what a packet of ARP or neighbor discovery does.
type Kind int

// Kinds of packets.
const (
	Question     Kind = iota + 1 // asks who has the address
	Answer                       // to one who asked
	Announcement                 // to everybody, unasked
)

// Said is what somebody said of an address.
type Said struct {
	Frame
	Kind    Kind
	Address netip.Addr
	By      net.HardwareAddr // who has the address, of an answer or announcement; else who asks
}

// ParseResolution reads a frame of ARP or neighbor discovery; ok is false when it is neither, or not well-formed.
func ParseResolution(f Frame) (s Said, ok bool) {
	var frame ethernet.Frame
	if frame.UnmarshalBinary(f.Data) != nil {
		return s, false
	}
	s.Frame = f
	switch frame.EtherType {
	case ethernet.EtherTypeARP:
		return s.arp(&frame)
	case ethernet.EtherTypeIPv6:
		return s.ndp(&frame)
	default:
		return s, false
	}
}

// arp reads a request or reply. One whose sender asks for its own address is an announcement, and so is a reply to everybody (RFC 5227
// section 3). A probe, which has no sender, is a question.
func (s Said) arp(frame *ethernet.Frame) (Said, bool) {
	var p arp.Packet
	if p.UnmarshalBinary(frame.Payload) != nil {
		return s, false
	}
	s.Address, s.By = p.TargetIP, slices.Clone(p.SenderHardwareAddr)
	switch {
	case p.SenderIP == p.TargetIP || p.Operation == arp.OperationReply && frame.Destination[0]&1 != 0:
		s.Kind, s.Address = Announcement, p.SenderIP
	case p.Operation == arp.OperationReply:
		s.Kind, s.Address = Answer, p.SenderIP
	case p.Operation == arp.OperationRequest:
		s.Kind = Question
	default:
		return s, false
	}
	return s, true
}

// ndp reads a solicitation or advertisement. One that is not solicited (RFC 4861 section 4.4) is an announcement.
func (s Said) ndp(frame *ethernet.Frame) (Said, bool) {
	if len(frame.Payload) < icmpv6At-headerLength {
		return s, false
	}
	message, err := ndp.ParseMessage(frame.Payload[icmpv6At-headerLength:])
	if err != nil {
		return s, false
	}
	s.By = slices.Clone(frame.Source)
	switch m := message.(type) {
	case *ndp.NeighborSolicitation:
		s.Kind, s.Address = Question, m.TargetAddress
	case *ndp.NeighborAdvertisement:
		s.Kind, s.Address = Announcement, m.TargetAddress
		if m.Solicited {
			s.Kind = Answer
		}
		for _, option := range m.Options {
			if link, ok := option.(*ndp.LinkLayerAddress); ok && link.Direction == ndp.Target {
				s.By = slices.Clone(link.Addr)
			}
		}
	default:
		return s, false
	}
	return s, true
}
