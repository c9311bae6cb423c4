package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

func TestMain(m *testing.M) { lab.Main(m) }

// writes counts the writes of a client.
type writes struct {
	client.Client
	// updates of the status, and all writes of whole objects.
	updates, all int
}

func (w *writes) Create(ctx context.Context, object client.Object, options ...client.CreateOption) error {
	w.all++
	return w.Client.Create(ctx, object, options...)
}

func (w *writes) Update(ctx context.Context, object client.Object, options ...client.UpdateOption) error {
	w.all++
	return w.Client.Update(ctx, object, options...)
}

func (w *writes) Delete(ctx context.Context, object client.Object, options ...client.DeleteOption) error {
	w.all++
	return w.Client.Delete(ctx, object, options...)
}

func (w *writes) Status() client.SubResourceWriter { return countedStatus{w.Client.Status(), w} }

type countedStatus struct {
	client.SubResourceWriter
	counter *writes
}

func (c countedStatus) Update(ctx context.Context, object client.Object, options ...client.SubResourceUpdateOption) error {
	c.counter.updates++
	return c.SubResourceWriter.Update(ctx, object, options...)
}

func TestReporter_KeepsTheObjectUpToDate(t *testing.T) {
	c := &writes{Client: speakerAPI(t)}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}
	if err := c.Create(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	r := NewReporter("n1", c, slog.New(slog.DiscardHandler))
	written := &v1beta1.Speaker{}
	report := func(members int32, missing bool) Report {
		return Report{
			Status: v1beta1.SpeakerStatus{Members: members}, reread: missing,
			owner:      &lb.Node{Name: node.Name, UID: node.UID},
			conditions: []metav1.Condition{readyCondition(nil, "")},
		}
	}
	for _, step := range []struct {
		name    string
		report  Report
		before  func()
		updates int
	}{
		{name: "it is made", report: report(1, true), updates: 1},
		{name: "the same again is not written", report: report(1, false), updates: 1},
		{name: "a change is written", report: report(2, false), updates: 2},
		{name: "one that was deleted is made again", report: report(2, true), updates: 3, before: func() {
			if err := c.Delete(t.Context(), &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		if step.before != nil {
			step.before()
		}
		r.Set(step.report)
		if err := r.write(t.Context(), written); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		got := &v1beta1.Speaker{}
		if err := c.Get(t.Context(), client.ObjectKey{Name: "n1"}, got); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if got.Status.Members != step.report.Status.Members || len(got.Status.Conditions) != 1 || c.updates != step.updates {
			t.Errorf("%s: status %+v after %d writes, want %d", step.name, got.Status, c.updates, step.updates)
		}
		if owners := got.OwnerReferences; len(owners) != 1 || owners[0].UID != node.UID {
			t.Errorf("%s: owned by %v, not by the Node", step.name, owners)
		}
	}
}

// While the controller has not brought the definition up to date, or where nobody does, a field that it does not have is written now and then.
func TestReporter_WhatTheAPIServerLeavesOutIsNotWrittenInEachPass(t *testing.T) {
	c := &writes{Client: speakerAPI(t)}
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := c.Get(t.Context(), client.ObjectKey{Name: "speakers.daymark.io"}, crd); err != nil {
		t.Fatal(err)
	}
	status := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["status"]
	whole := status.Properties["heardOnDownNodes"]
	delete(status.Properties, "heardOnDownNodes")
	if err := c.Update(t.Context(), crd); err != nil {
		t.Fatal(err)
	}
	r, written := NewReporter("n1", c, slog.New(slog.DiscardHandler)), &v1beta1.Speaker{}
	report := Report{Status: v1beta1.SpeakerStatus{Members: 1}, owner: &lb.Node{Name: "n1", UID: "1"}, conditions: []metav1.Condition{readyCondition(nil, "")}}
	write := func() {
		t.Helper()
		r.Set(report)
		if err := r.write(t.Context(), written); err != nil {
			t.Fatal(err)
		}
	}
	if write(); !r.prunedUntil.IsZero() {
		t.Error("of what has come back as it was written something is missed")
	}
	lab.Eventually(t, time.Minute, "the older definition is served", func() error {
		report.Status.Members++
		report.Status.HeardOnDownNodes = []string{"n2"}
		if write(); r.prunedUntil.IsZero() {
			return errors.New("it has the field still")
		}
		return nil
	})
	before := c.updates
	for range 3 {
		write()
	}
	if c.updates != before {
		t.Errorf("the same was written %d times", c.updates-before)
	}
	status.Properties["heardOnDownNodes"] = whole
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(crd), crd); err != nil {
		t.Fatal(err)
	}
	crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["status"] = status
	if err := c.Update(t.Context(), crd); err != nil {
		t.Fatal(err)
	}
	lab.Eventually(t, time.Minute, "it is written once the definition has it", func() error {
		r.prunedUntil = time.Now().Add(-time.Second) // A minute has passed.
		write()
		got := &v1beta1.Speaker{}
		if err := c.Get(t.Context(), client.ObjectKey{Name: "n1"}, got); err != nil {
			return err
		}
		if len(got.Status.HeardOnDownNodes) != 1 {
			return fmt.Errorf("it says %+v", got.Status)
		}
		return nil
	})
}

func TestReporter_WaitsForTheAPIServer(t *testing.T) {
	failing := &failing{Client: speakerAPI(t), failures: 2}
	r := NewReporter("n1", failing, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Start(ctx) }()
	r.Set(Report{owner: &lb.Node{Name: "n1", UID: "1"}})
	lab.Eventually(t, time.Minute, "the object is written once the API server answers", func() error {
		return failing.Client.Get(ctx, client.ObjectKey{Name: "n1"}, &v1beta1.Speaker{})
	})
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Start returned %v", err)
	}
}

// failing is a client whose first reads fail.
type failing struct {
	client.Client
	failures int
}

func (f *failing) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	if f.failures > 0 {
		f.failures--
		return errors.New("the API server is away")
	}
	return f.Client.Get(ctx, key, object, options...)
}

// speakerAPI is a client of an API server that has the kind Speaker.
func speakerAPI(t *testing.T) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1beta1.AddToScheme(scheme), apiextensionsv1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(lab.ControlPlane(t), client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../config/crd/bases/daymark.io_speakers.yaml")
	if err != nil {
		t.Fatal(err)
	}
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := errors.Join(yaml.Unmarshal(text, crd), c.Create(t.Context(), crd)); err != nil {
		t.Fatal(fmt.Errorf("install the kind Speaker: %w", err))
	}
	lab.Eventually(t, time.Minute, "Speakers are served", func() error { return c.List(t.Context(), &v1beta1.SpeakerList{}) })
	return c
}
