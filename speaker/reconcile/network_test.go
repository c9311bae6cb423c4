package reconcile

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

func TestNetworkStatus(t *testing.T) {
	prefixes := func(texts ...string) []netip.Prefix {
		var list []netip.Prefix
		for _, text := range texts {
			list = append(list, netip.MustParsePrefix(text))
		}
		return list
	}
	links := []lb.Link{
		{Name: "lo", NoARP: true, Addresses: prefixes("127.0.0.1/8", "::1/128", "192.0.2.200/32")},
		{Name: "eth0", Addresses: prefixes("192.0.2.11/24", "fe80::1/64", "2001:db8::11/64")},
		{Name: "storage", Addresses: prefixes("198.51.100.1/24"), Duplicates: prefixes("2001:db8:9::1/64")},
		{Name: "kube-ipvs0", Addresses: prefixes("192.0.2.201/32")},
	}
	gateways := []lb.Gateway{{Addr: netip.MustParseAddr("fe80::1")}, {Addr: netip.MustParseAddr("192.0.2.1")}}
	want := v1beta1.SpeakerNetwork{
		Addresses: []string{"192.0.2.11/24", "192.0.2.200/32", "198.51.100.1/24", "2001:db8::11/64", "2001:db8:9::1/64"}, Gateways: []string{"192.0.2.1"},
	}
	for range 2 {
		if got := networkStatus(&announce.World{OwnLinks: links, Gateways: gateways}, &announce.Computer{}, nil); !reflect.DeepEqual(got, want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
		slices.Reverse(links) // the order of the kernel does not matter
		slices.Reverse(gateways)
	}
	for i := range 200 {
		links[0].Addresses = append(links[0].Addresses, netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}), 32))
	}
	got := networkStatus(&announce.World{OwnLinks: links}, &announce.Computer{}, nil)
	if len(got.Addresses) != v1beta1.SpeakerNetworkLimit {
		t.Errorf("%d addresses are reported", len(got.Addresses))
	}
	said := lb.ParseNodeNetwork(&v1beta1.Speaker{Status: v1beta1.SpeakerStatus{Network: got}})
	for _, link := range links {
		for _, own := range link.Addresses {
			if own.Addr().IsGlobalUnicast() && link.Name != "kube-ipvs0" && !said.Has(own.Addr()) {
				t.Errorf("a Service may be given %s, which the node has", own.Addr())
			}
		}
	}
}

func TestLoop_StopsWhenAKernelHasTheAddress(t *testing.T) {
	inTime(t, stopsWhenAKernelHasTheAddress)
}

func stopsWhenAKernelHasTheAddress(t *testing.T, f *fixture) {
	f.untilHeld(t)
	f.addNode()
	has := lb.Link{Name: "lo", NoARP: true, Addresses: []netip.Prefix{netip.PrefixFrom(vip, 32)}}
	peer := f.gossip.view.Peers["n2"]
	peer.State.Links = append(links(), has)
	f.gossip.view.Peers["n2"] = peer
	if f.pass(t); len(f.layer2.desired) > 0 || len(f.bgp.desired[0].Paths) > 0 {
		t.Errorf("n2's kernel has the address, announced are %v and %v", f.layer2.desired, f.bgp.desired[0].Paths)
	}
	if got := f.reporter.newest.Status.Network.ServiceAddresses; got != nil {
		t.Errorf("the node says of itself that it has %v", got)
	}
	peer.State.Links = links()
	f.gossip.view.Peers["n2"] = peer
	f.settle(t, time.Second)
	if len(f.bgp.desired[0].Paths) > 0 || len(f.layer2.desired) > 0 {
		t.Error("the kernel has only just lost it, as one that moves to another node, and it is announced")
	}
	if got := f.gossip.sent.State.Lost; !slices.Equal(got, []netip.Addr{vip}) {
		t.Errorf("speakers that are started now are told of %v", got)
	}
	f.settle(t, announce.LostFor)
	if len(f.bgp.desired[0].Paths) == 0 {
		t.Error("the kernel has it no more, and it is not announced again")
	}
	if got := f.gossip.sent.State.Lost; len(got) > 0 {
		t.Errorf("speakers that are started now are told of %v", got)
	}
	f.own = []lb.Link{has}
	if f.pass(t); len(f.bgp.desired[0].Paths) > 0 {
		t.Error("our own kernel has it, and it is announced")
	}
	want := []v1beta1.NodeServiceAddress{{Address: vip.String(), Interface: "lo"}}
	if got := f.reporter.newest.Status.Network.ServiceAddresses; !reflect.DeepEqual(got, want) {
		t.Errorf("the node says of itself that it has %v", got)
	}
	if got := f.gossip.sent.State.Links; len(got) != 2 {
		t.Errorf("the others are told of %v", got)
	}
	f.own = nil
	f.pass(t)
	want[0].Lost = true
	if got := f.reporter.newest.Status.Network.ServiceAddresses; !reflect.DeepEqual(got, want) {
		t.Errorf("the node says of what it has lost %v", got)
	}
}

// settle passes whenever the loop asks for it, for a time.
func (f *fixture) settle(t *testing.T, d time.Duration) {
	t.Helper()
	for end := time.Now().Add(d); ; {
		wait := f.pass(t)
		left := time.Until(end)
		if left <= 0 {
			return
		}
		if wait == 0 || wait > left {
			wait = left
		}
		time.Sleep(wait)
	}
}

func TestNetworkStatus_NamesWhereItCanAnswer(t *testing.T) {
	linkLocal := []netip.Prefix{netip.MustParsePrefix("fe80::1/64")}
	links := []lb.Link{
		{Name: "eth0", Up: true, Addresses: linkLocal},
		{Name: "eth1", Up: true},
		{Name: "eth2"},
		{Name: "eth3", Up: true, Unable: []lb.Family{lb.IPv4}},
		{Name: "lo", Up: true, NoARP: true},
		{Name: "veth1", Up: true, Addresses: linkLocal},
	}
	want := []v1beta1.NodeInterface{
		{Name: "eth0", Families: []v1beta1.AddressFamily{"IPv4", "IPv6"}}, {Name: "eth1", Families: []v1beta1.AddressFamily{"IPv4"}},
	}
	if got := networkStatus(&announce.World{OwnLinks: links}, &announce.Computer{}, nil).Interfaces; !reflect.DeepEqual(got, want) {
		t.Errorf("it says %v", got)
	}
}
