package reconcile

import (
	"context"
	"fmt"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

const (
	// serviceCIDRInterval is how often the ServiceCIDRs are asked for.
	serviceCIDRInterval = time.Minute
	// serviceCIDRTimeout bounds how long a pass waits for them.
	serviceCIDRTimeout = 2 * time.Second
)

// serviceCIDRs are the ranges of cluster IPs. They seldom change, and an API server before Kubernetes 1.33 does not have the
// kind: so they are asked for and not watched, since an informer would wait for the kind for ever.
type serviceCIDRs struct {
	ranges []lb.NamedRange
	known  bool
	// asked is when they were last asked for.
	asked time.Time
}

// readServiceCIDRs returns the ranges of cluster IPs. When they cannot be read those read before count. It is an error when
// there are none before: unknown is not empty.
func (l *Loop) readServiceCIDRs(ctx context.Context) ([]lb.NamedRange, error) {
	c := &l.cidrs
	if now := l.now(); c.known && now.Sub(c.asked) < serviceCIDRInterval {
		return c.ranges, nil
	}
	c.asked = l.now()
	ctx, cancel := context.WithTimeout(ctx, serviceCIDRTimeout)
	defer cancel()
	list := &networkingv1.ServiceCIDRList{}
	err := l.direct.List(ctx, list)
	switch {
	case err == nil:
		c.ranges, c.known = nil, true
		for i := range list.Items {
			c.ranges = append(c.ranges, lb.ParseServiceCIDR(&list.Items[i])...)
		}
	case apierrors.IsNotFound(err), meta.IsNoMatchError(err), apierrors.IsForbidden(err):
		c.known = true // the kind does not exist, or the permission is not given yet during an upgrade
	case !c.known:
		return nil, fmt.Errorf("list the ServiceCIDRs from the API server: %w", err)
	}
	return c.ranges, nil
}
