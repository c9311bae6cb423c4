package proxy

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
)

// backend is an endpoint: a numeric address and a port.
type backend struct {
	address string
	port    uint16
}

// frontend is an address of a Service and where connections to it go.
type frontend struct {
	address    netip.Addr
	protocol   byte
	port       uint16
	backends   []netip.AddrPort
	masquerade bool // the endpoint answers to this node and not to the client itself
}

// appendFrontend keeps to the address's own family; what is neither TCP nor UDP is left out.
func appendFrontend(all []frontend, ip string, port corev1.ServicePort, backends []backend, masquerade bool) []frontend {
	f := frontend{port: uint16(port.Port), masquerade: masquerade} //nolint:gosec // a port
	switch port.Protocol {
	case corev1.ProtocolTCP:
		f.protocol = unix.IPPROTO_TCP
	case corev1.ProtocolUDP:
		f.protocol = unix.IPPROTO_UDP
	default:
		return all
	}
	address, err := netip.ParseAddr(ip)
	if err != nil {
		return all // a headless Service has none
	}
	f.address = address
	for _, b := range backends {
		if a, err := netip.ParseAddr(b.address); err == nil && a.Is4() == address.Is4() {
			f.backends = append(f.backends, netip.AddrPortFrom(a, b.port))
		}
	}
	slices.SortFunc(f.backends, netip.AddrPort.Compare)
	return append(all, f)
}

// kernel is what the kernel has been told.
type kernel struct{ has []frontend }

// The mark of packets whose source is to be this node.
const masqueradeMark = 0x4000

// set replaces all rules in one transaction, if they differ.
func (k *kernel) set(wanted []frontend) error {
	slices.SortFunc(wanted, func(a, b frontend) int {
		return netip.AddrPortFrom(a.address, a.port).Compare(netip.AddrPortFrom(b.address, b.port))
	})
	if k.has != nil && reflect.DeepEqual(k.has, wanted) {
		return nil
	}
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("open nftables: %w", err)
	}
	for _, v4 := range []bool{true, false} {
		services := skeleton(conn, v4)
		for _, f := range wanted {
			if f.address.Is4() == v4 {
				addRules(conn, services, f)
			}
		}
	}
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("tell the kernel: %w", err)
	}
	k.has = wanted
	return nil
}

// skeleton makes the empty table of a family anew and gives the chain for Services.
func skeleton(conn *nftables.Conn, v4 bool) *nftables.Chain {
	table := &nftables.Table{Name: "lab", Family: nftables.TableFamilyIPv6}
	if v4 {
		table.Family = nftables.TableFamilyIPv4
	}
	conn.AddTable(table) // so that there is one to delete
	conn.DelTable(table)
	conn.AddTable(table)
	services := conn.AddChain(&nftables.Chain{Name: "services", Table: table})
	for name, hook := range map[string]*nftables.ChainHook{
		"prerouting": nftables.ChainHookPrerouting, "output": nftables.ChainHookOutput,
	} {
		chain := conn.AddChain(&nftables.Chain{
			Name: name, Table: table, Type: nftables.ChainTypeNAT, Hooknum: hook, Priority: nftables.ChainPriorityNATDest,
		})
		conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{
			&expr.Verdict{Kind: expr.VerdictJump, Chain: services.Name},
		}})
	}
	post := conn.AddChain(&nftables.Chain{
		Name: "postrouting", Table: table, Type: nftables.ChainTypeNAT,
		Hooknum: nftables.ChainHookPostrouting, Priority: nftables.ChainPriorityNATSource,
	})
	conn.AddRule(&nftables.Rule{Table: table, Chain: post, Exprs: []expr.Any{
		&expr.Meta{Key: expr.MetaKeyMARK, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binaryutil.NativeEndian.PutUint32(masqueradeMark)},
		&expr.Masq{},
	}})
	return services
}

// addRules adds one rule for each endpoint, each taking its share of what those before it have left; without an endpoint the
// connection is dropped, for else it would be routed away again.
func addRules(conn *nftables.Conn, chain *nftables.Chain, f frontend) {
	add := func(more ...expr.Any) {
		conn.AddRule(&nftables.Rule{Table: chain.Table, Chain: chain, Exprs: append(f.match(), more...)})
	}
	if len(f.backends) == 0 {
		add(&expr.Verdict{Kind: expr.VerdictDrop})
	}
	for i, b := range f.backends {
		var do []expr.Any
		if left := len(f.backends) - i; left > 1 {
			do = append(do,
				&expr.Numgen{Register: 1, Modulus: uint32(left), Type: unix.NFT_NG_RANDOM}, //nolint:gosec // few
				&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binaryutil.NativeEndian.PutUint32(0)})
		}
		if f.masquerade {
			do = append(do,
				&expr.Immediate{Register: 1, Data: binaryutil.NativeEndian.PutUint32(masqueradeMark)},
				&expr.Meta{Key: expr.MetaKeyMARK, SourceRegister: true, Register: 1})
		}
		family := uint32(unix.NFPROTO_IPV6)
		if b.Addr().Is4() {
			family = unix.NFPROTO_IPV4
		}
		add(append(do,
			&expr.Immediate{Register: 1, Data: b.Addr().AsSlice()},
			&expr.Immediate{Register: 2, Data: binaryutil.BigEndian.PutUint16(b.Port())},
			&expr.NAT{Type: expr.NATTypeDestNAT, Family: family, RegAddrMin: 1, RegProtoMin: 2})...)
	}
}

// match are the conditions for a packet to the frontend.
func (f frontend) match() []expr.Any {
	offset, length := uint32(24), uint32(16)
	if f.address.Is4() {
		offset, length = 16, 4
	}
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: length},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: f.address.AsSlice()},
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{f.protocol}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binaryutil.BigEndian.PutUint16(f.port)},
	}
}
