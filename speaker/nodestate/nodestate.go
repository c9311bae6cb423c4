package nodestate

import (
	"context"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/internal/core/departure"
)

// readTimeout is how long reading may take in all. What has not answered by then is not known.
const readTimeout = 500 * time.Millisecond

// Reader reads the facts of one speaker.
type Reader struct {
	// Node of the speaker, and its Pod, which is in Namespace; an empty Pod: the speaker is a plain process.
	Node, Namespace, Pod string
	// Direct reads from the API server. Cached has the Node as it last was, where the API server does not answer.
	Direct, Cached client.Reader
	// root is the folder where the machine's files are; empty: that of this process.
	root string
}

// Read reads the facts. It returns within readTimeout, or when ctx ends.
func (r *Reader) Read(ctx context.Context) *departure.Facts {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	f := &departure.Facts{InPod: r.Pod != ""}
	var reading sync.WaitGroup
	reading.Go(func() { r.readNode(ctx, f) })
	reading.Go(func() { r.readPod(ctx, f) })
	reading.Go(func() { f.SystemStopping = r.systemStopping(ctx) })
	reading.Wait()
	return f
}

// readNode reads the Node. The cache answers from memory; it would wait only before it has been filled.
func (r *Reader) readNode(ctx context.Context, f *departure.Facts) {
	node := &corev1.Node{}
	err := r.Direct.Get(ctx, client.ObjectKey{Name: r.Node}, node)
	switch {
	case err == nil:
		f.Node = node
	case apierrors.IsNotFound(err):
		f.NodeGone = true
	default:
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout/10)
		defer cancel()
		if cached := (&corev1.Node{}); r.Cached.Get(late, client.ObjectKey{Name: r.Node}, cached) == nil {
			f.Node = cached
		}
	}
}

// readPod reads the speaker's own Pod. The kubelet deletes one that is told to end only after this process has ended.
func (r *Reader) readPod(ctx context.Context, f *departure.Facts) {
	if r.Pod == "" {
		return
	}
	pod, key := &corev1.Pod{}, client.ObjectKey{Namespace: r.Namespace, Name: r.Pod}
	err := r.Direct.Get(ctx, key, pod)
	if apierrors.IsForbidden(err) {
		// An API server that has just started refuses everybody until it has read the rights, so it is asked again.
		select {
		case <-time.After(readTimeout / 2):
		case <-ctx.Done():
		}
		err = r.Direct.Get(ctx, key, pod)
	}
	switch {
	case err == nil:
		f.Pod = pod
		f.DaemonSetGone = r.daemonSetGone(ctx, pod)
	case apierrors.IsNotFound(err):
		f.PodGone = true
	default:
		f.PodError, f.PodForbidden = err.Error(), apierrors.IsForbidden(err) && r.withoutRights(ctx)
	}
}

// withoutRights reports whether the speaker may not read Leases of its namespace either, to which it has a right by the Role that lets it read
// its Pod. An administrator may have taken that one right alone.
func (r *Reader) withoutRights(ctx context.Context) bool {
	err := r.Direct.Get(ctx, client.ObjectKey{Namespace: r.Namespace, Name: r.Node}, &coordinationv1.Lease{})
	return apierrors.IsForbidden(err)
}

// daemonSetGone reports whether the DaemonSet that the Pod belongs to is deleted. One of the same name that was made after it makes
// speakers anew, so they only restart. A Pod that belongs to none, and a DaemonSet that cannot be read, say nothing.
func (r *Reader) daemonSetGone(ctx context.Context, pod *corev1.Pod) bool {
	owner := metav1.GetControllerOfNoCopy(pod)
	if owner == nil || owner.Kind != "DaemonSet" {
		return false
	}
	set := &appsv1.DaemonSet{}
	err := r.Direct.Get(ctx, client.ObjectKey{Namespace: r.Namespace, Name: owner.Name}, set)
	return apierrors.IsNotFound(err) || err == nil && set.DeletionTimestamp != nil
}
