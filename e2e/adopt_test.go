package e2e_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// Promise: Daymark does no harm in a cluster that lives already. What another provider gave stays, and a pool that is
// replaced renumbers nobody.

func TestAdopt_FirstApplyBesideAnotherProvider(t *testing.T) {
	cluster := daymark(t)
	cluster.Controller().Stop()
	t.Cleanup(cluster.StartDaymark)
	cluster.Pod("theirs", "n1")
	for name, entry := range map[string]string{
		"theirs": `{"ip":"192.0.2.233"}`, "outside": `{"ip":"203.0.113.233"}`, "cloud": `{"hostname":"lb.example.com"}`,
	} {
		cluster.Apply(strings.ReplaceAll(service(name, "any"), ", annotations: {daymark.io/address-pool: any}", ""))
		shownByAnother(t, cluster, name, entry)
	}

	// The order of the README: everything is installed before there is a pool.
	cluster.StartDaymark()
	for _, name := range []string{"theirs", "outside", "cloud"} {
		awaitCondition(t, cluster.Service(name), "daymark.io/AddressAssigned", "False NoPool")
	}
	shows(t, cluster, map[string]string{"theirs": "192.0.2.233", "outside": "203.0.113.233", "cloud": "lb.example.com"})

	cluster.Apply(segmentPool("adopts", "192.0.2.232-192.0.2.235")) // autoAssign is false
	awaitCondition(t, cluster.Service("theirs"), "daymark.io/AddressAssigned", "True")
	awaitCondition(t, cluster.Service("theirs"), "daymark.io/Announced", "True")
	awaitHolder(t, cluster, netip.MustParseAddr("192.0.2.233"))
	shows(t, cluster, map[string]string{"theirs": "192.0.2.233", "outside": "203.0.113.233", "cloud": "lb.example.com"})
}

func TestAdopt_PoolReplacedByForceRenumbersNobody(t *testing.T) {
	cluster := daymark(t)
	file := filepath.Join(t.TempDir(), "pool.yaml")
	writeFile(t, file, pool("replaced", "192.0.2.236-192.0.2.239"))
	cluster.Apply(segmentPool("replaced", "192.0.2.236-192.0.2.239"))
	gap := service("gap", "replaced")
	cluster.Apply(gap)
	cluster.Service("gap").AwaitAddress()
	cluster.Pod("above", "n1")
	cluster.Apply(service("above", "replaced"))
	before, _ := cluster.Service("above").AwaitAddress()
	awaitHolder(t, cluster, before)
	cluster.Delete(gap)
	lab.Eventually(t, waitTimeout, "the pool counts one address", func() error {
		if n := cluster.Kubectl("get", "dmpool", "replaced", "-o", "jsonpath={.status.ipv4.assigned}"); n != "1" {
			return fmt.Errorf("it counts %s", n)
		}
		return nil
	})

	if out, err := cluster.TryKubectl("", "replace", "--force", "-f", file); err == nil || !strings.Contains(err.Error(), "daymark.io/allow-deletion") {
		t.Fatalf("a pool in use is replaced: %s, %v", out, err)
	}
	cluster.Kubectl("annotate", "dmpool", "replaced", "daymark.io/allow-deletion=true")
	probe := cluster.Client().Probe(url(before))
	lab.Eventually(t, waitTimeout, "the client is served", func() error { return probe.ServedSince(time.Time{}) })
	cluster.Kubectl("replace", "--force", "-f", file)
	awaitCondition(t, cluster.Service("above"), "daymark.io/AddressAssigned", "True AddressAssigned")

	// And when it stays away for a while.
	cluster.Kubectl("annotate", "dmpool", "replaced", "daymark.io/allow-deletion=true")
	cluster.Kubectl("delete", "dmpool", "replaced")
	awaitCondition(t, cluster.Service("above"), "daymark.io/AddressAssigned", "True PoolMissing")
	awaitHolder(t, cluster, before)
	cluster.Kubectl("apply", "-f", file)
	awaitCondition(t, cluster.Service("above"), "daymark.io/AddressAssigned", "True AddressAssigned")
	cluster.Apply(service("new", "replaced"))
	cluster.Service("new").AwaitAddress()
	shows(t, cluster, map[string]string{"above": before.String()})
	if report := probe.Stop(); report.Failed() > 0 {
		t.Errorf("%d connections failed; the first says: %v", report.Failed(), report.FirstError())
	}
}

// shownByAnother writes an entry into the status of a Service, as another provider does.
func shownByAnother(t *testing.T, cluster *lab.Cluster, name, entry string) {
	t.Helper()
	s := &corev1.Service{}
	s.Namespace, s.Name = "default", name
	patch := client.RawPatch(types.MergePatchType, []byte(`{"status":{"loadBalancer":{"ingress":[`+entry+`]}}}`))
	if err := cluster.API().Status().Patch(t.Context(), s, patch); err != nil {
		t.Fatal(err)
	}
}

// shows asserts what the status of Services shows.
func shows(t *testing.T, cluster *lab.Cluster, want map[string]string) {
	t.Helper()
	for name, entry := range want {
		s, err := cluster.Service(name).Read()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, shown := range s.Status.LoadBalancer.Ingress {
			got = append(got, shown.IP+shown.Hostname)
		}
		if strings.Join(got, " ") != entry {
			t.Errorf("Service %s shows %v, want %s", name, got, entry)
		}
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
