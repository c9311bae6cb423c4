package bfdsession

import (
	"encoding/binary"
	"math"
	"time"
)

// Size of a packet without authentication in bytes (RFC 5880 section 4.1).
const Size = 24

// Packet is a BFD Control packet without authentication (RFC 5880 section 4.1). Intervals are whole microseconds on the
// wire, up to about 71 minutes.
type Packet struct {
	Diag  Diag
	State State
	// Poll asks for an answer at once; Final is that answer.
	Poll, Final bool
	// Independent is the C bit: BFD does not share the fate of the sender's control plane.
	Independent bool
	// Demand: the sender wants no periodic packets while the session is up.
	Demand bool
	// Multiplier is how many intervals without a packet are a failure; never 0.
	Multiplier uint8
	// Mine is the sender's discriminator, never 0; Yours is that of the receiver, 0 while it is not known.
	Mine, Yours uint32
	// DesiredMinTx: the sender wants to send no more often than this.
	DesiredMinTx time.Duration
	// RequiredMinRx: the sender takes packets no more often than this; 0: none at all.
	RequiredMinRx time.Duration
	// RequiredMinEchoRx is the same of Echo packets; 0: it does no Echo.
	RequiredMinEchoRx time.Duration
}

// Fault is why a packet is discarded. It is one of the constants, fit for the label of a metric.
type Fault string

// The faults, in the order in which RFC 5880 section 6.8.6 looks for them.
const (
	FaultShort         Fault = "short"
	FaultVersion       Fault = "version"
	FaultLength        Fault = "length"
	FaultMultiplier    Fault = "multiplier"
	FaultMultipoint    Fault = "multipoint"
	FaultDiscriminator Fault = "discriminator"
	FaultState         Fault = "state"
	FaultAuth          Fault = "authentication"
)

// Error implements error.
func (f Fault) Error() string { return "malformed BFD packet: " + string(f) }

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

// Parse reads a packet, given the payload of its datagram, and makes the checks of RFC 5880 section 6.8.6 that need no
// session. The error is a Fault. What follows the packet in the datagram is ignored, as the RFC permits.
func Parse(b []byte) (Packet, error) {
	if len(b) < Size {
		return Packet{}, FaultShort
	}
	p := Packet{
		Diag: Diag(b[0] & 0x1f), State: State(b[1] >> 6),
		Poll: b[1]&bitPoll != 0, Final: b[1]&bitFinal != 0, Independent: b[1]&bitIndependent != 0, Demand: b[1]&bitDemand != 0,
		Multiplier: b[2],
		Mine:       binary.BigEndian.Uint32(b[4:]), Yours: binary.BigEndian.Uint32(b[8:]),
		DesiredMinTx: interval(b[12:]), RequiredMinRx: interval(b[16:]), RequiredMinEchoRx: interval(b[20:]),
	}
	switch {
	case b[0]>>5 != version:
		return Packet{}, FaultVersion
	case int(b[3]) < Size || int(b[3]) > len(b):
		return Packet{}, FaultLength
	case p.Multiplier == 0:
		return Packet{}, FaultMultiplier
	case b[1]&bitMultipoint != 0:
		return Packet{}, FaultMultipoint
	case p.Mine == 0:
		return Packet{}, FaultDiscriminator
	case p.Yours == 0 && p.State != Down && p.State != AdminDown:
		return Packet{}, FaultState
	case b[1]&bitAuth != 0: // We use none, so a packet must have none.
		return Packet{}, FaultAuth
	}
	return p, nil
}

// Append writes the packet after b. An interval that does not fit is written as the longest that does.
func (p *Packet) Append(b []byte) []byte {
	flags := byte(p.State)<<6 | flag(p.Poll, bitPoll) | flag(p.Final, bitFinal) | flag(p.Independent, bitIndependent) | flag(p.Demand, bitDemand)
	b = append(b, version<<5|byte(p.Diag)&0x1f, flags, p.Multiplier, Size)
	b = binary.BigEndian.AppendUint32(b, p.Mine)
	b = binary.BigEndian.AppendUint32(b, p.Yours)
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

func interval(b []byte) time.Duration {
	return time.Duration(binary.BigEndian.Uint32(b)) * time.Microsecond
}

func microseconds(d time.Duration) uint32 {
	return uint32(min(max(d.Microseconds(), 0), math.MaxUint32))
}
