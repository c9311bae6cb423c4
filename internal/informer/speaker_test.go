package informer

import (
	"reflect"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/informer/informertest"
)

// speakerOptions are those of the speaker of n1.
var speakerOptions = SpeakerOptions(nil, "daymark-system", classes, "n1")

// failer is a test, of whichever kind.
type failer interface {
	Helper()
	Fatalf(format string, arguments ...any)
}

// transformed is what a cache keeps of an object. An informer transforms some objects twice.
func transformed(t failer, object client.Object, options cache.Options) client.Object {
	t.Helper()
	for of, kind := range options.ByObject {
		if reflect.TypeOf(of) != reflect.TypeOf(object) {
			continue
		}
		once, err := kind.Transform(object)
		if err != nil {
			t.Fatalf("%v", err)
		}
		twice, err := kind.Transform(once)
		if err != nil || twice != once {
			t.Fatalf("%T transformed again is another one (%v)", object, err)
		}
		return twice.(client.Object)
	}
	t.Fatalf("of %T nothing is transformed", object)
	return nil
}

func TestSpeakerOptions_KeepValues(t *testing.T) {
	t.Run("a load balancer", func(t *testing.T) {
		from := service(corev1.ServiceTypeLoadBalancer)
		from.Status.Conditions = append(from.Status.Conditions, metav1.Condition{Type: v1beta1.ConditionProvenance, Message: "class=daymark.io/daymark 192.0.2.1=lan"})
		want := lb.ParseService(from)
		has, ok := transformed(t, from, speakerOptions).(*kept[*lb.Service])
		if !ok || has.GetNamespace() != "default" || has.GetName() != "web" || has.GetUID() != "8b0c" || has.GetResourceVersion() != "1" {
			t.Fatalf("it keeps %+v", has)
		}
		want.Request = &lb.Request{}
		same(t, want, has.value)
	})
	t.Run("a Service of another type is nothing", func(t *testing.T) {
		if has := transformed(t, service(corev1.ServiceTypeClusterIP), speakerOptions).(*kept[*lb.Service]); has.value != notAnnounced || has.GetName() != "web" {
			t.Errorf("it keeps %+v", has)
		}
	})
	t.Run("but for one with the finalizer, which waits for the speaker", func(t *testing.T) {
		from := service(corev1.ServiceTypeClusterIP)
		from.Finalizers = []string{v1beta1.FinalizerCleanup}
		from.Status.Conditions = []metav1.Condition{{Type: v1beta1.ConditionProvenance, Message: "class=daymark.io/daymark finalizer 192.0.2.1=lan"}}
		if has := transformed(t, from, speakerOptions).(*kept[*lb.Service]); !classes.Leaving(has.value) || has.value.Version != 1 {
			t.Errorf("it keeps %+v", has.value)
		}
	})
	t.Run("an EndpointSlice", func(t *testing.T) {
		same(t, lb.ParseEndpointSlice(endpointSlice()), transformed(t, endpointSlice(), speakerOptions).(*kept[*lb.EndpointSlice]).value)
	})
}

func TestUnchanged_OfKeptValues(t *testing.T) {
	unready := false
	for _, test := range []struct {
		name            string
		of              client.Object
		change          func(client.Object)
		unchanged, text bool
	}{
		{"nothing of a Service", service(corev1.ServiceTypeLoadBalancer), func(client.Object) {}, true, true},
		{"a port of a Service, which no speaker reads", service(corev1.ServiceTypeLoadBalancer), func(o client.Object) { o.(*corev1.Service).Spec.Ports = nil }, true, true},
		{"that the controller has written", service(corev1.ServiceTypeLoadBalancer), func(o client.Object) { o.(*corev1.Service).Status.Conditions = nil }, false, true},
		{"the address of a Service", service(corev1.ServiceTypeLoadBalancer), func(o client.Object) {
			o.(*corev1.Service).Status.LoadBalancer.Ingress = nil
		}, false, false},
		{"the address of an endpoint", endpointSlice(), func(o client.Object) { o.(*discoveryv1.EndpointSlice).Endpoints[0].Addresses[0] = "10.0.0.9" }, true, false},
		{"an endpoint that is not ready any more", endpointSlice(), func(o client.Object) {
			o.(*discoveryv1.EndpointSlice).Endpoints[0].Conditions.Ready = &unready
		}, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			later := test.of.DeepCopyObject().(client.Object)
			later.SetResourceVersion("9")
			test.change(later)
			before, after := transformed(t, test.of, speakerOptions), transformed(t, later, speakerOptions)
			if got := Unchanged(before, after); got != test.unchanged {
				t.Errorf("unchanged: %t", got)
			}
			if got := OnlyTextChanged(before, after); got != test.text {
				t.Errorf("only a text has changed: %t", got)
			}
		})
	}
}

// A write that changes nothing that is read, as of the status of a pool, gives the value that there was.
func TestCluster_GoesOnWithEqualValues(t *testing.T) {
	objects := informertest.New()
	cluster := NewCluster(objects, "daymark-system")
	pool := func(version string, observed int64, addresses v1beta1.AddressRange) {
		p := &v1beta1.IPAddressPool{ObjectMeta: metav1.ObjectMeta{Name: "lan", UID: "1", ResourceVersion: version}}
		p.Spec.Addresses, p.Status.ObservedGeneration = []v1beta1.AddressRange{addresses}, observed
		objects.Put(p)
	}
	putSlice := func(slice *discoveryv1.EndpointSlice) {
		if err := objects.PutAs(slice, speakerOptions); err != nil {
			t.Fatal(err)
		}
	}
	list := func() *Snapshot {
		t.Helper()
		s, err := cluster.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	pool("1", 9, "192.0.2.0/24")
	putSlice(endpointSlice())
	first := list()
	pool("2", 8, "192.0.2.0/24")
	again := endpointSlice()
	again.ResourceVersion = "2"
	putSlice(again)
	second := list()
	if first.Pools != second.Pools || second.ParsedPools[0].Object.ResourceVersion != "2" || len(second.ChangedEndpoints) != 0 {
		t.Errorf("the pool is another one, or the object an old one: %+v; or endpoints have changed: %v", second.ParsedPools, second.ChangedEndpoints)
	}
	pool("3", 8, "192.0.2.0/25")
	if third := list(); third.Pools == second.Pools {
		t.Error("the pool has changed, and is the same")
	}
}
