package bfdsession

import (
	"encoding/binary"
	"math"
	"time"
)

// PacketSize is the length of a packet without authentication, in bytes (RFC 5880 section 4.1).
const PacketSize = 24

// Packet is a BFD Control packet without authentication (RFC 5880 section 4.1). On the wire, intervals are whole
// microseconds, up to about 71 minutes.
type Packet struct {
	Diag  Diag
	State State
	// Poll asks for an answer at once. Final is that answer.
	Poll, Final bool
	// ControlPlaneIndependent is the C bit: BFD of the sender does not depend on its control plane.
	ControlPlaneIndependent bool
	// Demand is the D bit: the sender wants no periodic packets while the session is up.
	Demand bool
	// DetectMult is how many intervals without a packet are a failure; never 0.
	DetectMult uint8
	// MyDiscriminator is the sender's, never 0. YourDiscriminator is the receiver's, 0 while it is not known.
	MyDiscriminator, YourDiscriminator uint32
	// DesiredMinTx is the shortest interval at which the sender wants to send.
	DesiredMinTx time.Duration
	// RequiredMinRx is the shortest interval at which the sender accepts packets; 0: it accepts none.
	RequiredMinRx time.Duration
	// RequiredMinEchoRx is the same for Echo packets; 0: it does not support them.
	RequiredMinEchoRx time.Duration
}

// DiscardReason is why a packet is discarded. Its values can be labels of a metric.
type DiscardReason string

// The reasons, in the order of the checks of RFC 5880 section 6.8.6.
const (
	DiscardShort          DiscardReason = "short"
	DiscardVersion        DiscardReason = "version"
	DiscardLength         DiscardReason = "length"
	DiscardDetectMult     DiscardReason = "multiplier"
	DiscardMultipoint     DiscardReason = "multipoint"
	DiscardDiscriminator  DiscardReason = "discriminator"
	DiscardState          DiscardReason = "state"
	DiscardAuthentication DiscardReason = "authentication"
)

// Error implements error.
func (r DiscardReason) Error() string { return "malformed BFD packet: " + string(r) }

// version of the protocol.
const version = 1

// The bits of the second byte.
const (
	bitPoll        = 0x20
	bitFinal       = 0x10
	bitIndependent = 0x08
	bitAuth        = 0x04
	bitDemand      = 0x02
	bitMultipoint  = 0x01
)

// Parse reads the payload of a datagram as a packet, and makes those checks of RFC 5880 section 6.8.6 that need no session.
// The error is a DiscardReason. Bytes after the packet are ignored.
func Parse(b []byte) (Packet, error) {
	if len(b) < PacketSize {
		return Packet{}, DiscardShort
	}
	p := Packet{
		Diag: Diag(b[0] & 0x1f), State: State(b[1] >> 6),
		Poll: b[1]&bitPoll != 0, Final: b[1]&bitFinal != 0,
		ControlPlaneIndependent: b[1]&bitIndependent != 0, Demand: b[1]&bitDemand != 0,
		DetectMult:      b[2],
		MyDiscriminator: binary.BigEndian.Uint32(b[4:]), YourDiscriminator: binary.BigEndian.Uint32(b[8:]),
		DesiredMinTx: parseInterval(b[12:]), RequiredMinRx: parseInterval(b[16:]), RequiredMinEchoRx: parseInterval(b[20:]),
	}
	switch {
	case b[0]>>5 != version:
		return Packet{}, DiscardVersion
	case int(b[3]) < PacketSize || int(b[3]) > len(b):
		return Packet{}, DiscardLength
	case p.DetectMult == 0:
		return Packet{}, DiscardDetectMult
	case b[1]&bitMultipoint != 0:
		return Packet{}, DiscardMultipoint
	case p.MyDiscriminator == 0:
		return Packet{}, DiscardDiscriminator
	case p.YourDiscriminator == 0 && p.State != Down && p.State != AdminDown:
		return Packet{}, DiscardState
	case b[1]&bitAuth != 0: // We use no authentication, so a packet must have none.
		return Packet{}, DiscardAuthentication
	}
	return p, nil
}

// Append appends the encoded packet to b. An interval that does not fit is encoded as the longest that does.
func (p *Packet) Append(b []byte) []byte {
	flags := byte(p.State)<<6 | flag(p.Poll, bitPoll) | flag(p.Final, bitFinal) |
		flag(p.ControlPlaneIndependent, bitIndependent) | flag(p.Demand, bitDemand)
	b = append(b, version<<5|byte(p.Diag)&0x1f, flags, p.DetectMult, PacketSize)
	b = binary.BigEndian.AppendUint32(b, p.MyDiscriminator)
	b = binary.BigEndian.AppendUint32(b, p.YourDiscriminator)
	b = binary.BigEndian.AppendUint32(b, microseconds(p.DesiredMinTx))
	b = binary.BigEndian.AppendUint32(b, microseconds(p.RequiredMinRx))
	return binary.BigEndian.AppendUint32(b, microseconds(p.RequiredMinEchoRx))
}

func flag(set bool, bit byte) byte {
	if set {
		return bit
	}
	return 0
}

func parseInterval(b []byte) time.Duration {
	return time.Duration(binary.BigEndian.Uint32(b)) * time.Microsecond
}

func microseconds(d time.Duration) uint32 {
	return uint32(min(max(d.Microseconds(), 0), math.MaxUint32))
}
