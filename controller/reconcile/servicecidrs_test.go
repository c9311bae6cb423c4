package reconcile

import (
	"context"
	"errors"
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// cidrServer answers the question for ServiceCIDRs.
type cidrServer struct {
	client.Reader
	cidrs []string
	err   error
	asked int
}

func (s *cidrServer) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	s.asked++
	if s.err != nil {
		return s.err
	}
	object := networkingv1.ServiceCIDR{Spec: networkingv1.ServiceCIDRSpec{CIDRs: s.cidrs}}
	object.Name = "kubernetes"
	list.(*networkingv1.ServiceCIDRList).Items = []networkingv1.ServiceCIDR{object}
	return nil
}

func TestLoop_ReadsServiceCIDRs(t *testing.T) {
	resource := schema.GroupResource{Group: "networking.k8s.io", Resource: "servicecidrs"}
	broken := errors.New("connection refused")
	now := time.Unix(1_000_000, 0)
	s := &cidrServer{err: broken}
	l := &Loop{direct: s, now: func() time.Time { return now }}
	want := func(ranges int, fails bool, asked int) {
		t.Helper()
		got, err := l.readServiceCIDRs(t.Context())
		if len(got) != ranges || (err != nil) != fails || s.asked != asked {
			t.Errorf("%v, error %v, asked %d times", got, err, s.asked)
		}
	}
	want(0, true, 1) // unknown is not empty
	s.err = apierrors.NewNotFound(resource, "")
	want(0, false, 2) // the kind does not exist
	want(0, false, 2)
	now = now.Add(2 * serviceCIDRInterval)
	s.err, s.cidrs = nil, []string{"10.96.0.0/16", "fd00::/112"}
	want(2, false, 3)
	now = now.Add(2 * serviceCIDRInterval)
	s.err = broken
	want(2, false, 4) // what was read before counts
	s.err = apierrors.NewForbidden(resource, "", broken)
	now = now.Add(2 * serviceCIDRInterval)
	want(2, false, 5)
}

func TestLoop_PoolInAServiceCIDR(t *testing.T) {
	c := newCluster(t)
	cidrs := &networkingv1.ServiceCIDRList{}
	must(t, c.List(t.Context(), cidrs))
	if len(cidrs.Items) == 0 {
		t.Fatal("the API server has no ServiceCIDR")
	}
	c.start(t)
	pool := c.pool(t, "blue", cidrs.Items[0].Spec.CIDRs[0])
	c.reason(t, pool, v1beta1.ConditionReady, "ClusterRange")
}
