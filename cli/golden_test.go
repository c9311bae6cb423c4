package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/goldentest"
	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/internal/core/status"
)

// now is the time of the clusters in testdata.
var now = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// tenant may read the Services, EndpointSlices and Events of the namespace shop, and nothing else.
func tenant(all *source.Memory) source.Source {
	seen := *all
	seen.Items = nil
	for _, item := range all.Items {
		if source.Namespace(item) == "shop" {
			seen.Items = append(seen.Items, item)
		}
	}
	return &forbidding{&seen}
}

// forbidding is a cluster whose API server refuses what a tenant asks for, also of kinds that it does not know.
type forbidding struct{ *source.Memory }

func (f *forbidding) refuse(queries []source.Query) *source.Memory {
	seen := *f.Memory
	for _, q := range queries {
		gap := source.Gap{Resource: q.Kind.Name(), Why: source.Forbidden}
		switch q.Kind {
		case source.Services, source.EndpointSlices, source.Events:
			gap.Instead = "shop"
		}
		if !slices.Contains(seen.Gaps, gap) {
			seen.Gaps = append(slices.Clone(seen.Gaps), gap)
		}
	}
	return &seen
}

func (f *forbidding) Read(ctx context.Context, queries ...source.Query) (*source.Objects, error) {
	return f.refuse(queries).Read(ctx, queries...)
}

func (f *forbidding) Follow(ctx context.Context, every time.Duration, queries ...source.Query) (<-chan *source.Objects, error) {
	return f.refuse(queries).Follow(ctx, every, queries...)
}

// nodeless is what they see who may not list nodes.
func nodeless(all *source.Memory) source.Source {
	all.Items = slices.DeleteFunc(all.Items, func(item runtime.Object) bool {
		return item.GetObjectKind().GroupVersionKind().Kind == source.Nodes.Kind
	})
	all.Gaps = append(all.Gaps, source.Gap{Resource: source.Nodes.Name(), Why: source.Forbidden})
	return all
}

// racks gives node n2, which is a rack, a router of its own.
func racks(all *source.Memory) source.Source {
	peer := &v1beta1.BGPPeer{TypeMeta: metav1.TypeMeta{APIVersion: v1beta1.GroupVersion.String(), Kind: "BGPPeer"}, ObjectMeta: metav1.ObjectMeta{Name: "rack2"}}
	peer.Spec = v1beta1.BGPPeerSpec{
		MyASN: 64512, PeerASN: new(int64(64514)), PeerAddress: "192.0.2.2",
		NodeSelectors: []v1beta1.LabelSelector{{MatchLabels: map[string]v1beta1.LabelValue{"rack": "r2"}}},
	}
	for _, item := range all.Items {
		if speaker, ok := item.(*v1beta1.Speaker); ok && speaker.Name == "n2" {
			speaker.Status.BGP = append(speaker.Status.BGP, v1beta1.BGPSession{Peer: peer.Name, Address: "192.0.2.2", State: v1beta1.BGPEstablished})
		}
	}
	all.Items = append(all.Items, peer)
	return all
}

// split has n1 and n2 say that they hold the same address, as when the link of one of them is down.
func split(all *source.Memory) source.Source {
	for _, item := range all.Items {
		if speaker, ok := item.(*v1beta1.Speaker); ok && speaker.Name == "n1" {
			speaker.Status.Layer2.Held = append(speaker.Status.Layer2.Held, v1beta1.HeldAddress{
				Address: "192.0.2.200", Interfaces: []string{"eth0"}, Since: metav1.NewTime(now.Add(-4 * time.Second)),
			})
		}
	}
	return all
}

// near leaves the endpoints of node n2, so that all that is announced is announced by it, by both protocols.
func near(all *source.Memory) source.Source {
	for _, item := range all.Items {
		if slice, ok := item.(*discoveryv1.EndpointSlice); ok {
			slice.Endpoints = slices.DeleteFunc(slice.Endpoints, func(e discoveryv1.Endpoint) bool { return e.NodeName == nil || *e.NodeName != "n2" })
		}
	}
	return all
}

// shared has the three nodes share 192.0.2.200, which n2 holds.
func shared(all *source.Memory) source.Source {
	for _, item := range all.Items {
		switch item := item.(type) {
		case *v1beta1.L2Advertisement:
			item.Spec.Sharing = v1beta1.SharingPerClient
		case *v1beta1.Speaker:
			item.Status.Layer2.IPv4, item.Status.Layer2.Held = 1, []v1beta1.HeldAddress{{
				Address: "192.0.2.200", Interfaces: []string{"eth0"}, Since: metav1.NewTime(now.Add(-time.Minute)), Shares: 20, SharedBy: "n2",
			}}
		}
	}
	return all
}

// free is shared before any node has taken the address.
func free(all *source.Memory) source.Source {
	shared(all)
	for _, item := range all.Items {
		if speaker, ok := item.(*v1beta1.Speaker); ok {
			speaker.Status.Layer2 = v1beta1.SpeakerLayer2{}
		}
	}
	return all
}

// crowded has n2 hold more addresses than its report has room for, 192.0.2.200 among the others.
func crowded(all *source.Memory) source.Source {
	for _, item := range all.Items {
		if speaker, ok := item.(*v1beta1.Speaker); ok && speaker.Name == "n2" {
			speaker.Status.Layer2.IPv4, speaker.Status.Layer2.Held = 200, nil
			for i := range v1beta1.SpeakerListLimit {
				speaker.Status.Layer2.Held = append(speaker.Status.Layer2.Held, v1beta1.HeldAddress{
					Address: fmt.Sprintf("203.0.113.%d", i), Interfaces: []string{"eth0"}, Since: metav1.NewTime(now.Add(-time.Minute)),
				})
			}
		}
	}
	return all
}

// cut has the gossip not reach n3, which sees no other speaker and is not seen.
func cut(all *source.Memory) source.Source {
	for _, item := range all.Items {
		speaker, ok := item.(*v1beta1.Speaker)
		if !ok {
			continue
		}
		sees, missing := int32(2), "n3"
		if speaker.Name == "n3" {
			sees, missing = 1, "n1, n2"
		}
		speaker.Status.Members = sees
		meta.SetStatusCondition(&speaker.Status.Conditions, metav1.Condition{
			Type: v1beta1.ConditionMembershipKnown, Status: metav1.ConditionTrue, Reason: "NotAllSeen", Message: "does not see " + missing,
			LastTransitionTime: metav1.NewTime(now.Add(-time.Minute)),
		})
	}
	return all
}

// drained has nodes given up their traffic: n2 has connections left, nothing is left on n3, and n1, which is not drained, waits for some.
func drained(all *source.Memory) source.Source {
	until, some := metav1.NewTime(now.Add(8*time.Minute)), int32(12)
	say := func(s *v1beta1.Speaker, safe metav1.ConditionStatus, reason, message string) {
		s.Status.Conditions = append(s.Status.Conditions, metav1.Condition{
			Type: v1beta1.ConditionSafeToStop, Status: safe, Reason: reason, Message: message, LastTransitionTime: metav1.NewTime(now.Add(-2 * time.Minute)),
		})
	}
	for _, item := range all.Items {
		switch item := item.(type) {
		case *corev1.Node:
			if item.Name != "n1" {
				item.Annotations = map[string]string{v1beta1.AnnotationDrain: "true"}
			}
		case *v1beta1.Speaker:
			left := &v1beta1.SpeakerDraining{Connections: some, Addresses: 2, List: []v1beta1.DrainingAddress{
				{Address: "192.0.2.200", Connections: &some, Until: until}, {Address: "192.0.2.201", Until: metav1.NewTime(now.Add(time.Minute))},
			}}
			switch item.Name {
			case "n1":
				item.Status.Layer2 = v1beta1.SpeakerLayer2{IPv4: 1, Held: []v1beta1.HeldAddress{{Address: "192.0.2.200", Interfaces: []string{"eth0"}, Since: metav1.NewTime(now.Add(-2 * time.Minute))}}}
				item.Status.Draining = left
				say(item, metav1.ConditionFalse, status.Attracting.Name, "the node attracts traffic: it is to be drained before it is stopped")
			case "n2":
				item.Status.Draining, item.Status.Layer2, item.Status.BGP = left, v1beta1.SpeakerLayer2{}, nil
				say(item, metav1.ConditionFalse, status.ConnectionsLeft.Name, "12 connections to 2 addresses that moved away are open here")
			default:
				say(item, metav1.ConditionTrue, status.NothingLeft.Name, "the node attracts no traffic")
			}
		}
	}
	return all
}

// do runs the program on a cluster of testdata and returns what it prints and its exit status.
func do(t *testing.T, cluster, line string) string {
	t.Helper()
	name, as, _ := strings.Cut(cluster, " as ")
	all, err := source.Open(filepath.Join("testdata", name+".yaml"), now)
	if err != nil {
		t.Fatal(err)
	}
	all.Origin = name
	switch as {
	case "tenant":
		return ask(t, tenant(all), line)
	case "nodeless":
		return ask(t, nodeless(all), line)
	case "racks":
		return ask(t, racks(all), line)
	case "drained":
		return ask(t, drained(all), line)
	case "split":
		return ask(t, split(all), line)
	case "twice":
		return ask(t, twice(all), line)
	case "twice by gateway":
		return ask(t, twiceByGateway(all), line)
	case "renamed":
		return ask(t, renamed(all), line)
	case "nowhere":
		return ask(t, nowhere(all), line)
	case "parted", "alone":
		return ask(t, parted(all, as == "alone"), line)
	case "edited":
		return ask(t, edited(all), line)
	case "told":
		return ask(t, told(all), line)
	case "silent":
		return ask(t, silent(all), line)
	case "unwell":
		return ask(t, unwell(all), line)
	case "shared":
		return ask(t, shared(all), line)
	case "free":
		return ask(t, free(all), line)
	case "crowded":
		return ask(t, crowded(all), line)
	case "cut":
		return ask(t, cut(all), line)
	case "near":
		return ask(t, near(all), line)
	case "full":
		return ask(t, full(all), line)
	case "elsewhere":
		return ask(t, elsewhere(all), line)
	case "uninstalled":
		return ask(t, uninstalled(all), line)
	}
	return ask(t, all, line)
}

// ask the program something about objects, and return what it prints and its exit status.
func ask(t *testing.T, all source.Source, line string) string {
	t.Helper()
	var out, remarks bytes.Buffer
	e := env.New(genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &remarks})
	e.Now, e.Version, e.Objects = func() time.Time { return now }, "v0.2.0", all
	e.Config = genericclioptions.NewConfigFlags(true)
	none := os.DevNull
	e.Config.KubeConfig = &none
	err := execute(t.Context(), e, strings.Fields(line))
	text := out.String()
	if remarks.Len() > 0 {
		text += "--- stderr\n" + remarks.String()
	}
	return text + fmt.Sprintf("--- status %d\n", env.ExitStatus(err))
}

func TestCommands_Print(t *testing.T) {
	for _, test := range []struct{ cluster, line string }{
		{"healthy", "services"},
		{"healthy", "services -n shop -o wide"},
		{"healthy", "services -o yaml"},
		{"broken", "services -A -n shop"},
		{"broken", "services -o name"},
		{"broken", "services -o jsonpath={.items[*].reason}"},
		{"broken as tenant", "services"},
		{"broken as tenant", "services -n default"},
		{"healthy", "status"},
		{"healthy as drained", "status"},
		{"healthy as full", "status"},
		{"healthy as full", "explain pool lan"},
		{"healthy as elsewhere", "status"},
		{"healthy as elsewhere", "explain web"},
		{"healthy as elsewhere", "status --daymark-namespace daymark-system"},
		{"healthy as uninstalled", "status"},
		{"healthy as uninstalled", "problems"},
		{"healthy as drained", "explain node n2"},
		{"healthy as twice", "status"},
		{"healthy as twice", "explain api -n shop"},
		{"healthy as twice", "explain peer router"},
		{"healthy as twice", "explain peer tor"},
		{"healthy as twice", "explain node n1"},
		{"healthy as twice", "routes"},
		{"healthy as twice", "check"},
		{"healthy as twice by gateway", "explain api -n shop"},
		{"healthy as twice by gateway", "explain peer router"},
		{"healthy as twice by gateway", "routes"},
		{"healthy as renamed", "status"},
		{"healthy as renamed", "explain api -n shop"},
		{"healthy as renamed", "explain peer router"},
		{"healthy as renamed", "explain peer tor"},
		{"healthy as renamed", "explain node n1"},
		{"healthy as renamed", "routes"},
		{"healthy as renamed", "problems"},
		{"healthy as split", "explain address 192.0.2.200"},
		{"healthy as split", "explain node n1"},
		{"healthy as split", "problems"},
		{"healthy as unwell", "explain address 192.0.2.200"},
		{"healthy as silent", "explain address 198.51.100.0"},
		{"healthy as parted", "explain address 192.0.2.200"},
		{"healthy as alone", "explain address 192.0.2.200"},
		{"healthy as alone", "explain web"},
		{"healthy as told", "explain node n1"},
		{"healthy as told", "explain pool lan"},
		{"healthy as told", "explain peer tor"},
		{"healthy as edited", "explain peer tor"},
		{"healthy as edited", "status"},
		{"healthy as edited", "status -o jsonpath={.peers}"},
		{"broken", "problems -n shop"},
		{"broken", "problems -n default -A -o name"},
		{"broken", "status -n default -o jsonpath={.services}"},
		{"healthy", "status -n shop"},
		{"healthy", "routes -n shop"},
		{"healthy", "routes -n default"},
		{"healthy", "routes -A -n default -o name"},
		{"healthy as nowhere", "status -n shop"},
		{"healthy as unwell", "status"},
		{"healthy as nowhere", "status"},
		{"healthy as nowhere", "problems"},
		{"healthy as nowhere", "explain node n2"},
		{"healthy as unwell", "explain node n1"},
		{"healthy as unwell", "explain node n2"},
		{"healthy as unwell", "explain node n3"},
		{"healthy as unwell", "explain peer tor"},
		{"healthy as unwell", "explain service api -n shop -o yaml"},
		{"weights as near", "simulate drain n2"},
		{"healthy", "problems"},
		{"healthy", "version"},
		{"broken", "status"},
		{"broken", "problems"},
		{"broken", "problems -o wide"},
		{"broken", "problems -o name"},
		{"broken", "version"},
		{"broken as tenant", "status"},
		{"broken as tenant", "problems"},
		{"broken as tenant", "version"},
		{"healthy", "watch"},
		{"broken as tenant", "watch"},
		{"healthy", "routes"},
		{"healthy", "routes --service shop/api --node n2 -o wide"},
		{"healthy", "routes --peer tor --node n1 -o yaml"},
		{"healthy", "routes --service web -o name"},
		{"healthy", "routes --peer none"},
		{"broken", "routes"},
		{"dualstack", "routes"},
		{"dualstack", "routes --peer tor4"},
		{"dualstack", "routes --peer tor6"},
		{"broken as tenant", "routes"},
		{"healthy", "__complete routes --peer t"},
		{"healthy", "check"},
		{"broken as tenant", "check --pre"},
		{"healthy", "explain address 192.0.2.200"},
		{"healthy", "explain address 192.0.2.203"},
		{"healthy", "explain address 192.0.2.11"},
		{"healthy", "explain address 203.0.113.1"},
		{"healthy", "explain address web"},
		{"broken", "explain address 192.0.2.203"},
		{"broken as tenant", "explain address 198.51.100.0"},
		{"broken as tenant", "explain address 192.0.2.200"},
		{"healthy", "explain node n1"},
		{"healthy", "explain node n9"},
		{"broken", "explain node n2"},
		{"broken", "explain node n3"},
		{"broken as tenant", "explain node n3"},
		{"healthy", "explain pool lan"},
		{"broken", "explain pool lan"},
		{"healthy", "explain peer tor"},
		{"broken", "explain peer tor"},
		{"healthy", "explain web"},
		{"healthy", "explain service api -n shop"},
		{"broken", "explain web"},
		{"broken", "explain cam"},
		{"broken", "explain service api -n shop"},
		{"broken", "explain service late -n shop"},
		{"broken", "explain service theirs -n shop"},
		{"broken", "explain service none"},
		{"broken", "explain late -n shop -o json"},
		{"broken as tenant", "explain api -n shop"},
		{"broken as tenant", "explain late -n shop"},
		{"healthy", "simulate drain n2"},
		{"healthy", "simulate drain n1 n2 -o wide"},
		{"healthy", "simulate drain n1 -o yaml"},
		{"healthy", "simulate drain n9"},
		{"healthy", "simulate"},
		{"healthy as shared", "simulate drain n1"},
		{"healthy as shared", "explain web"},
		{"healthy as shared", "explain node n2"},
		{"healthy as free", "explain web"},
		{"healthy as crowded", "explain address 192.0.2.200"},
		{"healthy as crowded", "explain web"},
		{"healthy as crowded", "explain node n2"},
		{"healthy as crowded", "services"},
		{"healthy as crowded", "status"},
		{"healthy as crowded", "problems"},
		{"healthy as crowded", "watch"},
		{"healthy as crowded", "simulate drain n2"},
		{"healthy as shared", "diff --delete -f testdata/change/node.yaml"},
		{"healthy as cut", "simulate drain n2"},
		{"healthy as cut", "diff -f testdata/change/prefer.yaml"},
		{"healthy as racks", "simulate drain n2"},
		{"healthy as racks", "simulate drain n1 n2"},
		{"healthy as racks", "simulate apply --delete -f testdata/change/node.yaml"},
		{"healthy as racks", "diff -f testdata/change/rack.yaml"},
		{"broken", "simulate drain n3 -o wide"},
		{"broken as tenant", "simulate drain n2"},
		{"healthy", "simulate apply -f testdata/change/move.yaml -o wide"},
		{"healthy", "simulate apply -f testdata/change/med.yaml -o yaml"},
		{"healthy", "simulate apply -f testdata/change/down.yaml"},
		{"healthy", "simulate apply -f testdata/change/wrong.yaml"},
		{"healthy", "simulate apply --delete -f testdata/change/lan.yaml"},
		{"healthy", "simulate apply --delete -f testdata/change/node.yaml"},
		{"healthy", "simulate apply"},
		{"healthy", "diff -f testdata/change/move.yaml"},
		{"healthy", "diff -f testdata/change/prefer.yaml"},
		{"healthy", "diff -f testdata/change/weights.yaml"},
		{"weights", "routes"},
		{"weights", "explain api -n shop"},
		{"healthy", "diff -f testdata/change/lan.yaml"},
		{"healthy", "diff -f testdata/change/maintenance.yaml"},
		{"healthy", "diff --delete -f testdata/change/advertisement.yaml"},
		{"healthy", "diff -f testdata/change/move.yaml -o name"},
		{"healthy", "__complete simulate drain n1 n"},
		{"healthy", "__complete explain -n shop a"},
		{"healthy", "services -o nothing"},
		{"healthy as nodeless", "status"},
		{"healthy as nodeless", "routes"},
		{"healthy as nodeless", "explain node n2"},
		{"healthy", "services too many"},
		{"healthy", "explain"},
		{"healthy", "explain web api"},
		{"healthy", "explain node"},
		{"healthy", "trace"},
		{"healthy", "drain"},
		{"healthy", "simulate drian n1"},
		{"healthy", "__complete services -n sh"},
		{"healthy", "no-such-command"},
	} {
		t.Run(test.cluster+": "+test.line, func(t *testing.T) {
			goldentest.Compare(t, fileName(test.cluster+" "+test.line), do(t, test.cluster, test.line))
		})
	}
}

// fileName has the letters, digits and dots of a text.
func fileName(text string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' {
			return r
		}
		return '-'
	}, text), "-")
}
