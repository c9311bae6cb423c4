package link

import (
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/daymark-lb/daymark/internal/netnstest"
)

func TestDump_KnowsWhetherTheKernelAnswersForAServiceProxy(t *testing.T) {
	node := netnstest.New(t)
	for _, test := range []struct {
		arpIgnore, link string
		want            bool
	}{{"0", "kube-ipvs0", true}, {"1", "kube-ipvs0", false}, {"0", "eth0", false}} {
		node.Sysctl(t, "ipv4/conf/all/arp_ignore", test.arpIgnore)
		node.Do(t, func() {
			got := convertLinks([]netlink.Link{&netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Name: test.link}}}, nil)
			if got[0].AnsweredElsewhere != test.want {
				t.Errorf("of %s, with arp_ignore %s: %v", test.link, test.arpIgnore, got[0].AnsweredElsewhere)
			}
		})
	}
}
