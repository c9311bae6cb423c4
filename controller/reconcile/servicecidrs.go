package reconcile

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

const (
	// serviceCIDRInterval is how often the ServiceCIDRs are asked for.
	serviceCIDRInterval = time.Minute
	// serviceCIDRTimeout bounds how long the first pass waits for them.
	serviceCIDRTimeout = 2 * time.Second
)

// serviceCIDRs are the ranges of cluster IPs. They seldom change, and an API server before Kubernetes 1.33 does not have the
// kind: so they are asked for and not watched, since an informer would wait for the kind for ever.
type serviceCIDRs struct {
	mu     sync.Mutex
	ranges []lb.NamedRange
	known  bool
	// asked is when they were last asked for.
	asked time.Time
}

// readServiceCIDRs returns the ranges of cluster IPs. Only while none are known does it wait for the API server: it is an error
// when they cannot be read then, since unknown is not empty. Later they are asked for beside the loop, and those read before
// count until there is an answer.
func (l *Loop) readServiceCIDRs(ctx context.Context) ([]lb.NamedRange, error) {
	c := &l.cidrs
	c.mu.Lock()
	ranges, known, due := c.ranges, c.known, l.now().Sub(c.asked) >= serviceCIDRInterval
	if !known || due {
		c.asked = l.now()
	}
	c.mu.Unlock()
	switch {
	case !known:
		return l.askServiceCIDRs(ctx)
	case due:
		go func() {
			now, err := l.askServiceCIDRs(context.WithoutCancel(ctx))
			if err != nil {
				l.log.Debug("the ServiceCIDRs could not be read, those read before count", "error", err)
			} else if !slices.Equal(now, ranges) {
				notify(l.writer.wakes)
			}
		}()
	}
	return ranges, nil
}

// askServiceCIDRs asks the API server for the ranges of cluster IPs, and keeps the answer.
func (l *Loop) askServiceCIDRs(ctx context.Context) ([]lb.NamedRange, error) {
	ctx, cancel := context.WithTimeout(ctx, serviceCIDRTimeout)
	defer cancel()
	list := &networkingv1.ServiceCIDRList{}
	err := l.direct.List(ctx, list)
	c := &l.cidrs
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err == nil:
		c.ranges, c.known = nil, true
		for i := range list.Items {
			c.ranges = append(c.ranges, lb.ParseServiceCIDR(&list.Items[i])...)
		}
	case apierrors.IsNotFound(err), meta.IsNoMatchError(err), apierrors.IsForbidden(err):
		c.known = true // the kind does not exist, or the permission is not given yet during an upgrade
	default:
		return nil, fmt.Errorf("list the ServiceCIDRs from the API server: %w", err)
	}
	return c.ranges, nil
}
