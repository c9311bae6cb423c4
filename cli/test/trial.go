package test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/cli/view"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

const (
	// interval between two looks.
	interval = 200 * time.Millisecond
	// dialTime is for one attempt to connect, and reachTime for all: routers and switches learn where the address is meanwhile.
	dialTime  = 2 * time.Second
	reachTime = 8 * time.Second
)

// trial is a Service on its way.
type trial struct {
	*options
	Report
	api     client.Client
	service *corev1.Service
	// pod is nil when the Pods of another Service are used.
	pod  *corev1.Pod
	made time.Time
	// tried are the objects that may have been made.
	tried []client.Object
	// cluster as it was seen last; nil: not yet.
	cluster *view.Cluster
}

// try all steps until one fails, and report whether one has.
func (t *trial) try(ctx context.Context) (failed bool) {
	t.made = t.Now()
	if err := t.create(ctx); err != nil {
		t.note(Step{Name: "made", Message: err.Error()})
		return true
	}
	text := "Service " + t.Namespace + "/" + t.Name
	if t.pod != nil {
		text += ", and its Pod"
	}
	t.note(Step{Name: "made", OK: true, Message: text})
	for _, step := range []struct {
		name string
		look func(ctx context.Context) (done bool, message string, err error)
	}{{"address", t.address}, {"endpoint", t.endpoint}, {"announced", t.announced}} {
		ok, message := t.await(ctx, step.look)
		t.note(Step{Name: step.name, OK: ok, Message: message})
		if !ok {
			return true
		}
	}
	step := t.confirm(ctx)
	t.note(step)
	if !step.OK && step.Note == "" {
		return true
	}
	return t.reach(ctx)
}

func (t *trial) note(s Step) {
	s.AfterMillis = t.Now().Sub(t.made).Milliseconds()
	t.Steps = append(t.Steps, s)
}

// await what a look asks for. The message is that of the last look; what it waits for goes to stderr whenever it changes.
func (t *trial) await(ctx context.Context, look func(context.Context) (bool, string, error)) (ok bool, message string) {
	ticks := time.NewTicker(interval)
	defer ticks.Stop()
	for {
		done, now, err := look(ctx)
		switch {
		case done:
			return true, now
		case err != nil && ctx.Err() == nil:
			return false, err.Error()
		case err == nil && now != message:
			message = now
			t.Warn("waiting: %s", message)
		}
		select {
		case <-ctx.Done():
			return false, "after " + t.timeout.String() + ": " + message
		case <-ticks.C:
		}
	}
}

// address of the Service, from the controller.
func (t *trial) address(ctx context.Context) (done bool, message string, err error) {
	if err := t.api.Get(ctx, client.ObjectKeyFromObject(t.service), t.service); err != nil {
		return false, "", fmt.Errorf("read the Service: %w", err)
	}
	if addresses := t.addresses(); len(addresses) > 0 {
		return true, strings.Join(lb.Strings(addresses), ", "), nil
	}
	return false, "there is no address: " + t.condition(v1beta1.ConditionAddressAssigned, "the controller has not said anything"), nil
}

func (t *trial) addresses() (list []netip.Addr) {
	for _, ingress := range t.service.Status.LoadBalancer.Ingress {
		if a, err := netip.ParseAddr(ingress.IP); err == nil {
			list = append(list, a)
		}
	}
	return list
}

// condition in words; else says what it means that there is none.
func (t *trial) condition(kind, otherwise string) string {
	c := meta.FindStatusCondition(t.service.Status.Conditions, kind)
	if c == nil {
		return otherwise
	}
	return strings.TrimSuffix(c.Reason+": "+c.Message, ": ")
}

// endpoint that is ready.
func (t *trial) endpoint(ctx context.Context) (done bool, message string, err error) {
	slices := &discoveryv1.EndpointSliceList{}
	of := client.MatchingLabels{discoveryv1.LabelServiceName: t.Name}
	if err := t.api.List(ctx, slices, client.InNamespace(t.Namespace), of); err != nil {
		return false, "", fmt.Errorf("list the EndpointSlices: %w", err)
	}
	for i := range slices.Items {
		for _, e := range slices.Items[i].Endpoints {
			if e.Conditions.Ready == nil || *e.Conditions.Ready {
				node := "an unknown node"
				if e.NodeName != nil {
					node = *e.NodeName
				}
				return true, strings.Join(e.Addresses, ", ") + " on " + node, nil
			}
		}
	}
	if t.pod == nil {
		return false, "no Pod of Service " + t.backend + " is ready", nil
	}
	if err := t.api.Get(ctx, client.ObjectKeyFromObject(t.pod), t.pod); err != nil {
		return false, "", fmt.Errorf("read the Pod: %w", err)
	}
	return false, "the Pod is not ready: " + podState(t.pod), nil
}

// podState is why a Pod is not ready.
func podState(p *corev1.Pod) string {
	for i := range p.Status.ContainerStatuses {
		if w := p.Status.ContainerStatuses[i].State.Waiting; w != nil {
			return strings.TrimSuffix(w.Reason+": "+w.Message, ": ")
		}
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return c.Reason + ": " + c.Message
		}
	}
	return strings.ToLower(string(p.Status.Phase))
}

// announced, as the controller says.
func (t *trial) announced(ctx context.Context) (done bool, message string, err error) {
	if err := t.api.Get(ctx, client.ObjectKeyFromObject(t.service), t.service); err != nil {
		return false, "", fmt.Errorf("read the Service: %w", err)
	}
	c := meta.FindStatusCondition(t.service.Status.Conditions, v1beta1.ConditionAnnounced)
	if c != nil && c.Status == metav1.ConditionTrue {
		return true, c.Message, nil
	}
	return false, "it is not announced: " + t.condition(v1beta1.ConditionAnnounced, "nothing is said"), nil
}

// reach each address from this machine, and report whether one should have been reached and was not.
func (t *trial) reach(ctx context.Context) (failed bool) {
	port := int32(0)
	for _, p := range t.service.Spec.Ports {
		if p.Protocol == corev1.ProtocolTCP && port == 0 {
			port = p.Port
		}
	}
	if port == 0 {
		t.note(Step{Name: "reached", Message: "not asked: no port is one of TCP", Note: "A datagram that is not answered says nothing."})
		return false
	}
	for _, a := range t.addresses() {
		step := t.connect(ctx, netip.AddrPortFrom(a, uint16(port)))
		failed = failed || !step.OK && step.Note == ""
		t.note(step)
	}
	return failed
}

// connect to an address, again and again until it works, somebody refuses, or reachTime is over.
func (t *trial) connect(ctx context.Context, to netip.AddrPort) Step {
	ctx, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	how := "by TCP"
	if t.pod != nil {
		how = "by HTTP, answered by the Pod,"
	}
	var last error
	for attempts := 1; ; attempts++ {
		began := time.Now()
		err := t.ask(ctx, to)
		if err == nil {
			text := fmt.Sprintf("%s %s from this machine, in %s, at attempt %d", to, how, since(began), attempts)
			return Step{Name: "reached", OK: true, Message: text + t.whoAnswers(to.Addr())}
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return t.unreached(to, last)
		case <-time.After(interval):
		}
	}
}

// ask once: the Pod of this trial for its name, which no other host knows, and those of a backend, whose protocol is theirs, for a
// connection.
func (t *trial) ask(ctx context.Context, to netip.AddrPort) error {
	if t.pod != nil {
		return t.fetch(ctx, to)
	}
	conn, err := t.dial(ctx, "tcp", to.String())
	if err != nil {
		return err
	}
	_ = conn.Close() // It was opened, which is all that was asked.
	return nil
}

// strangeAnswer is what somebody said who is not the Pod.
type strangeAnswer string

func (a strangeAnswer) Error() string { return "the answer is " + string(a) }

// fetch the name of the Pod from an address; a strangeAnswer if it is not.
func (t *trial) fetch(ctx context.Context, to netip.AddrPort) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+to.String()+"/", http.NoBody)
	if err != nil {
		return err
	}
	transport := &http.Transport{DialContext: t.dial, DisableKeepAlives: true, ResponseHeaderTimeout: dialTime, MaxResponseHeaderBytes: 1 << 16}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // All that is wanted has been read.
	const enough = 512                           // The name of a Pod is shorter.
	body, err := io.ReadAll(io.LimitReader(response.Body, enough))
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if got := strings.TrimSpace(string(body)); got != t.Name {
		first, _, _ := strings.Cut(got, "\n")
		return strangeAnswer(fmt.Sprintf("%q with status %q, where the Pod would say its name", first[:min(len(first), 60)], response.Status))
	}
	return nil
}

func since(began time.Time) time.Duration { return time.Since(began).Round(10 * time.Microsecond) }

// unreached from this machine, which need not be wrong.
func (t *trial) unreached(to netip.AddrPort, err error) Step {
	if opErr := (*net.OpError)(nil); errors.As(err, &opErr) {
		err = opErr.Err
	}
	step := Step{Name: "reached", Message: fmt.Sprintf("not %s from this machine: %v", to, err)}
	segment := t.segmentOf(to.Addr())
	switch {
	case errors.As(err, new(strangeAnswer)):
		step.Message += "; another host has the address, or a proxy is between"
	case errors.Is(err, syscall.ECONNREFUSED):
		step.Message += "; somebody answers there and does not know the Service: look at the service proxy of the node, or at another host with the address"
	case segment != "":
		step.Message += "; this machine is in the network of the address, " + segment + ", and should reach it" + t.whoAnswers(to.Addr())
	default:
		step.Note = "This machine is not in the network of the address. It may have no route there, or a firewall may be between. Try it where clients are."
	}
	return step
}
