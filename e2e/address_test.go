package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/e2e/load"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// Promise 1: a Service of type LoadBalancer gets an address from a pool.

func TestAddresses_AreGivenFromAPool(t *testing.T) {
	cluster := daymark(t)
	cluster.Apply(strings.ReplaceAll(segmentPool("first", "192.0.2.200-192.0.2.203"), ", autoAssign: false", ""))
	cluster.Apply(strings.ReplaceAll(service("plain", "any"), ", annotations: {daymark.io/address-pool: any}", ""))
	got, took := cluster.Service("plain").AwaitAddress()
	t.Logf("it got %s in %s", got, took)
	if got.String() < "192.0.2.200" || got.String() > "192.0.2.203" {
		t.Errorf("it got %s, want one of the pool", got)
	}
	object, err := cluster.Service("plain").Read()
	if err != nil {
		t.Fatal(err)
	}
	if provenance := lb.ParseProvenance(object.Status.Conditions); provenance.PoolOf(got) != "first" {
		t.Errorf("the provenance is %+v, want pool first", provenance)
	}
	awaitCondition(t, cluster.Service("plain"), "daymark.io/AddressAssigned", "True")
}

func TestAddresses_AreThoseAskedFor(t *testing.T) {
	cluster := daymark(t)
	cluster.Apply(segmentPool("asked", "192.0.2.200-192.0.2.209"))
	cluster.Apply(service("asks", "asked", "loadBalancerIP: 192.0.2.207"))
	if got, _ := cluster.Service("asks").AwaitAddress(); got.String() != "192.0.2.207" {
		t.Errorf("it got %s, want 192.0.2.207", got)
	}
	cluster.Apply(service("asks-too", "asked", "loadBalancerIP: 192.0.2.207"))
	awaitCondition(t, cluster.Service("asks-too"), "daymark.io/AddressAssigned", "False", "default/asks")
}

func TestAddresses_ExhaustedPoolServesWhoWaitsFirst(t *testing.T) {
	cluster := daymark(t)
	cluster.Apply(segmentPool("one", "192.0.2.205/32"))
	early := service("early", "one")
	cluster.Apply(early)
	cluster.Service("early").AwaitAddress()
	cluster.Apply(service("late", "one"))
	late := cluster.Service("late")
	awaitCondition(t, late, "daymark.io/AddressAssigned", "False PoolExhausted", "one")
	lab.Eventually(t, waitTimeout, "there is an Event that says so", func() error {
		events := strings.Join(late.Events(), "\n")
		if !strings.Contains(events, "PoolExhausted") {
			return fmt.Errorf("the Events are %q", events)
		}
		return nil
	})
	awaitObjectCondition(t, cluster, "IPAddressPool", "one", "Exhausted", "True")

	cluster.Delete(early)
	if got, _ := late.AwaitAddress(); got.String() != "192.0.2.205" {
		t.Errorf("it got %s, want the one that was freed", got)
	}
	awaitCondition(t, late, "daymark.io/AddressAssigned", "True")
}

func TestAddresses_StayWhenTheControllerIsKilled(t *testing.T) {
	cluster := daymark(t)
	cluster.Apply(segmentPool("kept", "192.0.2.200-192.0.2.209"))
	given := map[string]string{}
	for i := range 5 {
		name := fmt.Sprintf("kept-%d", i)
		cluster.Apply(service(name, "kept"))
		address, _ := cluster.Service(name).AwaitAddress()
		given[name] = address.String()
	}
	cluster.Controller().Kill()
	cluster.Controller().Start()
	cluster.Apply(service("kept-new", "kept"))
	fresh, _ := cluster.Service("kept-new").AwaitAddress() // so it has looked at all there is
	for name, before := range given {
		if now, _ := cluster.Service(name).AwaitAddress(); now.String() != before || now == fresh {
			t.Errorf("%s had %s and has %s", name, before, now)
		}
	}
}

func TestAddresses_AreFreedWhenTheTypeChanges(t *testing.T) {
	cluster := daymark(t)
	cluster.Apply(segmentPool("back", "192.0.2.206/32"))
	cluster.Pod("leaves", "n1")
	cluster.Apply(service("leaves", "back"))
	address, _ := cluster.Service("leaves").AwaitAddress()
	awaitHolder(t, cluster, address)
	cluster.Kubectl("patch", "service", "leaves", "-p", `{"spec":{"type":"ClusterIP"}}`)
	lab.Eventually(t, waitTimeout, "it has no address", func() error {
		if all, err := cluster.Service("leaves").Addresses(); err != nil || len(all) > 0 {
			return errors.Join(err, fmt.Errorf("it has %v", all))
		}
		return nil
	})
	awaitNoHolder(t, cluster, address)
	cluster.Apply(service("comes", "back"))
	cluster.Service("comes").AwaitAddress()
}

func TestAddresses_OtherClassIsLeftAlone(t *testing.T) {
	cluster := daymark(t)
	cluster.Apply(segmentPool("class", "192.0.2.200-192.0.2.201"))
	cluster.Apply(service("foreign", "class", "loadBalancerClass: example.com/other"))
	cluster.Apply(service("ours", "class", "loadBalancerClass: daymark.io/daymark"))
	cluster.Service("ours").AwaitAddress()
	lab.Always(t, 300*time.Millisecond, "the foreign Service is left alone", func() error {
		object, err := cluster.Service("foreign").Read()
		if err != nil {
			return err
		}
		if len(object.Status.LoadBalancer.Ingress) > 0 || len(object.Status.Conditions) > 0 {
			return fmt.Errorf("its status is %v", object.Status)
		}
		return nil
	})
}

func TestAddresses_AreUniqueThoughTheControllerCrashes(t *testing.T) {
	const count = 500
	lab.Need(t, lab.KubeProxy) // the lab's own service proxy is made for few Services
	cluster := daymark(t, lab.WithProxy(lab.KubeProxy))
	cluster.Apply(pool("batch", "198.19.64.0/22"))
	created := make(chan error, 1)
	go func() { created <- createBatch(cluster.API(), count) }()
	t.Cleanup(func() { deleteBatch(t, cluster.API()) })

	given := map[string]string{}
	for _, enough := range []int{50, 200} {
		lab.Eventually(t, time.Minute, fmt.Sprintf("%d Services have an address", enough), func() error {
			return batchAddresses(t, cluster.API(), given, enough)
		})
		cluster.Controller().Kill()
		cluster.Controller().Start()
	}
	if err := <-created; err != nil {
		t.Fatal(err)
	}
	lab.Eventually(t, 2*time.Minute, "all Services have an address", func() error { return batchAddresses(t, cluster.API(), given, count) })
}

// batchAddresses looks at all Services of the batch: none may have another address than at the last look, nor one that another has.
func batchAddresses(t *testing.T, api client.Client, given map[string]string, enough int) error {
	t.Helper()
	list := &corev1.ServiceList{}
	if err := api.List(t.Context(), list, client.InNamespace("default"), client.MatchingLabels{"batch": "batch"}); err != nil {
		return err
	}
	holders := map[string]string{}
	for i := range list.Items {
		s := &list.Items[i]
		for _, ingress := range s.Status.LoadBalancer.Ingress {
			if other := holders[ingress.IP]; other != "" {
				t.Fatalf("%s is given to %s and to %s", ingress.IP, other, s.Name)
			}
			holders[ingress.IP] = s.Name
			if before := given[s.Name]; before != "" && before != ingress.IP {
				t.Fatalf("%s had %s and has %s", s.Name, before, ingress.IP)
			}
			given[s.Name] = ingress.IP
		}
	}
	if len(holders) < enough {
		return fmt.Errorf("%d do", len(holders))
	}
	return nil
}

func createBatch(api client.Client, count int) error {
	for i := range count {
		object := load.Service(fmt.Sprintf("batch-%d", i), "batch")
		if err := api.Create(context.Background(), object); err != nil {
			return fmt.Errorf("create Service: %w", err)
		}
	}
	return nil
}

func deleteBatch(t *testing.T, api client.Client) {
	list := &corev1.ServiceList{}
	if err := api.List(context.Background(), list, client.InNamespace("default"), client.MatchingLabels{"batch": "batch"}); err != nil {
		t.Fatal(err)
	}
	for i := range list.Items {
		if err := client.IgnoreNotFound(api.Delete(context.Background(), &list.Items[i])); err != nil {
			t.Error(err)
		}
	}
}
