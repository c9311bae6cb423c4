package nodestate

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	// owner of each Pod; sets are the DaemonSets that there are, and setErr is why they cannot be read.
	owner  []metav1.OwnerReference
	sets   map[client.ObjectKey]*appsv1.DaemonSet
	setErr error
	// refused is how many times more the Pod may not be read.
	refused int
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
		if f.refused > 0 {
			f.refused--
			return apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, key.Name, nil)
		}
		if !f.pods[key] {
			return apierrors.NewNotFound(schema.GroupResource{Resource: "pods"}, key.Name)
		}
		object.Name, object.OwnerReferences = key.Name, f.owner
	case *appsv1.DaemonSet:
		if f.setErr != nil {
			return f.setErr
		}
		set := f.sets[key]
		if set == nil {
			return apierrors.NewNotFound(schema.GroupResource{Group: "apps", Resource: "daemonsets"}, key.Name)
		}
		set.DeepCopyInto(object)
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

func TestReader_SaysWhetherTheDaemonSetIsDeleted(t *testing.T) {
	pod, set := client.ObjectKey{Namespace: "daymark-system", Name: "speaker-1"}, client.ObjectKey{Namespace: "daymark-system", Name: "daymark-speaker"}
	now, controls := metav1.NewTime(time.Unix(1, 0)), true
	owner := metav1.OwnerReference{APIVersion: "apps/v1", Kind: "DaemonSet", Name: "daymark-speaker", UID: "1", Controller: &controls}
	there := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{UID: "1"}}
	ends := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{UID: "1", DeletionTimestamp: &now}}
	anew := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{UID: "2"}}
	for _, test := range []struct {
		name   string
		direct fakeReader
		gone   bool
	}{
		{"it is there", fakeReader{sets: map[client.ObjectKey]*appsv1.DaemonSet{set: there}}, false},
		{"it is gone", fakeReader{}, true},
		{"it is being deleted, its Pods first", fakeReader{sets: map[client.ObjectKey]*appsv1.DaemonSet{set: ends}}, true},
		{"it was deleted and made anew", fakeReader{sets: map[client.ObjectKey]*appsv1.DaemonSet{set: anew}}, false},
		{"the rights of a version before do not say", fakeReader{setErr: apierrors.NewForbidden(schema.GroupResource{}, "", nil)}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.direct.pods, test.direct.owner = map[client.ObjectKey]bool{pod: true}, []metav1.OwnerReference{owner}
			if f := reader(&test.direct, &fakeReader{}).Read(t.Context()); f.Pod == nil || f.DaemonSetGone != test.gone || f.PodForbidden {
				t.Errorf("%+v", f)
			}
		})
	}
	t.Run("a Pod that somebody made by hand belongs to none", func(t *testing.T) {
		direct := &fakeReader{pods: map[client.ObjectKey]bool{pod: true}}
		if f := reader(direct, &fakeReader{}).Read(t.Context()); f.Pod == nil || f.DaemonSetGone {
			t.Errorf("%+v", f)
		}
	})
}

// Rights that were taken away are told from an API server that cannot be asked, or does not know the speaker.
func TestReader_SaysWhetherItMayReadItsPod(t *testing.T) {
	for name, test := range map[string]struct {
		err       error
		forbidden bool
	}{
		"a right that is gone":         {apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "speaker-1", nil), true},
		"a token that is not valid":    {apierrors.NewUnauthorized("unauthorized"), false},
		"an API server that is unwell": {errors.New("EOF"), false},
	} {
		if f := reader(&fakeReader{err: test.err}, &fakeReader{}).Read(t.Context()); f.PodForbidden != test.forbidden || f.PodError == "" {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

// While an API server starts it refuses everybody for a moment.
func TestReader_AsksAgainWhetherItMayReadItsPod(t *testing.T) {
	direct := &fakeReader{pods: map[client.ObjectKey]bool{{Namespace: "daymark-system", Name: "speaker-1"}: true}, refused: 1}
	if f := reader(direct, &fakeReader{}).Read(t.Context()); f.Pod == nil || f.PodForbidden || f.PodError != "" {
		t.Errorf("%+v", f)
	}
}

// Somebody lets speakers read no Pods, and leaves them their other rights.
func TestReader_TellsOneRightFromAll(t *testing.T) {
	direct := &fakeReader{pods: map[client.ObjectKey]bool{{Namespace: "daymark-system", Name: "speaker-1"}: true}, refused: 2}
	if f := reader(direct, &fakeReader{}).Read(t.Context()); f.Pod != nil || f.PodForbidden || f.PodError == "" {
		t.Errorf("%+v", f)
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
