package changeover

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/source"
)

var now = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// living is a cluster that takes writes, and in which something happens after each.
type living struct {
	t *testing.T
	*source.Memory
	// writes, as "KIND NAMESPACE/NAME BODY".
	writes []string
	after  func()
	// mu is held while what is in the cluster is read or changed: a command follows it beside itself.
	mu        sync.Mutex
	followers sync.WaitGroup
	// uninstalled: the API server does not know MetalLB's kinds. without: it does not know this one.
	uninstalled bool
	without     string
	// refuses to write an object of this name.
	refuses string
	// overlap of both providers, and after how long a command is interrupted; 0: never.
	overlap, limit time.Duration
	// drops is a field of specs that the API server does not know.
	drops string
}

// newLiving is the healthy cluster with what a file adds, or puts in the place of an object.
func newLiving(t *testing.T, file string) *living {
	t.Helper()
	l := &living{t: t, after: func() {}}
	base, err := source.Open(filepath.Join("..", "..", "testdata", "healthy.yaml"), now)
	if err != nil {
		t.Fatal(err)
	}
	added, err := source.Open(filepath.Join("testdata", file+".yaml"), now)
	if err != nil {
		t.Fatal(err)
	}
	l.Memory = &source.Memory{Items: base.Items, Time: now}
	for _, item := range added.Items {
		if text, is := item.(*runtime.Unknown); is { // MetalLB's, which is to be edited
			object := &unstructured.Unstructured{}
			if err := object.UnmarshalJSON(text.Raw); err != nil {
				t.Fatal(err)
			}
			item = object
		}
		l.replace(item)
	}
	return l
}

func same(a, b runtime.Object) bool {
	return a.GetObjectKind().GroupVersionKind() == b.GetObjectKind().GroupVersionKind() &&
		source.Namespace(a) == source.Namespace(b) && source.Name(a) == source.Name(b)
}

func (l *living) replace(object runtime.Object) {
	for i, item := range l.Items {
		if same(item, object) {
			l.Items[i] = object
			return
		}
	}
	l.Items = append(l.Items, object)
}

// Read the cluster.
func (l *living) Read(ctx context.Context, queries ...source.Query) (*source.Objects, error) {
	objects, err := l.Memory.Read(ctx, queries...)
	unknown := func(kind schema.GroupVersionKind) bool {
		return kind.Group == group && (l.uninstalled || kind.Kind == l.without)
	}
	if err == nil {
		objects.Items = slices.DeleteFunc(slices.Clone(objects.Items), func(o runtime.Object) bool { return unknown(o.GetObjectKind().GroupVersionKind()) })
		objects.Gaps = slices.Clone(objects.Gaps)
		for _, q := range queries {
			if unknown(q.Kind.GroupVersionKind) {
				objects.Gaps = append(objects.Gaps, source.Gap{Resource: q.Kind.Name(), Why: source.NotInstalled})
			}
		}
	}
	return objects, err
}

// Follow tells of the cluster again and again, until what is waited for is there or ctx ends.
func (l *living) Follow(ctx context.Context, _ time.Duration, queries ...source.Query) (<-chan *source.Objects, error) {
	out := make(chan *source.Objects)
	l.followers.Go(func() {
		defer close(out)
		for ctx.Err() == nil {
			l.mu.Lock()
			objects, _ := l.Read(ctx, queries...)
			l.mu.Unlock()
			select {
			case out <- objects:
			case <-ctx.Done():
			}
		}
	})
	return out, nil
}

// Patch an object as the API server does with a merge patch.
func (l *living) Patch(_ context.Context, object client.Object, patch client.Patch, _ ...client.PatchOption) error {
	body, err := patch.Data(object)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writes = append(l.writes, fmt.Sprintf("%s %s/%s %s", object.GetObjectKind().GroupVersionKind().Kind, object.GetNamespace(), object.GetName(), body))
	for _, item := range l.Items {
		if !same(item, object) {
			continue
		}
		if object.GetName() == l.refuses {
			return errors.New("it is refused")
		}
		fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(item)
		if err != nil {
			return err
		}
		var changes map[string]any
		if err := json.Unmarshal(body, &changes); err != nil {
			return err
		}
		merge(fields, changes)
		unstructured.RemoveNestedField(fields, "spec", l.drops)
		if out, ok := object.(*unstructured.Unstructured); ok {
			out.Object = fields
		}
		l.replace(l.typed(fields))
		l.after()
		return nil
	}
	return fmt.Errorf("there is no %s", object.GetName())
}

// typed object of its fields, if its kind has a Go type.
func (l *living) typed(fields map[string]any) runtime.Object {
	l.t.Helper()
	o := &unstructured.Unstructured{Object: fields}
	into, err := source.Scheme.New(o.GroupVersionKind())
	if err != nil {
		return o
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(fields, into); err != nil {
		l.t.Fatal(err)
	}
	return into
}

// merge changes into fields (RFC 7396).
func merge(fields, changes map[string]any) {
	for key, value := range changes {
		below, isMap := value.(map[string]any)
		inner, hasMap := fields[key].(map[string]any)
		switch {
		case value == nil:
			delete(fields, key)
		case isMap && hasMap:
			merge(inner, below)
		case isMap:
			inner = map[string]any{}
			merge(inner, below)
			fields[key] = inner
		default:
			fields[key] = value
		}
	}
}

// daymark does what Daymark does with the Services whose annotation it sees: it adopts them, and n1 holds those by layer 2.
func (l *living) daymark() {
	for _, item := range l.Items {
		s, isService := item.(*corev1.Service)
		if !isService || !fromMetalLB(s) {
			continue
		}
		address, pool := s.Status.LoadBalancer.Ingress[0].IP, s.Annotations[givenBy[0]]+s.Annotations[givenBy[1]]
		s.Status.Conditions = nil
		if s.Annotations[v1beta1.AnnotationProvider] == v1beta1.ProviderDaymark {
			s.Status.Conditions = []metav1.Condition{
				{Type: v1beta1.ConditionAnnounced, Status: metav1.ConditionTrue, Reason: "Announced"},
				{Type: v1beta1.ConditionProvenance, Status: metav1.ConditionTrue, Message: "class=daymark.io/daymark " + address + "=" + pool},
			}
			l.hold(address)
		}
	}
}

// hold has the Speaker object of n1 list an address.
func (l *living) hold(address string) {
	for _, item := range l.Items {
		if speaker, isSpeaker := item.(*v1beta1.Speaker); isSpeaker && speaker.Name == "n1" && strings.HasPrefix(address, "192.") {
			speaker.Status.Layer2.Held = append(speaker.Status.Layer2.Held, v1beta1.HeldAddress{Address: address})
			speaker.Status.Layer2.IPv4++
		}
	}
}

// leave removes what Daymark wrote to the Services that are handed over.
func (l *living) leave() {
	for _, item := range l.Items {
		if s, isService := item.(*corev1.Service); isService && s.Annotations[v1beta1.AnnotationProvider] == metallb {
			s.Status.Conditions = nil
		}
	}
}

// release has the Speaker objects list nothing.
func (l *living) release() {
	for _, item := range l.Items {
		if speaker, isSpeaker := item.(*v1beta1.Speaker); isSpeaker {
			speaker.Status.Layer2 = v1beta1.SpeakerLayer2{}
		}
	}
}

// run a command and return what it prints and its exit status.
func (l *living) run(in string, words ...string) (out, remarks string, status int) {
	l.t.Helper()
	var data, progress bytes.Buffer
	e := env.New(genericiooptions.IOStreams{In: strings.NewReader(in), Out: &data, ErrOut: &progress})
	e.Now, e.Objects, e.System = func() time.Time { return now }, l, "daymark-system"
	none := ""
	e.Config.KubeConfig = &none
	commands := map[string]func(*options) *cobra.Command{"plan": newPlan, "next": newNext, "back": newBack}
	c := commands[words[0]](&options{Env: e, client: l, overlap: l.overlap})
	c.SilenceErrors, c.SilenceUsage = true, true
	c.SetArgs(words[1:])
	ctx := l.t.Context()
	if l.limit > 0 {
		limited, cancel := context.WithTimeout(ctx, l.limit)
		defer cancel()
		ctx = limited
	}
	err := c.ExecuteContext(ctx)
	l.followers.Wait()
	if err != nil {
		fmt.Fprintln(&progress, "error:", err)
	}
	return data.String(), progress.String(), env.ExitStatus(err)
}
