package reconcile

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	crconfig "sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

const (
	daymarkNamespace = "daymark-system"
	timeout          = 20 * time.Second
)

func TestMain(m *testing.M) { lab.Main(m) }

// testCluster is a real API server with the kinds of Daymark, without a loop.
type testCluster struct {
	client.Client
	config *rest.Config
	scheme *runtime.Scheme
}

func newCluster(t *testing.T) *testCluster {
	t.Helper()
	ctrl.SetLogger(logr.FromSlogHandler(slog.NewTextHandler(testLog(), nil)))
	c := &testCluster{config: lab.ControlPlane(t), scheme: runtime.NewScheme()}
	must(t, clientgoscheme.AddToScheme(c.scheme))
	must(t, v1beta1.AddToScheme(c.scheme))
	must(t, apiextensionsv1.AddToScheme(c.scheme)) // Now: a scheme in use must not be changed.
	_, err := envtest.InstallCRDs(c.config, envtest.CRDInstallOptions{Paths: []string{"../../config/crd/bases"}})
	must(t, err)
	c.Client, err = client.New(c.config, client.Options{Scheme: c.scheme})
	must(t, err)
	must(t, c.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: daymarkNamespace}}))
	return c
}

// running is a loop that runs.
type running struct {
	stop func()
	// registry of its metrics.
	registry *prometheus.Registry
	*Loop
}

// start runs a loop until it is stopped, or the test ends.
func (c *testCluster) start(t *testing.T, change ...func(*Config)) *running {
	t.Helper()
	skip := true
	grace := 5 * time.Second
	r := &running{registry: prometheus.NewRegistry()}
	settings := Config{
		Namespace: daymarkNamespace, Classes: lb.Classes{Name: v1beta1.LoadBalancerClass, Classless: true},
		Log: slog.New(slog.NewTextHandler(testLog(), &slog.HandlerOptions{Level: slog.LevelDebug})), Registerer: r.registry,
	}
	for _, f := range change {
		f(&settings)
	}
	m, err := ctrl.NewManager(c.config, ctrl.Options{
		Scheme: c.scheme, Cache: CacheOptions(c.scheme, daymarkNamespace, settings.Classes),
		Metrics: metricsserver.Options{BindAddress: "0"}, HealthProbeBindAddress: "0",
		Controller: crconfig.Controller{SkipNameValidation: &skip}, GracefulShutdownTimeout: &grace,
	})
	must(t, err)
	r.Loop, err = Add(m, settings)
	must(t, err)
	if settings.Leader != nil {
		must(t, m.Add(settings.Leader))
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = m.Start(ctx)
	}()
	r.stop = func() { cancel(); <-ended }
	t.Cleanup(r.stop)
	return r
}

// writes is how many writes of a kind the loop made.
func (r *running) writes(t *testing.T, kind, result string) int {
	t.Helper()
	families, err := r.registry.Gather()
	must(t, err)
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			labels := map[string]string{}
			for _, label := range metric.GetLabel() {
				labels[label.GetName()] = label.GetValue()
			}
			if family.GetName() == "daymark_controller_writes_total" && labels["kind"] == kind && labels["result"] == result {
				return int(metric.GetCounter().GetValue())
			}
		}
	}
	return 0
}

// deleteAll deletes everything that tests make.
func (c *testCluster) deleteAll(t *testing.T) {
	t.Helper()
	for _, kind := range []client.Object{
		&corev1.Service{}, &v1beta1.IPAddressPool{}, &v1beta1.IPReservation{}, &v1beta1.L2Advertisement{}, &v1beta1.BGPAdvertisement{},
		&v1beta1.BGPPeer{}, &v1beta1.BFDProfile{}, &v1beta1.Community{}, &v1beta1.Speaker{}, &corev1.Node{},
	} {
		options := []client.DeleteAllOfOption{}
		if _, ok := kind.(*corev1.Service); ok {
			options = append(options, client.InNamespace("default"))
		}
		must(t, c.DeleteAllOf(context.Background(), kind, options...))
	}
}

// pool makes an IPAddressPool.
func (c *testCluster) pool(t *testing.T, name string, addresses ...string) *v1beta1.IPAddressPool {
	t.Helper()
	p := &v1beta1.IPAddressPool{ObjectMeta: metav1.ObjectMeta{Name: name}}
	for _, text := range addresses {
		p.Spec.Addresses = append(p.Spec.Addresses, v1beta1.AddressRange(text))
	}
	must(t, c.Create(t.Context(), p))
	return p
}

// service makes a Service of type LoadBalancer.
func (c *testCluster) service(t *testing.T, name string, change ...func(*corev1.Service)) *corev1.Service {
	t.Helper()
	s := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, Ports: []corev1.ServicePort{{Port: 80}}},
	}
	for _, f := range change {
		f(s)
	}
	must(t, c.Create(t.Context(), s))
	return s
}

func annotated(key, value string) func(*corev1.Service) {
	return func(s *corev1.Service) { metav1.SetMetaDataAnnotation(&s.ObjectMeta, key, value) }
}

// edit changes an object.
func edit[T client.Object](t *testing.T, c *testCluster, object T, change func(T)) {
	t.Helper()
	lab.Eventually(t, timeout, "edit "+object.GetName(), func() error {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		change(object)
		return c.Update(t.Context(), object)
	})
}

// addresses waits until a Service has certain addresses, and returns the Service.
func (c *testCluster) addresses(t *testing.T, name string, want ...string) *corev1.Service {
	t.Helper()
	s := &corev1.Service{}
	lab.Eventually(t, timeout, fmt.Sprintf("Service %s gets %v", name, want), func() error {
		if err := c.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: name}, s); err != nil {
			return err
		}
		if got := ips(s); !slices.Equal(got, want) {
			return fmt.Errorf("it has %v: %+v", got, s.Status.Conditions)
		}
		return nil
	})
	return s
}

func ips(s *corev1.Service) []string {
	var list []string
	for _, entry := range s.Status.LoadBalancer.Ingress {
		list = append(list, entry.IP)
	}
	return list
}

// reason waits until a condition of an object has a reason, and returns its message.
func (c *testCluster) reason(t *testing.T, object client.Object, kind, reason string) string {
	t.Helper()
	var message string
	lab.Eventually(t, timeout, fmt.Sprintf("%T %s says %s %s", object, object.GetName(), kind, reason), func() error {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		condition := meta.FindStatusCondition(*conditionsOf(object), kind)
		if condition == nil || condition.Reason != reason {
			return fmt.Errorf("it says %+v", condition)
		}
		message = condition.Message
		return nil
	})
	return message
}

func conditionsOf(object client.Object) *[]metav1.Condition {
	switch o := object.(type) {
	case *corev1.Service:
		return &o.Status.Conditions
	case *v1beta1.IPAddressPool:
		return &o.Status.Conditions
	case *v1beta1.IPReservation:
		return &o.Status.Conditions
	case *v1beta1.L2Advertisement:
		return &o.Status.Conditions
	case *v1beta1.BGPAdvertisement:
		return &o.Status.Conditions
	case *v1beta1.BGPPeer:
		return &o.Status.Conditions
	case *v1beta1.BFDProfile:
		return &o.Status.Conditions
	case *v1beta1.Community:
		return &o.Status.Conditions
	case *v1beta1.Speaker:
		return &o.Status.Conditions
	}
	panic(fmt.Sprintf("%T has no conditions", object))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// testLog is stderr when DAYMARK_TEST_LOG is set.
func testLog() io.Writer {
	if os.Getenv("DAYMARK_TEST_LOG") == "" {
		return io.Discard
	}
	return os.Stderr
}
