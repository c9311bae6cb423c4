package link

import (
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// TestDump_ConvertsLinks converts links that not every kernel can create.
func TestDump_ConvertsLinks(t *testing.T) {
	const up = unix.IFF_UP | unix.IFF_LOWER_UP | unix.IFF_RUNNING
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	attrs := func(name string, index, master int, flags uint32, encap string, hw net.HardwareAddr) netlink.LinkAttrs {
		a := netlink.LinkAttrs{
			Name: name, Index: index, MasterIndex: master, RawFlags: flags, EncapType: encap, HardwareAddr: hw,
		}
		if flags&unix.IFF_UP != 0 {
			a.Flags = net.FlagUp
		}
		return a
	}
	member := func(a netlink.LinkAttrs, known, permanent net.HardwareAddr) netlink.LinkAttrs {
		a.Slave, a.PermHWAddr = &netlink.BondSlave{PermHardwareAddr: known}, permanent
		return a
	}
	for _, test := range []struct {
		name  string
		links []netlink.Link
		want  []lb.Link
	}{
		{
			"a member of a bond is enslaved, the bond is not",
			[]netlink.Link{
				&netlink.Device{LinkAttrs: attrs("eth0", 2, 3, up, "ether", mac)},
				&netlink.Bond{LinkAttrs: attrs("bond0", 3, 0, up, "ether", mac)},
			},
			[]lb.Link{
				{Name: "bond0", Index: 3, Up: true, MAC: "02:00:00:00:00:01"},
				{Name: "eth0", Index: 2, Up: true, MAC: "02:00:00:00:00:01", Enslaved: true},
			},
		},
		{
			"a member of a bond has an address of its own beside that of the bond",
			[]netlink.Link{
				&netlink.Bond{LinkAttrs: attrs("bond0", 3, 0, up, "ether", mac)},
				&netlink.Device{LinkAttrs: member(attrs("eth0", 1, 3, up, "ether", mac), mac, nil)},
				&netlink.Device{LinkAttrs: member(attrs("eth1", 2, 3, up, "ether", mac), net.HardwareAddr{2, 0, 0, 0, 0, 9}, nil)},
				&netlink.Device{LinkAttrs: member(attrs("eth2", 4, 3, up, "ether", mac), nil, net.HardwareAddr{2, 0, 0, 0, 0, 8})},
			},
			[]lb.Link{
				{Name: "bond0", Index: 3, Up: true, MAC: "02:00:00:00:00:01"},
				{Name: "eth0", Index: 1, Up: true, MAC: "02:00:00:00:00:01", Enslaved: true},
				{Name: "eth1", Index: 2, Up: true, MAC: "02:00:00:00:00:01", Enslaved: true, PermanentMAC: "02:00:00:00:00:09"},
				{Name: "eth2", Index: 4, Up: true, MAC: "02:00:00:00:00:01", Enslaved: true, PermanentMAC: "02:00:00:00:00:08"},
			},
		},
		{
			"a member of a VRF answers itself",
			[]netlink.Link{
				&netlink.Vrf{LinkAttrs: attrs("red", 3, 0, up|unix.IFF_NOARP, "ether", mac)},
				&netlink.Device{LinkAttrs: attrs("eth0", 2, 3, up, "ether", mac)},
			},
			[]lb.Link{
				{Name: "eth0", Index: 2, Up: true, MAC: "02:00:00:00:00:01"},
				{Name: "red", Index: 3, Up: true, MAC: "02:00:00:00:00:01", NoARP: true},
			},
		},
		{
			"the local address of a tunnel is no MAC",
			[]netlink.Link{&netlink.Gretun{LinkAttrs: attrs("gre1", 2, 0, up|unix.IFF_NOARP, "gre", net.HardwareAddr{192, 0, 2, 1})}},
			[]lb.Link{{Name: "gre1", Index: 2, Up: true, NoARP: true}},
		},
		{
			"InfiniBand has neighbors but no Ethernet to answer them on",
			[]netlink.Link{&netlink.Device{LinkAttrs: attrs("ib0", 2, 0, up, "infiniband", make(net.HardwareAddr, 20))}},
			[]lb.Link{{Name: "ib0", Index: 2, Up: true, NoARP: true}},
		},
		{
			"a carrier without being up is not up",
			[]netlink.Link{&netlink.Device{LinkAttrs: attrs("eth0", 2, 0, unix.IFF_LOWER_UP, "ether", mac)}},
			[]lb.Link{{Name: "eth0", Index: 2, MAC: "02:00:00:00:00:01"}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, convertLinks(test.links, nil)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
