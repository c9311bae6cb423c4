package nodestate

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/internal/bubble"
)

// fakeReader answers with a Node and a Pod, or an error, after a time.
type fakeReader struct {
	client.Reader
	err  error
	wait time.Duration
	name string // of the node's provider, to tell two readers apart
	pods map[client.ObjectKey]bool
}

func (f *fakeReader) Get(ctx context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(f.wait):
	}
	if f.err != nil {
		return f.err
	}
	switch object := into.(type) {
	case *corev1.Node:
		object.Name, object.Spec.ProviderID = key.Name, f.name
	case *corev1.Pod:
		if !f.pods[key] {
			return apierrors.NewNotFound(schema.GroupResource{Resource: "pods"}, key.Name)
		}
		object.Name = key.Name
	}
	return nil
}

func reader(direct, cached *fakeReader) *Reader {
	return &Reader{Node: "n1", Namespace: "daymark-system", Pod: "speaker-1", Direct: direct, Cached: cached, root: "nowhere"}
}

func TestReader_ReadsNodeAndPodFromTheAPIServer(t *testing.T) {
	direct := &fakeReader{name: "fresh", pods: map[client.ObjectKey]bool{{Namespace: "daymark-system", Name: "speaker-1"}: true}}
	f := reader(direct, &fakeReader{name: "cached"}).Read(t.Context())
	if f.Node == nil || f.Node.Name != "n1" || f.Node.Spec.ProviderID != "fresh" || !f.InPod || f.Pod == nil || f.Pod.Name != "speaker-1" {
		t.Errorf("%+v", f)
	}
}

func TestReader_SaysWhatIsGone(t *testing.T) {
	direct := &fakeReader{}
	if f := reader(direct, &fakeReader{}).Read(t.Context()); !f.PodGone || f.Pod != nil || f.NodeGone {
		t.Errorf("without the Pod: %+v", f)
	}
	direct.err = apierrors.NewNotFound(schema.GroupResource{Resource: "nodes"}, "n1")
	if f := reader(direct, &fakeReader{}).Read(t.Context()); !f.NodeGone || f.Node != nil {
		t.Errorf("without the Node: %+v", f)
	}
}

// An API server that does not answer must not hold up the end, and what the cache has is better than nothing.
func TestReader_FallsBackToTheCache(t *testing.T) {
	for name, direct := range map[string]*fakeReader{
		"an API server that does not answer": {wait: time.Hour}, "one that refuses": {err: errors.New("unauthorized")},
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				began := time.Now()
				f := reader(direct, &fakeReader{name: "cached"}).Read(t.Context())
				if f.Node == nil || f.Node.Spec.ProviderID != "cached" || f.Pod != nil || f.PodGone || f.PodError == "" {
					t.Errorf("%+v", f)
				}
				if took := time.Since(began); took > readTimeout {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

func TestReader_BoundsACacheThatWasNeverFilled(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		began := time.Now()
		f := reader(&fakeReader{wait: time.Hour}, &fakeReader{wait: time.Hour}).Read(t.Context())
		if took := time.Since(began); f.Node != nil || f.NodeGone || took > readTimeout*11/10 {
			t.Errorf("after %v: %+v", took, f)
		}
	})
}

func TestReader_KnowsNoPodOfAPlainProcess(t *testing.T) {
	r := reader(&fakeReader{}, &fakeReader{})
	r.Pod = ""
	if f := r.Read(t.Context()); f.InPod || f.PodGone || f.PodError != "" {
		t.Errorf("%+v", f)
	}
}

// The program in the place of systemctl says what systemd would, with its exit status.
func TestReader_AsksSystemd(t *testing.T) {
	for _, test := range []struct {
		name, says string
		booted     bool
		stopping   bool
	}{
		{"the machine is stopped", "stopping", true, true},
		{"the machine runs", "running", true, false},
		{"a unit has failed", "degraded", true, false},
		{"there is no systemd, as in a Pod", "stopping", false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			folder := t.TempDir()
			script := "#!/bin/sh\n[ \"$*\" = is-system-running ] && echo " + test.says + "\nexit 1\n"
			if err := os.WriteFile(filepath.Join(folder, "systemctl"), []byte(script), 0o700); err != nil {
				t.Fatal(err)
			}
			if test.booted {
				if err := os.MkdirAll(filepath.Join(folder, "run/systemd/system"), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			t.Setenv("PATH", folder+":"+os.Getenv("PATH"))
			r := reader(&fakeReader{}, &fakeReader{})
			r.root = folder
			if f := r.Read(t.Context()); f.SystemStopping != test.stopping {
				t.Errorf("stopping is %t", f.SystemStopping)
			}
		})
	}
}
