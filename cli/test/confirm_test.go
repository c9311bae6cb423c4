package test

import (
	"errors"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/source"
)

// healthy is a cluster in which n2 holds the address of default/web, and n1 and n2 tell tor of that of shop/api.
func healthy(t *testing.T, change changes) *source.Objects {
	t.Helper()
	file, err := source.Open("../testdata/healthy.yaml", time.Unix(1_795_000_000, 0))
	if err != nil {
		t.Fatal(err)
	}
	found, err := file.Read(t.Context(), (&env.Env{System: "daymark-system"}).World("")...)
	if err != nil || len(found.Gaps) > 0 {
		t.Fatal(err, found.Gaps)
	}
	objects := *found
	objects.Items = slices.Clone(found.Items)
	for i, o := range objects.Items {
		if s, ok := o.(*v1beta1.Speaker); ok && change[s.Name] != nil {
			s = s.DeepCopy()
			change[s.Name](&s.Status)
			objects.Items[i] = s
		}
	}
	return &objects
}

type changes = map[string]func(*v1beta1.SpeakerStatus)

func TestTrial_ConfirmsWhatSpeakersAndRoutersHave(t *testing.T) {
	held := v1beta1.HeldAddress{Address: "192.0.2.200", Interfaces: []string{"eth0"}}
	for _, test := range []struct {
		name, namespace, service string
		change                   changes
		// message of the step, or what is awaited.
		message, missing, note string
	}{
		{name: "one node holds the address", namespace: "default", service: "web", message: "held by n2"},
		{name: "two routers' sessions have the route", namespace: "shop", service: "api", message: "sent by n1 to tor (192.0.2.1), sent by n2 to tor (192.0.2.1)"},
		{name: "nobody holds it", namespace: "default", service: "web", change: changes{
			"n2": func(s *v1beta1.SpeakerStatus) { s.Layer2 = v1beta1.SpeakerLayer2{} },
		}, missing: "no speaker says that it holds 192.0.2.200 by layer 2, and n1, n2, n3 may: look at the Speaker objects"},
		{name: "a report that is cut may have it", namespace: "default", service: "web", change: changes{
			"n2": func(s *v1beta1.SpeakerStatus) { s.Layer2 = v1beta1.SpeakerLayer2{IPv4: 200} },
		}, message: "not all is known", note: "n2 hold more addresses than they list, perhaps 192.0.2.200 too"},
		{name: "two hold it", namespace: "default", service: "web", change: changes{
			"n1": func(s *v1beta1.SpeakerStatus) {
				s.Layer2 = v1beta1.SpeakerLayer2{IPv4: 1, Held: []v1beta1.HeldAddress{held}}
			},
		}, missing: "n1 and n2 each say that they alone hold 192.0.2.200"},
		{name: "a session is down", namespace: "shop", service: "api", change: changes{
			"n1": func(s *v1beta1.SpeakerStatus) {
				s.BGP[0].State, s.BGP[0].LastError = v1beta1.BGPActive, "connection refused"
			},
		}, missing: "the session of n1 with tor (192.0.2.1) is not established, but Active: connection refused; kubectl daymark explain peer tor says more"},
		{name: "a router was sent something else", namespace: "shop", service: "api", change: changes{
			"n2": func(s *v1beta1.SpeakerStatus) { s.BGP[0].Digest, s.BGP[0].IPv4 = "0000000000000000", 0 },
		}, missing: "on the session of n2 with tor (192.0.2.1) something else was sent: 0 IPv4 and 0 IPv6 prefixes were sent, and the objects ask for 1 and 0"},
		{name: "the session does not carry the family", namespace: "shop", service: "api", change: changes{
			"n2": func(s *v1beta1.SpeakerStatus) {
				s.BGP[0].Digest, s.BGP[0].IPv4, s.BGP[0].Families = "0000000000000000", 0, nil
			},
		}, missing: "the session of n2 with tor (192.0.2.1) does not carry 198.51.100.0/32: IPv4 not carried"},
		{name: "a speaker of an earlier version", namespace: "shop", service: "api", change: changes{
			"n2": func(s *v1beta1.SpeakerStatus) { s.BGP[0].Digest = "" },
		}, message: "sent by n1 to tor (192.0.2.1); not all is known", note: "the session of n2 with tor (192.0.2.1): its report has no digest"},
		{name: "a Service that is not there", namespace: "shop", service: "none", message: "not all is known", note: "Service shop/none is not seen"},
	} {
		t.Run(test.name, func(t *testing.T) {
			trial := &trial{options: &options{Env: &env.Env{System: "daymark-system"}}, Report: Report{Namespace: test.namespace, Name: test.service}}
			step, done, missing := trial.look(healthy(t, test.change))
			if done != (test.missing == "") || !strings.Contains(missing, test.missing) || test.missing == "" && step.Message != test.message ||
				!strings.Contains(step.Note, test.note) || step.OK != (test.note == "" && done) {
				t.Errorf("done %t, awaited %q, the step %+v", done, missing, step)
			}
		})
	}
}

// TestTrial_ConfirmationIsAwaited from the API server, where reports come a moment after the condition, and until the time is over.
func TestTrial_ConfirmationIsAwaited(t *testing.T) {
	nobody := changes{"n2": func(s *v1beta1.SpeakerStatus) { s.Layer2 = v1beta1.SpeakerLayer2{} }}
	var warned strings.Builder
	trial := &trial{options: &options{Env: &env.Env{System: "daymark-system", IOStreams: genericiooptions.IOStreams{ErrOut: &warned}}, timeout: time.Minute}}
	trial.Namespace, trial.Name = "default", "web"
	for _, test := range []struct {
		name  string
		looks []*source.Objects
		want  Step
	}{
		{"it comes", []*source.Objects{healthy(t, nobody), healthy(t, nil)}, Step{Name: "confirmed", OK: true, Message: "held by n2"}},
		{"it does not", []*source.Objects{healthy(t, nobody)}, Step{Name: "confirmed", Message: "after 1m0s: no speaker says that it holds 192.0.2.200"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			seen := make(chan *source.Objects, len(test.looks))
			for _, objects := range test.looks {
				seen <- objects
			}
			close(seen)
			got := trial.confirmFrom(seen)
			if got.OK != test.want.OK || got.Note != "" || !strings.HasPrefix(got.Message, test.want.Message) || got.Name != test.want.Name {
				t.Errorf("the step is %+v", got)
			}
			if !strings.Contains(warned.String(), "waiting: no speaker says") {
				t.Errorf("it says %q", warned.String())
			}
		})
	}
}

func TestTrial_SaysWhoAnswersInTheSegment(t *testing.T) {
	const holder = "02:00:00:00:00:02"
	node := neighbor{netip.MustParseAddr("192.0.2.12"), holder}
	for _, test := range []struct {
		name, network, address string
		neighbors              []neighbor
		err                    error
		want                   string
	}{
		{name: "far away", network: "203.0.113.5/24", address: "192.0.2.200", want: "; by ARP it is not asked from here, since this machine is not in its network"},
		{
			name: "a node", network: "192.0.2.5/24", address: "192.0.2.200", neighbors: []neighbor{node, {netip.MustParseAddr("192.0.2.200"), holder}},
			want: "; " + holder + " answered by ARP, which is node n2",
		},
		{
			name: "who is no node that is seen", network: "192.0.2.5/24", address: "192.0.2.200", neighbors: []neighbor{{netip.MustParseAddr("192.0.2.200"), holder}},
			want: "; " + holder + " answered by ARP",
		},
		{name: "nobody", network: "192.0.2.5/24", address: "192.0.2.200", neighbors: []neighbor{node, {addr: netip.MustParseAddr("192.0.2.200")}}, want: "; nobody answered by ARP"},
		{
			name: "by IPv6", network: "2001:db8::5/64", address: "2001:db8::200", neighbors: []neighbor{{netip.MustParseAddr("2001:db8::200"), holder}},
			want: "; " + holder + " answered by NDP",
		},
		{name: "another system", network: "192.0.2.5/24", address: "192.0.2.200", err: errors.New("not implemented"), want: "; who answers by ARP is not known here: not implemented"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := &options{
				Env: &env.Env{System: "daymark-system"}, networks: func() ([]net.Addr, error) { return network(t, test.network), nil },
				neighbors: func() ([]neighbor, error) { return test.neighbors, test.err },
			}
			trial := &trial{options: o}
			trial.cluster = o.View(healthy(t, nil))
			if got := trial.whoAnswers(netip.MustParseAddr(test.address)); got != test.want {
				t.Errorf("it says %q", got)
			}
		})
	}
}

func TestNeighbors_AreReadFromTheKernel(t *testing.T) {
	if _, err := neighbors(); err != nil && runtime.GOOS == "linux" {
		t.Error(err)
	}
}
