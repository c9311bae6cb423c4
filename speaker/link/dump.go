package link

import (
	"bytes"
	"cmp"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// maxDumps is how often a dump that a change has interrupted (NLM_F_DUMP_INTR) is tried before it fails.
const maxDumps = 10

var errInterrupted = errors.New("the kernel's table kept changing while it was read")

// state is what is read, in the form that others use.
type state struct {
	links    []lb.Link
	gateways []lb.Gateway
}

// dump is what is read at once: all links with their addresses, the routes that count, and the preferences of routers.
type dump struct {
	links       []netlink.Link
	addrs       []netlink.Addr
	routes      routes
	preferences preferences
}

// readDump reads everything.
func readDump() (d dump, err error) {
	err = consistently(func() error {
		if d.links, d.addrs, err = readLinks(); err != nil {
			return err
		}
		if d.routes, err = readRoutes(); err != nil {
			return err
		}
		d.preferences, err = readPreferences(d.routes.defaults)
		return err
	})
	return d, err
}

// readLinks reads all links and their addresses.
func readLinks() ([]netlink.Link, []netlink.Addr, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, nil, err
	}
	addrs, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	return links, addrs, err
}

// consistently reads until no change has interrupted it.
func consistently(read func() error) error {
	for range maxDumps {
		if err := read(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			return err
		}
	}
	return errInterrupted
}

// state has the links in order of name, and the default gateways in order of use.
func (d *dump) state() state {
	all := state{links: convertLinks(d.links, d.addrs)}
	all.gateways = gateways(d.routes.defaults, d.preferences, all.links, tables(d.links))
	d.routes.assign(all.links)
	return all
}

// tables are the names of the VRFs by their routing tables; that of the main table is empty.
func tables(links []netlink.Link) map[int]string {
	names := map[int]string{unix.RT_TABLE_MAIN: ""}
	for _, link := range links {
		if vrf, is := link.(*netlink.Vrf); is {
			names[int(vrf.Table)] = vrf.Name
		}
	}
	return names
}

// convertLinks joins netlink's links and addresses into the shared form.
func convertLinks(links []netlink.Link, addrs []netlink.Addr) []lb.Link {
	kinds := make(map[int]string, len(links))
	for _, link := range links {
		kinds[link.Attrs().Index] = link.Type()
	}
	prefixes, notPreferred, duplicates := make(map[int][]netip.Prefix, len(links)), map[int][]netip.Addr{}, map[int][]netip.Prefix{}
	for _, addr := range addrs {
		prefix, ok := prefixOf(addr.IPNet)
		if !ok {
			continue
		}
		if addr.Flags&unix.IFA_F_DADFAILED != 0 {
			duplicates[addr.LinkIndex] = append(duplicates[addr.LinkIndex], prefix)
			continue // The kernel neither answers for it nor sends from it.
		}
		prefixes[addr.LinkIndex] = append(prefixes[addr.LinkIndex], prefix)
		if !preferred(prefix.Addr(), addr.Flags) {
			notPreferred[addr.LinkIndex] = append(notPreferred[addr.LinkIndex], prefix.Addr())
		}
	}

	result := make([]lb.Link, 0, len(links))
	for _, link := range links {
		attrs := link.Attrs()
		own := prefixes[attrs.Index]
		slices.SortFunc(notPreferred[attrs.Index], netip.Addr.Compare)
		slices.SortFunc(own, byAddress)
		slices.SortFunc(duplicates[attrs.Index], byAddress)
		result = append(result, lb.Link{
			Name:         attrs.Name,
			Index:        attrs.Index,
			Up:           attrs.Flags&net.FlagUp != 0 && attrs.RawFlags&runs == runs,
			Dormant:      attrs.OperState == netlink.OperDormant,
			MAC:          macOf(attrs),
			PermanentMAC: permanentMAC(attrs),
			Enslaved:     attrs.MasterIndex != 0 && answersForMembers(kinds[attrs.MasterIndex]),
			NoARP:        noARP(attrs),
			Addresses:    own, NotPreferred: notPreferred[attrs.Index], Duplicates: duplicates[attrs.Index],
		})
		last := &result[len(result)-1]
		last.AnsweredElsewhere = last.OfServiceProxy() && answersElsewhere()
	}
	slices.SortFunc(result, func(a, b lb.Link) int { return strings.Compare(a.Name, b.Name) })
	return result
}

func byAddress(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}

// preferred reports whether other hosts may be told of an address, by its flags: see lb.Link.NotPreferred. The flag of a temporary
// IPv6 address is that of a secondary IPv4 one.
func preferred(addr netip.Addr, flags int) bool {
	unfit := unix.IFA_F_DEPRECATED | unix.IFA_F_TENTATIVE
	if addr.Is6() {
		unfit |= unix.IFA_F_TEMPORARY
	}
	return flags&unfit == 0
}

// prefixOf returns an address with the length of its on-link prefix, host bits included.
func prefixOf(ipnet *net.IPNet) (netip.Prefix, bool) {
	if ipnet == nil {
		return netip.Prefix{}, false
	}
	addr, ok := netip.AddrFromSlice(ipnet.IP)
	ones, _ := ipnet.Mask.Size()
	return netip.PrefixFrom(addr.Unmap(), ones), ok
}

// runs are the flags of a link with a carrier that is in use. A port that 802.1X has not let in has a carrier and does not
// run: the kernel sends nothing on it.
const runs = unix.IFF_LOWER_UP | unix.IFF_RUNNING

// macOf returns the Ethernet address of a link; "" for other links. A tunnel has its IP address in the same field.
func macOf(attrs *netlink.LinkAttrs) string {
	if attrs.EncapType != "ether" || len(attrs.HardwareAddr) != 6 {
		return ""
	}
	return attrs.HardwareAddr.String()
}

// permanentMAC returns the Ethernet address that a member of a bond has by itself, if that is not the one that it has now. The bond
// knows it of all its members; the interface knows it if it is hardware.
func permanentMAC(attrs *netlink.LinkAttrs) string {
	member, ok := attrs.Slave.(*netlink.BondSlave)
	if !ok || macOf(attrs) == "" {
		return ""
	}
	permanent := member.PermHardwareAddr
	if len(permanent) != 6 {
		permanent = attrs.PermHWAddr
	}
	if len(permanent) != 6 || bytes.Equal(permanent, attrs.HardwareAddr) {
		return ""
	}
	return permanent.String()
}

// noARP reports whether a link has no ARP and NDP, so that nobody can ask there who has an address.
func noARP(attrs *netlink.LinkAttrs) bool {
	const silent = unix.IFF_NOARP | unix.IFF_LOOPBACK | unix.IFF_POINTOPOINT
	return attrs.RawFlags&silent != 0 || macOf(attrs) == ""
}

// answersForMembers reports whether a master of this kind answers in place of its members, as bridge, bond, team and
// Open vSwitch do. The members of a VRF answer themselves. The kind is "" if the master is in another namespace.
func answersForMembers(kind string) bool { return kind != "vrf" }
