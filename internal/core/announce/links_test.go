package announce

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

func TestRelevantLinks_AreThoseOfTheSegment(t *testing.T) {
	up := func(name string, addresses ...string) lb.Link {
		link := lb.Link{Name: name, Up: true}
		for _, address := range addresses {
			link.Addresses = append(link.Addresses, netip.MustParsePrefix(address))
		}
		return link
	}
	down, slave := up("eth1"), up("eth2")
	down.Up, slave.Enslaved = false, true
	loop, proxy := up("lo", "127.0.0.1/8", "192.0.2.200/32"), up("kube-ipvs0", "192.0.2.201/32")
	loop.NoARP, proxy.NoARP = true, true
	links := []lb.Link{
		up("eth0"), down, slave, up("veth1", "fe80::1/64"), up("veth2", "192.0.2.9/24"), up("tap0"), up("br-lan"), loop, proxy,
		{Name: "lo2", Up: true, NoARP: true, Addresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/8")}},
		{Name: "veth3", Enslaved: true},
	}
	named := lb.ParseL2Advertisement(&v1beta1.L2Advertisement{Spec: v1beta1.L2AdvertisementSpec{Interfaces: []string{"br-*"}}})
	var names []string
	for _, link := range RelevantLinks(links, []*lb.L2Advertisement{named}) {
		names = append(names, link.Name)
	}
	if want := []string{"eth0", "eth2", "veth2", "br-lan", "lo"}; !slices.Equal(names, want) {
		t.Errorf("told are %v, want %v", names, want)
	}
}

// What an advertisement named before it was misspelt is told to the others all the same.
func TestLinks_NamedBefore(t *testing.T) {
	links := []lb.Link{{Name: "br-ex", Up: true}}
	misspelt := &lb.L2Advertisement{Interfaces: []string{"br-xe"}}
	if got := append(RelevantLinks(links, []*lb.L2Advertisement{misspelt}), AnsweringLinks(links, []*lb.L2Advertisement{misspelt})...); len(got) != 0 {
		t.Fatalf("without an edit: %v", got)
	}
	misspelt.Accepted = &lb.L2Advertisement{Interfaces: []string{"br-ex"}}
	if got := append(RelevantLinks(links, []*lb.L2Advertisement{misspelt}), AnsweringLinks(links, []*lb.L2Advertisement{misspelt})...); len(got) != 2 {
		t.Errorf("after it: %v", got)
	}
}
