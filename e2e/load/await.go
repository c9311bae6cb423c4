package load

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/e2e/lab"
)

// patience is how long thousands of Services may take.
const patience = 8 * time.Minute

// AwaitAddresses waits until every Service of a batch has an address of a pool. It looks at the count in the pool's status, since
// to list thousands of Services again and again would keep a core busy, and at the Services themselves at the end.
func AwaitAddresses(t lab.T, cluster *lab.Cluster, batch, pool string, count int) {
	t.Helper()
	ctx := context.Background()
	if err := v1beta1.AddToScheme(cluster.API().Scheme()); err != nil {
		t.Fatalf("%v", err)
	}
	lab.Eventually(t, patience, "every Service has an address", func() error {
		object := &v1beta1.IPAddressPool{}
		if err := cluster.API().Get(ctx, client.ObjectKey{Name: pool}, object); err != nil {
			return err
		}
		if object.Status.IPv4 == nil || object.Status.IPv4.Assigned < int64(count) {
			return fmt.Errorf("the pool says %+v", object.Status.IPv4)
		}
		return nil
	})
	list := &corev1.ServiceList{}
	if err := cluster.API().List(ctx, list, client.InNamespace("default"), client.MatchingLabels{Batch: batch}); err != nil {
		t.Fatalf("list the Services: %v", err)
	}
	for i := range list.Items {
		if len(list.Items[i].Status.LoadBalancer.Ingress) != 1 {
			t.Fatalf("Service %s has no address", list.Items[i].Name)
		}
	}
}

// AwaitRoutes waits until the router's kernel forwards as many addresses of 198.19.0.0/16 to every node.
func AwaitRoutes(t lab.T, cluster *lab.Cluster, count int) {
	t.Helper()
	nodes := len(cluster.NodeNames())
	lab.Eventually(t, patience, "the router has every route", func() error {
		out, err := cluster.Router().Run(context.Background(), "", "ip", "-o", "route", "show", "root", "198.19.0.0/16")
		if err != nil {
			return err
		}
		lines := slices.Collect(strings.Lines(out))
		complete := slices.DeleteFunc(lines, func(line string) bool { return strings.Count(line, "nexthop") != nodes })
		if len(complete) != count {
			time.Sleep(100 * time.Millisecond) // to list thousands of routes again and again would keep a core busy
			return fmt.Errorf("it forwards %d addresses to all nodes", len(complete))
		}
		return nil
	})
}
