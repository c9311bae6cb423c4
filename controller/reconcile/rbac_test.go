package reconcile

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/e2e/lab"
)

// TestLoop_NeedsAllItsPermissions runs the loop with the permissions of config/rbac: they must suffice for all that the
// controller does, and it must use each of them.
func TestLoop_NeedsAllItsPermissions(t *testing.T) {
	c := newCluster(t)
	granted := grants(t, c.apply(t, "../../config/rbac/controller.yaml", daymarkNamespace))
	used := &requests{seen: map[string]bool{}}
	limited := *c
	limited.config = rest.CopyConfig(c.config)
	limited.config.Impersonate.UserName = "system:serviceaccount:" + daymarkNamespace + ":daymark-controller"
	limited.config.Wrap(used.wrap)

	loop := limited.start(t, func(config *Config) {
		leader, err := NewLeader(limited.config, daymarkNamespace, config.Log)
		must(t, err)
		config.Leader, config.CleanupFinalizer = leader, true
	})
	pool := c.pool(t, "blue", "192.0.2.0/28")
	peer := c.peer(t, "tor")
	reservation := &v1beta1.IPReservation{ObjectMeta: metav1.ObjectMeta{Name: "r"}}
	reservation.Spec.Addresses, reservation.Spec.ServiceRef = []v1beta1.AddressRange{"192.0.2.9"}, &v1beta1.ServiceReference{Namespace: "default", Name: "x"}
	community := &v1beta1.Community{ObjectMeta: metav1.ObjectMeta{Name: "a"}}
	community.Spec.Communities = []v1beta1.CommunityAlias{{Name: "blue", Value: "64512:1"}}
	others := []client.Object{
		reservation, community, &v1beta1.L2Advertisement{ObjectMeta: metav1.ObjectMeta{Name: "l2"}},
		&v1beta1.BGPAdvertisement{ObjectMeta: metav1.ObjectMeta{Name: "bgp"}}, &v1beta1.BFDProfile{ObjectMeta: metav1.ObjectMeta{Name: "fast"}},
	}
	for _, object := range others {
		must(t, c.Create(t.Context(), object))
		c.reason(t, object, v1beta1.ConditionReady, "Valid")
	}
	c.reason(t, pool, v1beta1.ConditionReady, "Valid")
	c.reason(t, peer, v1beta1.ConditionReady, "Accepted")
	c.service(t, "web")
	c.addresses(t, "web", "192.0.2.0")
	c.events(t, "web", "AddressAssigned")
	lab.Eventually(t, timeout, "there is a key for the gossip", func() error {
		return c.Get(t.Context(), client.ObjectKey{Namespace: daymarkNamespace, Name: v1beta1.GossipSecret}, &corev1.Secret{})
	})
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web"}}
	edit(t, c, s, func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeClusterIP })
	c.addresses(t, "web")
	c.finalizer(t, "web", false) // It is removed last: what the conditions say next is new, and gets an Event.
	edit(t, c, s, func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeLoadBalancer })
	c.addresses(t, "web", "192.0.2.0")
	lab.Eventually(t, timeout+maxEventDelay, "the same Event again is counted", func() error {
		used.mu.Lock()
		defer used.mu.Unlock()
		if !used.seen["patch events.k8s.io/events"] {
			return errors.New("not yet")
		}
		return nil
	})
	speaker := c.reports(t, "n1", "203.0.113.1")
	c.lease(t, "n2", "n1", 60)
	c.reason(t, speaker, v1beta1.ConditionReady, v1beta1.ReasonSpeakerGone)
	loop.stop() // and the lease is given back

	for _, grant := range granted {
		verb, resource, _ := strings.Cut(grant, " ")
		reads := verb == "get" || verb == "list" // needed with watch: a watch that cannot stream begins with a list
		if !used.seen[grant] && !(reads && used.seen["watch "+resource]) {
			t.Errorf("%q is granted and not used", grant)
		}
	}
}

// The policy must hold in whatever namespace Daymark is installed, and whatever a kustomization puts before and after its names.
func TestPolicy_SpeakerWritesItsOwnObjectOnly(t *testing.T) {
	for _, account := range []string{"daymark-speaker", "acme-daymark-speaker", "daymark-speaker-b", "acmedaymark-speakerb"} {
		t.Run(account, func(t *testing.T) { testOwnObject(t, account) })
	}
}

func testOwnObject(t *testing.T, account string) {
	c := newCluster(t)
	const elsewhere = "load-balancer"
	must(t, c.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: elsewhere}}))
	for _, object := range c.apply(t, "../../config/rbac/speaker.yaml", elsewhere) {
		if subjects, bound := object.Object["subjects"].([]any); bound && account != "daymark-speaker" {
			subjects[0].(map[string]any)["name"] = account
			must(t, c.Update(t.Context(), object))
		}
	}
	c.apply(t, "../../config/rbac/speaker_own_object.yaml", elsewhere)
	config := rest.CopyConfig(c.config)
	config.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:" + elsewhere + ":" + account,
		Extra:    map[string][]string{"authentication.kubernetes.io/node-name": {"n1"}},
	}
	speaker, err := client.New(config, client.Options{Scheme: c.scheme})
	must(t, err)
	own := &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}
	must(t, client.IgnoreAlreadyExists(speaker.Create(t.Context(), own)))
	lab.Eventually(t, timeout, "the policy is in force", func() error {
		err := speaker.Create(t.Context(), &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{GenerateName: "n2-"}})
		if err == nil {
			return errors.New("it may write that of another")
		}
		if !strings.Contains(err.Error(), "a speaker may write only the Speaker object, EndpointSlice and Lease of its own node") {
			return err
		}
		return nil
	})
	own.Status.Layer2.Held = []v1beta1.HeldAddress{}
	must(t, speaker.Status().Update(t.Context(), own))
	for _, name := range []string{"speaker-n1", "speaker-n2", "n1", "daymark-controller"} {
		for _, object := range []client.Object{
			&coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: elsewhere, Name: name}},
			&discoveryv1.EndpointSlice{
				ObjectMeta: metav1.ObjectMeta{Namespace: elsewhere, Name: name}, AddressType: discoveryv1.AddressTypeIPv4, Endpoints: []discoveryv1.Endpoint{},
			},
		} {
			if err := speaker.Create(t.Context(), object); (err == nil) != (name == "speaker-n1") {
				t.Errorf("it writes %T %s: %v", object, name, err)
			}
		}
	}
	must(t, speaker.Delete(t.Context(), &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Namespace: elsewhere, Name: "speaker-n1"}}))
	must(t, c.Create(t.Context(), &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: "n3"}})) // an administrator may
}

// apply makes the objects of a file, in a namespace where they have one, as kustomize does.
func (c *testCluster) apply(t *testing.T, path, namespace string) []*unstructured.Unstructured {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	var objects []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), len(data))
	for {
		object := &unstructured.Unstructured{}
		if err := decoder.Decode(object); errors.Is(err, io.EOF) {
			return objects
		} else if err != nil {
			t.Fatalf("read %s: %v", path, err)
		}
		if kind := object.GetKind(); kind == "ServiceAccount" || kind == "Role" || kind == "RoleBinding" {
			object.SetNamespace(namespace)
		}
		if subjects, ok := object.Object["subjects"].([]any); ok {
			for _, subject := range subjects {
				subject.(map[string]any)["namespace"] = namespace
			}
		}
		lab.Eventually(t, timeout, "make "+object.GetKind()+" "+object.GetName(), func() error {
			return client.IgnoreAlreadyExists(c.Create(t.Context(), object))
		})
		objects = append(objects, object)
	}
}

// grants lists what the roles among some objects allow, as "verb group/resource".
func grants(t *testing.T, objects []*unstructured.Unstructured) []string {
	t.Helper()
	var list []string
	for _, object := range objects {
		var role rbacv1.Role
		if !strings.HasSuffix(object.GetKind(), "Role") {
			continue
		}
		must(t, runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &role))
		for _, rule := range role.Rules {
			for _, group := range rule.APIGroups {
				for _, resource := range rule.Resources {
					for _, verb := range rule.Verbs {
						list = append(list, verb+" "+group+"/"+resource)
					}
				}
			}
		}
	}
	return list
}

// requests are the grants that the requests of a client needed.
type requests struct {
	mu   sync.Mutex
	seen map[string]bool
}

func (r *requests) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTrip(func(request *http.Request) (*http.Response, error) {
		r.mu.Lock()
		r.seen[grantFor(request)] = true
		r.mu.Unlock()
		return next.RoundTrip(request)
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

// RoundTrip calls the function.
func (f roundTrip) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

// grantFor is the grant that a request needs.
func grantFor(request *http.Request) string {
	parts := strings.Split(strings.Trim(request.URL.Path, "/"), "/")
	group := ""
	switch {
	case parts[0] == "api" && len(parts) > 2:
		parts = parts[2:]
	case parts[0] == "apis" && len(parts) > 3:
		group, parts = parts[1], parts[3:]
	default:
		return "discover"
	}
	if parts[0] == "namespaces" && len(parts) > 2 {
		parts = parts[2:]
	}
	resource := parts[0]
	if len(parts) > 2 {
		resource += "/" + parts[2]
	}
	verb := map[string]string{http.MethodPost: "create", http.MethodPut: "update", http.MethodPatch: "patch", http.MethodDelete: "delete"}[request.Method]
	switch {
	case verb != "":
	case request.URL.Query().Get("watch") == "true" || request.URL.Query().Get("watch") == "1":
		verb = "watch"
	case len(parts) == 1:
		verb = "list"
	default:
		verb = "get"
	}
	return verb + " " + group + "/" + resource
}
