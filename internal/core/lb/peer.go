package lb

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// SecretKey names a value of a Secret in Daymark's namespace.
type SecretKey struct{ Name, Key string }

// Peer is a router that nodes announce addresses to.
type Peer struct {
	Name    string
	Created time.Time

	MyASN uint32
	// PeerASN is the expected AS number; 0 when Dynamic is set.
	PeerASN uint32
	// Dynamic accepts the AS number in the peer's OPEN message: internal or external; empty when PeerASN is set.
	Dynamic v1beta1.ASNType
	// LocalASN is sent in place of MyASN; 0 for none.
	LocalASN uint32

	// Exactly one of Address, Interface, GatewayFamily and NodeAnnotation says where the peer is.
	Address        netip.Addr
	Interface      string
	GatewayFamily  Family
	NodeAnnotation string

	Port     uint16
	Source   netip.Addr
	RouterID netip.Addr
	// SourceInterface and SourceAnnotation say where a node finds the address in place of Source; at most one of the three is set.
	SourceInterface  string
	SourceAnnotation string
	// RouterIDAnnotation says where a node finds its BGP identifier in place of RouterID.
	RouterIDAnnotation string

	HoldTime      time.Duration
	KeepaliveTime time.Duration
	ConnectTime   time.Duration
	// MaximumPrefixes is how many prefixes of each family one node sends at most; 0: any number.
	MaximumPrefixes int

	// Password is where the password is; nil for none.
	Password    *SecretKey
	MultiHop    bool
	TTLSecurity bool
	BFDProfile  string
	// BFDStrict: no session is established before BFD is up. BFDProfile is set.
	BFDStrict bool
	// AdminState is never empty. ShutdownMessage is sent when it becomes Down.
	AdminState      v1beta1.AdminState
	ShutdownMessage string
	// RestartTime of graceful restart; 0 when graceful restart is off.
	RestartTime   time.Duration
	Families      []Family
	VRF           string
	NodeSelectors Selectors

	// Err says what is wrong with the object; nil when nothing is. The sessions of a peer with an error are left as they are.
	Err error
	// Generation of the object that has this specification.
	Generation int64
	// Accepted is what the controller last accepted; nil: nothing. It has none of its own.
	Accepted *Peer
	// AcceptedBFD are the parameters of BFD that the controller last accepted, for when the profile does not exist; nil: none.
	AcceptedBFD *BFDProfile
}

// ParsePeer parses a BGPPeer.
func ParsePeer(from *v1beta1.BGPPeer) *Peer {
	p := parsePeer(from.ObjectMeta, &from.Spec)
	if accepted := from.Status.Accepted; accepted != nil {
		p.Accepted = parsePeer(ofGeneration(from.ObjectMeta, accepted.Generation), &accepted.Spec)
		if accepted.BFDProfile != nil {
			profile := parseBFDProfile(accepted.Spec.BFDProfile, accepted.BFDProfile)
			p.AcceptedBFD, p.Accepted.AcceptedBFD = profile, profile
		}
	}
	return p
}

// StrictInForce reports whether no session is established before BFD is up, given whether the BFDProfile exists. A peer that was changed to
// wait for BFD by a profile that never was there goes on as the controller last accepted it: its router may have no BFD, and every session
// would be gone with the next restart.
func (p *Peer) StrictInForce(exists bool) bool {
	if exists || p.AcceptedBFD != nil || p.Accepted == nil {
		return p.BFDStrict
	}
	return p.BFDStrict && p.Accepted.BFDStrict
}

// PasswordInForce is where the password of the peer's sessions is, given which can be used; nil: they have none. A peer that was changed to
// name one that cannot be used goes on with what the controller last accepted. ok is false when there is nothing to go on with.
func (p *Peer) PasswordInForce(usable func(SecretKey) bool) (key *SecretKey, ok bool) {
	switch {
	case p.Password == nil || usable(*p.Password):
		return p.Password, true
	case p.Accepted != nil && (p.Accepted.Password == nil || usable(*p.Accepted.Password)):
		return p.Accepted.Password, true
	}
	return nil, false
}

func parsePeer(meta metav1.ObjectMeta, spec *v1beta1.BGPPeerSpec) *Peer {
	p := &Peer{
		Name: meta.Name, Created: meta.CreationTimestamp.Time, Generation: meta.Generation,
		MyASN: asn(&spec.MyASN), PeerASN: asn(spec.PeerASN), LocalASN: asn(spec.LocalASN),
		Interface: spec.Interface,
		Port:      uint16(cmp.Or(spec.PeerPort, 179)), //nolint:gosec // the schema keeps ports within 16 bits
		HoldTime:  cmp.Or(spec.HoldTime.Duration, 90*time.Second), KeepaliveTime: spec.KeepaliveTime.Duration,
		ConnectTime:     cmp.Or(spec.ConnectTime.Duration, 30*time.Second),
		MaximumPrefixes: int(spec.MaximumPrefixes),
		MultiHop:        spec.EBGPMultiHop, TTLSecurity: spec.TTLSecurity, BFDProfile: spec.BFDProfile, VRF: spec.VRF,
		BFDStrict: spec.BFDStrict && spec.BFDProfile != "", ShutdownMessage: spec.ShutdownMessage,
	}
	if spec.DynamicASN != nil {
		p.Dynamic = *spec.DynamicASN
	}
	if from := spec.PeerFrom; from != nil {
		p.NodeAnnotation = from.NodeAnnotation
		if from.DefaultGateway != nil {
			p.GatewayFamily = parseFamily(*from.DefaultGateway)
		}
	}
	if from := spec.SourceFrom; from != nil {
		p.SourceInterface, p.SourceAnnotation = from.Interface, from.NodeAnnotation
	}
	if from := spec.RouterIDFrom; from != nil {
		p.RouterIDAnnotation = from.NodeAnnotation
	}
	if secret := spec.PasswordSecret; secret != nil {
		p.Password = &SecretKey{secret.Name, cmp.Or(secret.Key, "password")}
	}
	if restart := spec.GracefulRestart; restart.Enabled == nil || *restart.Enabled {
		p.RestartTime = cmp.Or(restart.RestartTime.Duration, 30*time.Second)
	}
	for _, family := range spec.AddressFamilies {
		p.Families = append(p.Families, parseFamily(family))
	}
	slices.Sort(p.Families)
	p.Address, p.Err = optionalAddr("peerAddress", spec.PeerAddress, ParsePeerAddr, p.Err)
	p.Source, p.Err = optionalAddr("sourceAddress", spec.SourceAddress, parseSource, p.Err)
	p.RouterID, p.Err = optionalAddr("routerID", spec.RouterID, ParseAddr, p.Err)
	selectors, err := parseSelectors("nodeSelectors", spec.NodeSelectors)
	p.NodeSelectors, p.Err = selectors, cmp.Or(p.Err, err)
	p.AdminState, p.Err = adminState(spec.AdminState, p.Err)
	p.Err = cmp.Or(p.Err, p.check(spec))
	return p
}

// parseSource reads the source address of a session. An unspecified one is none: the kernel chooses, and it is the next hop of nothing.
func parseSource(s string) (netip.Addr, error) {
	addr, err := ParseAddr(s)
	if err == nil && addr.IsUnspecified() {
		return netip.Addr{}, nil
	}
	return addr, err
}

// Check returns the name, and what is wrong with the object; nil when nothing is.
func (p *Peer) Check() (name string, err error) { return p.Name, p.Err }

// ComparePeers orders peers by name.
func ComparePeers(a, b *Peer) int { return strings.Compare(a.Name, b.Name) }

// External reports whether the configuration says that the session is between two autonomous systems.
func (p *Peer) External() bool {
	return p.Dynamic == v1beta1.ASNExternal || p.Dynamic == "" && p.PeerASN != p.MyASN
}

func asn(given *int64) uint32 {
	if given == nil {
		return 0
	}
	return uint32(*given) //nolint:gosec // the schema keeps it within 32 bits
}

func parseFamily(from v1beta1.AddressFamily) Family {
	if from == v1beta1.IPv6 {
		return IPv6
	}
	return IPv4
}

// adminState is Up where there is none, and for a word that is not understood. It returns the error before it, if there is one.
func adminState(said v1beta1.AdminState, before error) (v1beta1.AdminState, error) {
	if err := checkWord("adminState", said, v1beta1.AdminUp, v1beta1.AdminMaintenance, v1beta1.AdminDown); err != nil {
		return v1beta1.AdminUp, cmp.Or(before, err)
	}
	return cmp.Or(said, v1beta1.AdminUp), before
}

// optionalAddr parses the address in a field, which may be absent. It returns the error before it, if there is one.
func optionalAddr(field, text string, parse func(string) (netip.Addr, error), before error) (netip.Addr, error) {
	if text == "" {
		return netip.Addr{}, before
	}
	addr, err := parse(text)
	if err != nil {
		return netip.Addr{}, cmp.Or(before, fmt.Errorf("%s: %w", field, err))
	}
	return addr, before
}

// BFDProfile holds the parameters of BFD sessions.
type BFDProfile struct {
	Name             string
	ReceiveInterval  time.Duration
	TransmitInterval time.Duration
	DetectMultiplier int
	MinimumTTL       int
	Passive          bool
	// HoldDown is how long BFD must be up after a failure before routes are announced; 0: not at all.
	HoldDown time.Duration
}

// ParseBFDProfile parses a BFDProfile.
func ParseBFDProfile(from *v1beta1.BFDProfile) *BFDProfile {
	return parseBFDProfile(from.Name, &from.Spec)
}

// DefaultBFDProfile is a profile of which nothing is set, by the name of one that does not exist.
func DefaultBFDProfile(name string) *BFDProfile {
	return parseBFDProfile(name, &v1beta1.BFDProfileSpec{})
}

func parseBFDProfile(name string, spec *v1beta1.BFDProfileSpec) *BFDProfile {
	milliseconds := func(given int32) time.Duration { return time.Duration(cmp.Or(given, 300)) * time.Millisecond }
	return &BFDProfile{
		Name:             name,
		ReceiveInterval:  milliseconds(spec.ReceiveInterval),
		TransmitInterval: milliseconds(spec.TransmitInterval),
		DetectMultiplier: int(cmp.Or(spec.DetectMultiplier, 3)),
		MinimumTTL:       int(cmp.Or(spec.MinimumTTL, 254)),
		Passive:          spec.PassiveMode,
		HoldDown:         spec.HoldDown.Duration,
	}
}
