package test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/cli/commandtest"
	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/e2e/lab"
)

func TestMain(m *testing.M) { lab.Main(m) }

// played is what Daymark, the kubelet and the network do in a test.
type played struct {
	// upTo is how far the way goes: "", "address", "endpoint", "announced".
	upTo string
	dial error
	// answers to HTTP instead of the Pod's name.
	answers  string
	networks []net.Addr
	// mac that answers for the address in the segment; empty: none does.
	mac string
	// made is the name of the last Service that was seen.
	made atomic.Value
	// interrupt when the Service is there.
	interrupt bool
	args      []string
}

// network of a machine.
func network(t *testing.T, text string) []net.Addr {
	t.Helper()
	ip, n, err := net.ParseCIDR(text)
	if err != nil {
		t.Fatal(err)
	}
	return []net.Addr{&net.IPNet{IP: ip, Mask: n.Mask}}
}

// play the daemons for all Services of type LoadBalancer until ctx ends.
func (p *played) play(ctx context.Context, api client.Client, seen func(*corev1.Service)) {
	for ctx.Err() == nil {
		list := &corev1.ServiceList{}
		if api.List(ctx, list) == nil {
			for i := range list.Items {
				if s := &list.Items[i]; s.Spec.Type == corev1.ServiceTypeLoadBalancer {
					seen(s)
					p.serve(ctx, api, s)
				}
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (p *played) serve(ctx context.Context, api client.Client, s *corev1.Service) {
	condition := func(kind string, status metav1.ConditionStatus, reason, message string) {
		s.Status.Conditions = append(s.Status.Conditions, metav1.Condition{
			Type: kind, Status: status, Reason: reason, Message: message, LastTransitionTime: metav1.Now(),
		})
	}
	s.Status.Conditions = nil
	if p.upTo == "" {
		condition(v1beta1.ConditionAddressAssigned, "False", "PoolExhausted", "pool lan is exhausted")
		_ = api.Status().Update(ctx, s) // again until it works
		return
	}
	s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "192.0.2.200"}}
	condition(v1beta1.ConditionAddressAssigned, "True", "Assigned", "")
	if p.upTo != "address" {
		yes, node := true, "n1"
		_ = api.Create(ctx, &discoveryv1.EndpointSlice{
			ObjectMeta:  metav1.ObjectMeta{Namespace: s.Namespace, Name: s.Name, Labels: map[string]string{discoveryv1.LabelServiceName: s.Name}},
			AddressType: discoveryv1.AddressTypeIPv4,
			Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"10.0.1.7"}, NodeName: &node, Conditions: discoveryv1.EndpointConditions{Ready: &yes}}},
		})
	}
	if p.upTo == "announced" {
		condition(v1beta1.ConditionAnnounced, "True", "Announced", "192.0.2.200 by layer 2 (lan)")
	}
	_ = api.Status().Update(ctx, s)
}

// run the command, and return what it prints, the error, the Services that were seen, and what is left.
func (p *played) run(t *testing.T, config *rest.Config) (printed string, made []*corev1.Service, left []string, err error) {
	t.Helper()
	api, err := client.New(config, client.Options{Scheme: source.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	o := p.options(&out, config)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var daemons sync.WaitGroup
	playing, stop := context.WithCancel(t.Context())
	seen := map[string]*corev1.Service{}
	daemons.Go(func() {
		p.play(playing, api, func(s *corev1.Service) {
			seen[s.Name] = s.DeepCopy()
			p.made.Store(s.Name)
			if p.interrupt && strings.HasPrefix(s.Name, "daymark-test-") {
				cancel()
			}
		})
	})
	c := o.command()
	c.SilenceUsage, c.SilenceErrors = true, true
	c.SetArgs(p.args)
	err = c.ExecuteContext(ctx)
	stop()
	daemons.Wait()
	for _, s := range seen {
		if strings.HasPrefix(s.Name, "daymark-test-") {
			made = append(made, s)
		}
	}
	return out.String(), made, leftovers(t, api), err
}

// options with the network that is played.
func (p *played) options(out *bytes.Buffer, config *rest.Config) *options {
	e := commandtest.Env(config, out)
	dial := func(context.Context, string, string) (net.Conn, error) {
		if p.dial != nil {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: p.dial}
		}
		here, there := net.Pipe()
		go p.answer(there)
		return here, nil
	}
	return &options{Env: e, dial: dial, networks: func() ([]net.Addr, error) { return p.networks, nil }, neighbors: func() ([]neighbor, error) {
		return []neighbor{{netip.MustParseAddr("192.0.2.200"), p.mac}, {netip.MustParseAddr("192.0.2.11"), "02:00:00:00:00:01"}}, nil
	}}
}

// answer one request by HTTP as the Pod does, or as somebody else.
func (p *played) answer(conn net.Conn) {
	defer func() { _ = conn.Close() }() // Who asked has its answer.
	if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
		return
	}
	text := p.answers
	if text == "" {
		text = p.made.Load().(string)
	}
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(text), text)
}

// leftovers of the command.
func leftovers(t *testing.T, api client.Client) (names []string) {
	t.Helper()
	services, pods := &corev1.ServiceList{}, &corev1.PodList{}
	if err := errors.Join(api.List(t.Context(), services), api.List(t.Context(), pods)); err != nil {
		t.Fatal(err)
	}
	for _, s := range services.Items {
		if strings.HasPrefix(s.Name, "daymark-test-") {
			names = append(names, "Service "+s.Name)
		}
	}
	for _, p := range pods.Items {
		names = append(names, "Pod "+p.Name)
	}
	return names
}

func TestCommand_TriesTheWholeWay(t *testing.T) {
	config := lab.ControlPlane(t)
	if _, err := envtest.InstallCRDs(config, envtest.CRDInstallOptions{Paths: []string{"../../config/crd/bases"}}); err != nil {
		t.Fatal(err)
	}
	api, err := client.New(config, client.Options{Scheme: source.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	web := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web"}}
	web.Spec.Selector = map[string]string{"app": "web"}
	web.Spec.Ports = []corev1.ServicePort{{Port: 8443, TargetPort: intstr.FromString("https")}}
	alone := web.DeepCopy()
	alone.Name, alone.Spec.Selector = "alone", nil
	if err := errors.Join(api.Create(t.Context(), web), api.Create(t.Context(), alone)); err != nil {
		t.Fatal(err)
	}
	here := network(t, "192.0.2.5/24")
	for _, test := range []struct {
		name   string
		played *played
		status int
		wanted []string
	}{
		{"all works", &played{upTo: "announced"}, 0, []string{
			"made       Service default/daymark-test-", ", and its Pod", "address    192.0.2.200", "endpoint   10.0.1.7 on n1",
			"announced  192.0.2.200 by layer 2 (lan)", "confirmed  not all is known", "Not seen: by the objects that are seen no node is to announce it",
			"reached    192.0.2.200:80 by HTTP, answered by the Pod,", "by ARP it is not asked from here", "removed Service default/daymark-test-", "removed Pod default/",
		}},
		{"with the Pods of another Service", &played{upTo: "announced", args: []string{"--backend=web", "--pool=lan"}}, 0, []string{"192.0.2.200:8443 by TCP"}},
		{"there is no address", &played{args: []string{"--timeout=1s"}}, 1, []string{
			"waiting: there is no address: PoolExhausted: pool lan is exhausted", "failed", "after 1s: there is no address: PoolExhausted",
			"no IPv4 address: there is no IPAddressPool", "removed Service",
		}},
		{"there is no endpoint", &played{upTo: "address", args: []string{"--timeout=1s"}}, 1, []string{"endpoint   after 1s: the Pod is not ready: pending"}},
		{"no node announces it", &played{upTo: "endpoint", args: []string{"--timeout=1s"}}, 1, []string{"it is not announced: nothing is said"}},
		{"from far away", &played{upTo: "announced", dial: syscall.EHOSTUNREACH, args: []string{"--timeout=1s"}}, 0, []string{
			"not 192.0.2.200:80 from this machine: no route to host", "This machine is not in the network of the address.",
		}},
		{"from the segment", &played{upTo: "announced", dial: syscall.EHOSTUNREACH, networks: here, args: []string{"--timeout=1s"}}, 1, []string{
			"in the network of the address, 192.0.2.5/24, and should reach it; nobody answered by ARP",
		}},
		{"in the segment, and it works", &played{upTo: "announced", networks: here, mac: "02:00:00:00:00:02"}, 0, []string{
			"at attempt 1; 02:00:00:00:00:02 answered by ARP",
		}},
		{"somebody refuses", &played{upTo: "announced", dial: syscall.ECONNREFUSED, args: []string{"--timeout=1s"}}, 1, []string{"does not know the Service"}},
		{"somebody else answers", &played{upTo: "announced", answers: "<h1>Printer", args: []string{"--timeout=1s"}}, 1, []string{
			`the answer is "<h1>Printer" with status "200 OK"`, "another host has the address",
		}},
		{"a backend without Pods", &played{args: []string{"--backend=alone"}}, env.ExitUsage, nil},
		{"a backend that is not there", &played{args: []string{"--backend=none"}}, 1, nil},
		{"interrupted", &played{interrupt: true}, 1, []string{"removed Service"}}, // of the Pod, it may not be there yet
	} {
		t.Run(test.name, func(t *testing.T) {
			printed, made, left, err := test.played.run(t, config)
			if got := env.ExitStatus(err); got != test.status {
				t.Errorf("the status is %d: %v", got, err)
			}
			for _, text := range test.wanted {
				if !strings.Contains(printed, text) {
					t.Errorf("%q is not in\n%s", text, printed)
				}
			}
			if len(left) > 0 {
				t.Errorf("left are %q", left)
			}
			if test.name != "with the Pods of another Service" {
				return
			}
			if len(made) != 1 || made[0].Spec.Selector["app"] != "web" || made[0].Spec.Ports[0].TargetPort.StrVal != "https" ||
				made[0].Annotations[v1beta1.AnnotationAddressPool] != "lan" {
				t.Errorf("it made %v", made)
			}
		})
	}
	kept := &played{upTo: "announced", args: []string{"--keep", "-o=json"}}
	printed, made, left, err := kept.run(t, config)
	if err != nil || len(left) != 2 || !strings.Contains(printed, `"kind": "TestReport"`) || !strings.Contains(printed, fmt.Sprintf("%q", made[0].Name)) {
		t.Errorf("with --keep %q are left, error %v:\n%s", left, err, printed)
	}
}

// TestPod_ServesItsNameAlone: the address is open to whoever reaches it, and netexec of agnhost would run commands for them.
func TestPod_ServesItsNameAlone(t *testing.T) {
	if got := pod("default", "daymark-test-a", defaultImage).Spec.Containers[0].Args; !slices.Equal(got, []string{"serve-hostname", "--port=8080"}) {
		t.Errorf("the Pod is started with %q", got)
	}
}
