package reconcile

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/bubble"
)

// cidrServer answers the question for ServiceCIDRs.
type cidrServer struct {
	client.Reader
	cidrs []string
	err   error
	asked int
	// takes is how long an answer takes.
	takes time.Duration
}

func (s *cidrServer) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	s.asked++
	time.Sleep(s.takes)
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
	bubble.Test(t, func(t *testing.T) {
		s := &cidrServer{err: broken}
		l := newLoop(Config{Log: slog.New(slog.DiscardHandler)})
		l.direct = s
		want := func(ranges int, fails bool, asked int) {
			t.Helper()
			began := time.Now()
			got, err := l.readServiceCIDRs(t.Context())
			if time.Since(began) > 0 {
				t.Errorf("a pass waits for the answer for %s", time.Since(began))
			}
			time.Sleep(2 * s.takes)
			synctest.Wait()
			if len(got) != ranges || (err != nil) != fails || s.asked != asked {
				t.Errorf("%v, error %v, asked %d times", got, err, s.asked)
			}
		}
		want(0, true, 1) // unknown is not empty
		s.err = apierrors.NewNotFound(resource, "")
		want(0, false, 2) // the kind does not exist
		want(0, false, 2)
		time.Sleep(2 * serviceCIDRInterval)
		s.takes = time.Second
		s.err, s.cidrs = nil, []string{"10.96.0.0/16", "fd00::/112"}
		want(0, false, 3) // the answer is for the passes to come
		select {
		case <-l.writer.wakes:
		default:
			t.Error("an answer that says something else wakes no pass")
		}
		want(2, false, 3)
		for i, err := range []error{broken, apierrors.NewForbidden(resource, "", broken), nil} { // what was read before counts
			time.Sleep(2 * serviceCIDRInterval)
			s.err = err
			want(2, false, 4+i)
			want(2, false, 4+i)
		}
		if len(l.writer.wakes) > 0 {
			t.Error("an answer that says the same wakes a pass")
		}
	})
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
