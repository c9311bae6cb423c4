// Package traceapi is what `kubectl daymark trace` and the speakers agree on: where a speaker answers, to whom, and what it sends. Its one
// job is that both mean the same; it refuses to know how an event came about, or what becomes of it.
package traceapi

import (
	"net/netip"
	"time"
)

const (
	// Path that a speaker serves. The answer is a stream of Events in JSON, one on each
	// line; lines may be empty.
	Path = "/trace"
	// AddressParameter names the address in the query.
	AddressParameter = "address"
	// Port is the name of the port in the speaker's Pod.
	Port = "trace"
	// Account is the service account, in Daymark's namespace, whose tokens a speaker takes. Who may make one may trace.
	Account = "daymark-trace"
	// Audience of the token: it is good for nothing else.
	Audience = "trace.daymark.io"
)

// Protocol that an event is of.
type Protocol string

// The protocols. Layer2 and BGP without a direction say what a node has decided.
const (
	ARP    Protocol = "ARP"
	NDP    Protocol = "NDP"
	BGP    Protocol = "BGP"
	BFD    Protocol = "BFD"
	Gossip Protocol = "gossip"
	Layer2 Protocol = "layer2"
)

// Direction of what an event shows.
type Direction string

// The directions; empty: nothing was received or sent.
const (
	In  Direction = "in"
	Out Direction = "out"
)

// Event is what a node has received, sent or decided about an address.
type Event struct {
	Time      time.Time  `json:"time"`
	Node      string     `json:"node"`
	Address   netip.Addr `json:"address"`
	Protocol  Protocol   `json:"protocol,omitempty"`
	Direction Direction  `json:"direction,omitempty"`
	// On names the interface of a frame, the BGP or BFD session of a message, or the node of a claim.
	On string `json:"on,omitempty"`
	// Summary says what it is, Decision what the node makes of it, and why.
	Summary  string `json:"summary,omitempty"`
	Decision string `json:"decision,omitempty"`
	// Frame of ARP and NDP, from its Ethernet header on, or message of BGP.
	Frame []byte `json:"frame,omitempty"`
	// Local and Remote are the ends of the connection that a message of BGP was sent by.
	Local  netip.AddrPort `json:"local,omitzero"`
	Remote netip.AddrPort `json:"remote,omitzero"`
	// Dropped is how many events before this one were too many and are missing.
	Dropped int `json:"dropped,omitempty"`
}
