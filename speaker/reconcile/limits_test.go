package reconcile

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/speaker/layer2"
)

// manyAddresses are more than any list of a Speaker object has room for, with gaps between them.
func manyAddresses() []netip.Addr {
	addresses := make([]netip.Addr, 1000)
	for i := range addresses {
		addresses[i] = netip.AddrFrom4([4]byte{10, 0, byte(i >> 7), byte(i << 1)})
	}
	return addresses
}

// covered reports whether a range of some contains an address.
func covered(t *testing.T, ranges []string, addr netip.Addr) bool {
	t.Helper()
	return slices.ContainsFunc(ranges, func(text string) bool {
		r, err := lb.ParseRange(text)
		if err != nil {
			t.Fatal(err)
		}
		return r.Contains(addr)
	})
}

func TestLayer2Status_LeavesOutNoAddressInConflict(t *testing.T) {
	var conflicts []layer2.Conflict
	for i, addr := range manyAddresses() {
		conflicts = append(conflicts, layer2.Conflict{Addr: addr, Announced: i < 500})
	}
	got := layer2Status(nil, conflicts, nil)
	if len(got.Conflicts) != v1beta1.SpeakerConflictLimit || len(got.MoreConflicts) > v1beta1.SpeakerRangeLimit {
		t.Errorf("%d conflicts are listed, and %d ranges", len(got.Conflicts), len(got.MoreConflicts))
	}
	listed := map[string]bool{}
	for _, c := range got.Conflicts {
		if listed[c.Address] = true; c.Announced {
			t.Errorf("%s is announced, and listed before others that are not", c.Address)
		}
	}
	for _, c := range conflicts {
		if is := listed[c.Addr.String()] || covered(t, got.MoreConflicts, c.Addr); is == c.Announced {
			t.Errorf("%s, announced %t, is said to be in conflict and not announced: %t", c.Addr, c.Announced, is)
		}
	}
}

func TestLayer2Status_FewConflictsNeedNoRanges(t *testing.T) {
	conflicts := []layer2.Conflict{{Addr: vip, Announced: true}, {Addr: vip.Next()}}
	if got := layer2Status(nil, conflicts, nil); len(got.Conflicts) != 2 || got.Conflicts[0].Announced || got.MoreConflicts != nil {
		t.Errorf("they are reported as %+v", got)
	}
}

func TestNetworkStatus_LeavesOutNoAddressOfAService(t *testing.T) {
	has := lb.Link{Name: "lo"}
	service := &lb.Service{Ingress: manyAddresses()}
	for _, addr := range service.Ingress {
		has.Addresses = append(has.Addresses, netip.PrefixFrom(addr, 32))
	}
	world := announce.World{OwnLinks: []lb.Link{has}, Services: []*lb.Service{service}, Pools: &lb.Pools{}}
	var services announce.Computer
	services.Compute(&world)
	got := networkStatus(&world, &services, nil)
	if len(got.ServiceAddresses) != v1beta1.SpeakerNetworkLimit || len(got.MoreServiceAddresses) > v1beta1.SpeakerRangeLimit {
		t.Errorf("%d addresses are listed, and %d ranges", len(got.ServiceAddresses), len(got.MoreServiceAddresses))
	}
	listed := func(addr netip.Addr) bool {
		return slices.ContainsFunc(got.ServiceAddresses, func(a v1beta1.NodeServiceAddress) bool { return a.Address == addr.String() })
	}
	for _, addr := range service.Ingress {
		if !listed(addr) && !covered(t, got.MoreServiceAddresses, addr) {
			t.Errorf("%s is not said to be the node's", addr)
		}
	}
}
