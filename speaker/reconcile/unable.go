package reconcile

import (
	"errors"
	"fmt"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/speaker/layer2"
)

// withUnable returns links that say on which of them this node cannot answer. What is not said there would not reach the
// election, and the node would keep its share and answer nothing.
func withUnable(links []lb.Link, unable []layer2.Unable) []lb.Link {
	if len(unable) == 0 {
		return links
	}
	links = slices.Clone(links)
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
