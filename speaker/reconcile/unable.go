package reconcile

import (
	"errors"
	"fmt"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/speaker/layer2"
)

// ableLinks are links that say on which of them this node cannot answer. What is not said there would not reach the
// election, and the node would keep its share and answer nothing.
type ableLinks struct {
	links, marked []lb.Link
	unable        []layer2.Unable
}

// with marks links, which never change. The list is the same one as long as nothing is different: from another one all contests
// would be worked out anew in each pass.
func (a *ableLinks) with(links []lb.Link, unable []layer2.Unable) []lb.Link {
	if len(unable) == 0 {
		*a = ableLinks{}
		return links
	}
	if len(links) == 0 || len(links) != len(a.links) || &links[0] != &a.links[0] || !slices.Equal(unable, a.unable) {
		*a = ableLinks{links, markUnable(slices.Clone(links), unable), unable}
	}
	return a.marked
}

func markUnable(links []lb.Link, unable []layer2.Unable) []lb.Link {
	for i := range links {
		for _, u := range unable {
			if u.Interface == links[i].Name {
				links[i].Unable = append(slices.Clip(links[i].Unable), u.Family)
			}
		}
	}
	return links
}

// unableError says the same in words; nil if the node can answer everywhere.
func unableError(unable []layer2.Unable) error {
	var errs []error
	for _, u := range unable {
		errs = append(errs, fmt.Errorf("no %s address is answered on %s, and none is held there: %s", u.Family, u.Interface, u.Why))
	}
	return errors.Join(errs...)
}

// unansweringError says on which interfaces the node does not answer because of the state that they are in; nil if there are none.
func unansweringError(found []announce.Unanswering) error {
	var errs []error
	for _, u := range found {
		why := fmt.Sprintf("it has no link-local IPv6 address, as where net.ipv6.conf.%s.disable_ipv6 is 1 or its MTU is below 1280; enable IPv6 there, "+
			"or leave it out of interfaces of the L2Advertisement", u.Interface)
		if u.Dormant {
			why = "its port is dormant, as it is until 802.1X lets it in; look at the node's supplicant and the port of the switch"
		}
		errs = append(errs, fmt.Errorf("no %s address is answered on %s, and none is held there: %s", u.Family, u.Interface, why))
	}
	return errors.Join(errs...)
}
