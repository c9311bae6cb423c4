package migrate

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/goldentest"
	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/internal/core/cluster"
	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

func TestExternal_Prints(t *testing.T) {
	out, remarks, status := runCommand(t, nil, "", []string{"external-ips", "-f", "testdata/external.yaml"})
	if status != 0 {
		t.Errorf("status %d", status)
	}
	goldentest.Compare(t, "external", fmt.Sprintf("%s--- stderr\n%s", out, remarks))
	memory := &source.Memory{}
	for _, object := range fixture(t, "external") {
		memory.Items = append(memory.Items, runtime.Object(&object))
	}
	fromCluster, _, _ := runCommand(t, memory, "", []string{"external-ips", "--cluster"})
	if fromCluster != out {
		t.Errorf("from a cluster\n%s", fromCluster)
	}
	if _, remarks, status := runCommand(t, &source.Memory{}, "", []string{"external-ips", "--cluster"}); status != 0 || !strings.Contains(remarks, "no Service has") {
		t.Errorf("of none: status %d, %s", status, remarks)
	}
	if _, _, status := runCommand(t, memory, "", []string{"external-ips"}); status != env.ExitUsage {
		t.Errorf("without a source: status %d", status)
	}
}

// Traffic to an address that Daymark does not give goes on: it stays in the field, alone or with an address that is shared.
func TestExternal_KeepsWhatIsLeftOut(t *testing.T) {
	for name, shared := range map[string]string{"alone": "203.0.113.5", "shared": "203.0.113.4"} {
		objects, _, err := parse(strings.NewReader(`
{apiVersion: v1, kind: Node, metadata: {name: n1}, status: {addresses: [{type: InternalIP, address: 192.0.2.11}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {clusterIP: 10.96.0.1, ipFamilies: [IPv4],
  externalIPs: [203.0.113.4, 192.0.2.11], ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: other, namespace: shop}, spec: {clusterIP: 10.96.0.2, ipFamilies: [IPv4],
  externalIPs: [` + shared + `], ports: [{port: 81}]}}
`))
		if err != nil {
			t.Fatal(err)
		}
		result, _, err := External(objects)
		if err != nil {
			t.Fatal(err)
		}
		written := slices.ContainsFunc(result.Remarks, func(r Remark) bool {
			return strings.Contains(r.Text, "service web ") && strings.Contains(r.Text, `"externalIPs":["192.0.2.11"]`)
		})
		if !written {
			t.Errorf("%s: %v", name, result.Remarks)
		}
	}
}

// The commands, done one after another, give each Service the addresses that it had, by the rules of the controller. In between a Service
// whose address is its own alone has it in spec.externalIPs or in its status.
func TestExternal_ServicesGetTheirAddresses(t *testing.T) {
	objects := fixture(t, "external")
	result, _, err := External(objects)
	if err != nil {
		t.Fatal(err)
	}
	for i := range result.Items {
		objects = append(objects, result.Items[i].Object)
	}
	first, second := regexp.MustCompile(`then: kubectl patch service (\S+) -n (\S+) --type=merge -p '([^']+)'`), regexp.MustCompile(`'(\{"spec":\{"externalIPs":null\}\})'`)
	var after []string
	for _, remark := range result.Remarks {
		if match := first.FindStringSubmatch(remark.Text); match != nil {
			patchObject(t, objects, match[2], match[1], match[3])
			if second.MatchString(remark.Text) {
				after = append(after, match[2]+"/"+match[1])
			}
		}
	}
	want := map[string][]string{
		"shop/web": {"192.0.2.201", "203.0.113.4", "203.0.113.5"}, "shop/has": {"192.0.2.200", "2001:db8::9"},
		"infra/dns-tcp": {"203.0.113.6"}, "other/dns-udp": {"203.0.113.40", "203.0.113.6"},
	}
	given(t, objects, want)
	for _, name := range after {
		namespace, name, _ := strings.Cut(name, "/")
		patchObject(t, objects, namespace, name, `{"spec":{"externalIPs":null}}`)
	}
	given(t, objects, want)
	if !slices.Equal(after, []string{"shop/has", "shop/web"}) {
		t.Errorf("the field is removed afterwards from %v", after)
	}
}

// given fails unless the controller gives just these Services just these addresses.
func given(t *testing.T, objects []unstructured.Unstructured, want map[string][]string) {
	t.Helper()
	var typed []runtime.Object
	for i := range objects {
		into, err := source.Scheme.New(objects[i].GroupVersionKind())
		if err != nil {
			t.Fatal(err)
		}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(objects[i].Object, into); err != nil {
			t.Fatal(err)
		}
		typed = append(typed, into)
	}
	classes := lb.Classes{Name: v1beta1.LoadBalancerClass, Classless: true}
	plan := ipam.Compute(cluster.Parse(typed).AddressWorld(time.Time{}, classes, 0, ipam.Memory{}))
	if len(plan.Assignments) != len(want) {
		t.Errorf("%d Services have addresses", len(plan.Assignments))
	}
	for _, a := range plan.Assignments {
		var got []string
		for _, address := range a.Addresses {
			got = append(got, address.Addr.String())
		}
		slices.Sort(got)
		if name := a.Service.Key.String(); !slices.Equal(got, want[name]) {
			t.Errorf("%s gets %v, want %v: %s", name, got, want[name], a.Outcome().Message)
		}
	}
}

// patchObject merges a patch into a Service.
func patchObject(t *testing.T, objects []unstructured.Unstructured, namespace, name, patch string) {
	t.Helper()
	var changes map[string]map[string]any
	if err := json.Unmarshal([]byte(patch), &changes); err != nil {
		t.Fatal(err)
	}
	for i := range objects {
		o := &objects[i]
		if o.GetKind() != "Service" || o.GetNamespace() != namespace || o.GetName() != name {
			continue
		}
		if annotations, has := changes["metadata"]["annotations"].(map[string]any); has {
			_ = unstructured.SetNestedField(o.Object, annotations, "metadata", "annotations")
		}
		for field, value := range changes["spec"] {
			unstructured.RemoveNestedField(o.Object, "spec", field)
			if value != nil {
				_ = unstructured.SetNestedField(o.Object, value, "spec", field)
			}
		}
		return
	}
	t.Errorf("there is no Service %s/%s", namespace, name)
}

// More addresses than a pool takes lines become several pools, none with the name of one that is there.
func TestExternal_MakesAsManyPoolsAsItTakes(t *testing.T) {
	var objects []unstructured.Unstructured
	pool := unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"addresses": []any{"203.0.113.0/24"}}}}
	pool.SetGroupVersionKind(v1beta1.GroupVersion.WithKind("IPAddressPool"))
	pool.SetName("external-ips-2")
	objects = append(objects, pool)
	address := netip.MustParseAddr("198.51.100.0")
	for i := range 300 {
		s := unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
			"clusterIP": "10.96.0.1", "ipFamilies": []any{"IPv4"}, "externalIPs": []any{address.String()}, "ports": []any{map[string]any{"port": int64(80)}},
		}}}
		s.SetAPIVersion("v1")
		s.SetKind("Service")
		s.SetNamespace("shop")
		s.SetName(fmt.Sprintf("s%d", i))
		objects = append(objects, s)
		address = address.Next().Next()
	}
	result, _, err := External(objects)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for i := range result.Items {
		if o := result.Items[i].Object; o.GetKind() == "IPAddressPool" {
			addresses, _, _ := unstructured.NestedSlice(o.Object, "spec", "addresses")
			counts[o.GetName()] = len(addresses)
		}
	}
	if len(counts) != 2 || counts["external-ips"] != 256 || counts["external-ips-3"] != 44 {
		t.Errorf("pools %v", counts)
	}
}
