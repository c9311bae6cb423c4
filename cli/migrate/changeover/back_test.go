package changeover

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/source"
)

func TestBack_WaitsForBoth(t *testing.T) {
	l := newLiving(t, "underway")
	l.says("", "back web --yes --timeout=50ms", env.ExitWrong, "Daymark has not left default/web yet", "kubectl daymark migrate next default/web")
	l.wrote("Service default/web " + andBack)
	l = newLiving(t, "underway")
	l.after = l.leave
	l.says("", "back default/web --yes --timeout=50ms", env.ExitWrong, "Daymark's speaker on n2 still announces default/web")
	l = newLiving(t, "underway")
	l.after = func() { l.leave(); l.release() }
	l.says("", "back default/web --yes --timeout=50ms", env.ExitWrong, "MetalLB does not announce default/web by layer 2 yet: no ServiceL2Status names it")
	l = newLiving(t, "underway")
	l.after = func() { l.leave(); l.release(); l.metallb(l2Statuses, "default", "web") }
	l.says("", "back default/web --yes", 0, "default/web: MetalLB's, with 192.0.2.200, after 0s, on n3")
	l.says("", "back default/web --yes", 0, "default/web is MetalLB's")
	l.says("", "back default/nothing", env.ExitWrong, "default/nothing is no Service to which MetalLB gave an address")
}

// beside is what has both announce a Service.
const beside = `{"metadata":{"annotations":{"daymark.io/provider":"daymark"},"labels":{"daymark.io/provider":null}}}`

// What MetalLB reports of BGP is waited for, and what it does not is said.
func TestBack_ByBGPWaitsForItsReport(t *testing.T) {
	l := newLiving(t, "routed")
	l.after = l.leave
	l.says("", "back shop/api --yes --timeout=50ms", env.ExitWrong, "MetalLB does not announce shop/api by BGP yet: no ServiceBGPStatus names it")
	l.wrote("Service shop/api " + beside) // Daymark goes on
	l.says("", "back shop/api --yes --timeout=50ms", env.ExitWrong, "MetalLB does not announce shop/api by BGP yet")
	l.wrote("Service shop/api " + beside)
	l.metallb(bgpStatuses, "shop", "api", "tor")
	l.says("", "back shop/api --yes", 0, "shop/api: MetalLB's")
	l = newLiving(t, "routed")
	l.after = func() { l.leave(); l.metallb(l2Statuses, "shop", "api") } // of the other protocol
	l.says("", "back shop/api --yes --timeout=50ms", env.ExitWrong, "MetalLB does not announce shop/api by BGP yet")
	l = newLiving(t, "routed")
	l.after = func() { l.leave(); l.metallb(bgpStatuses, "shop", "api", "tor") }
	l.says("", "back shop/api --yes", 0, "shop/api: MetalLB's, with 198.51.100.0, after 0s, on n3", "not seen: whether routers have MetalLB's routes for shop/api",
		"Look there for 198.51.100.0")
	l.wrote("Service shop/api "+beside, "Service shop/api "+andBack)
	l = newLiving(t, "routed")
	l.after = func() { l.leave(); l.metallb(bgpStatuses, "shop", "api") } // to no peer
	l.says("", "back shop/api --yes --timeout=50ms", env.ExitWrong, "MetalLB does not announce shop/api by BGP yet")
}

// A Service without an endpoint, which nobody announces, is no reason against that.
func TestBack_ByBGPOverlapsBesideAnIdleService(t *testing.T) {
	l := newLiving(t, "routed")
	for _, item := range l.Items {
		if s, is := item.(*corev1.Service); is && s.Name == "api" {
			idle := s.DeepCopy()
			idle.Name = "idle"
			l.Items = append(l.Items, idle)
			break
		}
	}
	l.after = func() { l.leave(); l.metallb(bgpStatuses, "shop", "api", "tor") }
	l.says("", "back shop/idle --yes", 0, "shop/api: MetalLB's", "shop/idle: MetalLB's")
	l.wrote("Service shop/api "+beside, "Service shop/idle "+beside, "Service shop/api "+andBack, "Service shop/idle "+andBack)
}

func TestBack_SaysThatByBothProtocolsThereIsNoOverlap(t *testing.T) {
	l := newLiving(t, "routed")
	for _, item := range l.Items {
		if o, is := item.(*unstructured.Unstructured); is && o.GetKind() == l2Advertisements.Kind {
			unstructured.RemoveNestedField(o.Object, "spec", "ipAddressPools")
		}
	}
	l.after = func() { l.leave(); l.metallb(bgpStatuses, "shop", "api", "tor") }
	l.says("", "back shop/api --yes --timeout=50ms", env.ExitWrong, "Daymark withdraws its routes before MetalLB announces any")
	l.wrote("Service shop/api " + andBack)
}

// One that is interrupted says so, back again finishes it, and only its name takes it to Daymark again.
func TestBack_IsInterrupted(t *testing.T) {
	l := newLiving(t, "routed")
	l.overlap, l.limit = time.Hour, 100*time.Millisecond
	l.after = func() { l.leave(); l.metallb(bgpStatuses, "shop", "api", "tor") }
	l.says("", "back shop/api --yes", env.ExitWrong,
		"shop/api is announced by Daymark, and MetalLB is to announce it beside: kubectl daymark migrate back shop/api finishes it")
	l.overlap, l.limit, l.writes = 0, 0, nil
	l.says("", "next --yes", env.ExitWrong, "kubectl daymark migrate back shop/api finishes that, and kubectl daymark migrate next shop/api makes it Daymark's again")
	l.wrote()
	l.says("", "back shop/api --yes", 0, "shop/api: MetalLB's")
	l.wrote("Service shop/api "+beside, "Service shop/api "+andBack)
}

func TestBack_SaysWhatCannotBeSeen(t *testing.T) {
	l := newLiving(t, "routed")
	l.after, l.without = l.leave, bgpStatuses.Kind
	l.says("", "back shop/api --yes", 0, "not seen: whether MetalLB announces shop/api by BGP, since no ServiceBGPStatus can be read. Look whether 198.51.100.0 answers")
	l = newLiving(t, "routed")
	l.after = l.leave
	l.Items = slices.DeleteFunc(l.Items, func(o runtime.Object) bool {
		return o.GetObjectKind().GroupVersionKind().Kind == bgpAdvertisements.Kind
	})
	l.says("", "back shop/api --yes", 0, "MetalLB announces shop/api to nobody: it has no endpoint, or no advertisement of MetalLB selects it")
}

// metallb has its speaker on n3 say that it announces a Service, by BGP to some peers.
func (l *living) metallb(k source.Kind, namespace, name string, peers ...any) {
	o := &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"namespace": "metallb-system", "name": "of-n3"},
		"status":   map[string]any{"node": "n3", "serviceNamespace": namespace, "serviceName": name, "peers": peers},
	}}
	o.SetGroupVersionKind(k.GroupVersionKind)
	l.replace(o)
}

func TestProvider_AdvertisesWhatItsSelectorsSay(t *testing.T) {
	p := &provider{pools: map[string]labels.Set{"wan": {"zone": "far"}, "lan": {}}}
	for spec, want := range map[string]bool{
		"{}":                      true,
		"{ipAddressPools: [wan]}": true,
		"{ipAddressPools: [lan]}": false,
		"{ipAddressPoolSelectors: [{matchLabels: {zone: far}}]}":                                                                   true,
		"{ipAddressPoolSelectors: [{matchLabels: {zone: near}}]}":                                                                  false,
		"{ipAddressPools: [lan], ipAddressPoolSelectors: [{matchLabels: {zone: far}}]}":                                            true,
		"{serviceSelectors: [{matchLabels: {app: web}}]}":                                                                          true,
		"{serviceSelectors: [{matchLabels: {app: db}}]}":                                                                           false,
		"{serviceSelectors: [{matchLabels: {app: db}}, {matchExpressions: [{key: daymark.io/provider, operator: DoesNotExist}]}]}": true,
	} {
		a := &advertisement{object: &unstructured.Unstructured{Object: map[string]any{"spec": parse(t, spec)}}}
		s := &service{raw: &corev1.Service{ObjectMeta: metav1.ObjectMeta{
			Labels: map[string]string{"app": "web", Label: "daymark"}, Annotations: map[string]string{givenBy[0]: "wan"},
		}}}
		if got := p.advertises(a, s); got != want {
			t.Errorf("%s: %v, want %v", spec, got, want)
		}
	}
	unseen := &advertisement{object: &unstructured.Unstructured{Object: map[string]any{"spec": parse(t, "{ipAddressPoolSelectors: [{matchLabels: {a: b}}]}")}}}
	if !(&provider{}).advertises(unseen, &service{raw: &corev1.Service{}}) {
		t.Error("a pool that is not seen is not waited for")
	}
}
