package watch

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/source"
)

// looks are what a source sees, one after the other.
type looks []*source.Objects

func (l looks) Read(context.Context, ...source.Query) (*source.Objects, error) { return l[0], nil }

func (l looks) Follow(context.Context, time.Duration, ...source.Query) (<-chan *source.Objects, error) {
	all := make(chan *source.Objects, len(l))
	for _, objects := range l {
		all <- objects
	}
	close(all)
	return all, nil
}

// look at the second of an hour at Services, of which each has an address and the last waits, and at who holds the addresses.
func look(second, services int, holder string, session v1beta1.BGPSessionState) *source.Objects {
	at := time.Date(2026, 11, 26, 12, 0, second, 0, time.UTC)
	speakers := map[string]*v1beta1.Speaker{}
	var items []runtime.Object
	for _, name := range []string{"n1", "n2"} {
		speakers[name] = &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: name}}
		items = append(items, speakers[name])
	}
	speakers["n1"].Status.BGP = []v1beta1.BGPSession{{Peer: "tor", Address: "192.0.2.1", State: session, LastError: "hold timer expired"}}
	for i := range services {
		s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: fmt.Sprintf("web-%02d", i)}}
		s.Spec.Type = corev1.ServiceTypeLoadBalancer
		state := metav1.ConditionTrue
		if i == services-1 {
			state = metav1.ConditionFalse
		}
		address := fmt.Sprintf("192.0.2.%d", 200+i)
		s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: address}}
		s.Status.Conditions = []metav1.Condition{{Type: v1beta1.ConditionAnnounced, Status: state, Reason: "NoNode"}}
		items = append(items, s)
		held := &speakers[holder].Status.Layer2
		held.IPv4++
		held.Held = append(held.Held, v1beta1.HeldAddress{Address: address, Interfaces: []string{"eth0"}, Since: metav1.NewTime(at)})
	}
	return &source.Objects{Items: items, Time: at}
}

func environment(t *testing.T, from source.Source) (*env.Env, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	e := env.New(genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &out})
	e.Objects = from
	return e, &out
}

// TestWatch_AppendsLinesWhereThereIsNoTerminal: what is, and then each change once.
func TestWatch_AppendsLinesWhereThereIsNoTerminal(t *testing.T) {
	const up, down = v1beta1.BGPEstablished, v1beta1.BGPActive
	e, out := environment(t, looks{look(1, 1, "n1", up), look(2, 1, "n1", up), look(3, 1, "n2", up), look(4, 1, "n2", down)})
	c := New(e)
	c.SetContext(t.Context())
	if err := c.RunE(c, nil); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"12:00:01 shop/web-00 192.0.2.200 held by n1, announced: no: NoNode",
		"12:00:03 n2 took 192.0.2.200 over from n1 (shop/web-00)",
		"12:00:04 the session of n1 with tor is down: hold timer expired", "",
	}
	if got := strings.Split(out.String(), "\n"); !slices.Equal(got, want) {
		t.Errorf("it prints\n%s", out)
	}
}

// TestWatch_FitsOnTheTerminal: the newest change first, then the Services with which something is wrong, and how many have no room.
func TestWatch_FitsOnTheTerminal(t *testing.T) {
	e, out := environment(t, nil)
	o := &options{Env: e}
	const height = 20
	for i, holder := range []string{"n1", "n2", "n1"} {
		out.Reset()
		if err := o.show(look(i, 40, holder, v1beta1.BGPEstablished), height); err != nil {
			t.Fatal(err)
		}
		if lines := strings.Count(out.String(), "\n"); lines >= height {
			t.Errorf("it takes %d lines of %d:\n%s", lines, height, out)
		}
	}
	lines := strings.Split(out.String(), "\n")
	if lines[0] != "Changes" || lines[1] != "12:00:02 n1 took 192.0.2.239 over from n2 (shop/web-39)" {
		t.Errorf("it begins\n%s", strings.Join(lines[:2], "\n"))
	}
	services := slices.Index(lines, "Services at 12:00:02")
	if services < 0 || !strings.HasPrefix(lines[services+2], "shop/web-39") || !strings.Contains(out.String(), "and 37 Services more") {
		t.Errorf("it shows\n%s", out)
	}
}
