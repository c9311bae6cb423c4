package reconcile

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// errBehind says that the cache does not show yet how things were when this term began. It soon will.
var errBehind = errors.New("the cache has not seen all that there was when this term began")

// pageSize of the list that catchUp reads, so that it never needs much memory.
const pageSize = 500

// sighting is a Service as the API server had it.
type sighting struct {
	key     client.ObjectKey
	version string
}

// catchUp makes sure, once, that the cache shows every write that was made before this process became the leader: the
// leader before may have given addresses that a cache, filled a moment ago, has not seen. It asks the API server itself for
// the versions of all Services, one time, so that what changes later holds nothing up, and waits until the cache has
// reached them. An error means that it has not: the pass is tried again.
func (l *Loop) catchUp(ctx context.Context, cached []*record) error {
	if l.current {
		return nil
	}
	if l.behind == nil {
		all, err := l.listVersions(ctx)
		if err != nil {
			return err
		}
		l.behind = all
	}
	versions := make(map[types.UID]string, len(cached))
	for _, r := range cached {
		versions[r.UID] = r.version
	}
	for uid, want := range l.behind {
		have, known := versions[uid]
		done := reached(have, want.version)
		if !known {
			gone, err := l.gone(ctx, uid, want.key)
			if err != nil {
				return err
			}
			done = gone
		}
		if done {
			delete(l.behind, uid)
		}
	}
	for _, want := range l.behind {
		return fmt.Errorf("%w: %d of the Services, such as %s", errBehind, len(l.behind), want.key)
	}
	l.current, l.behind = true, nil
	return nil
}

// listVersions asks the API server for the versions of all Services.
func (l *Loop) listVersions(ctx context.Context) (map[types.UID]sighting, error) {
	all := map[types.UID]sighting{}
	page := &metav1.PartialObjectMetadataList{}
	page.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ServiceList"))
	for {
		if err := l.direct.List(ctx, page, client.Limit(pageSize), client.Continue(page.Continue)); err != nil {
			return nil, fmt.Errorf("list the Services past the cache: %w", err)
		}
		for i := range page.Items {
			item := &page.Items[i]
			all[item.UID] = sighting{client.ObjectKeyFromObject(item), item.ResourceVersion}
		}
		if page.Continue == "" {
			return all, nil
		}
	}
}

// gone reports whether a Service does not exist any more, as the API server itself knows it.
func (l *Loop) gone(ctx context.Context, uid types.UID, key client.ObjectKey) (bool, error) {
	now := &metav1.PartialObjectMetadata{}
	now.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Service"))
	switch err := l.direct.Get(ctx, key, now); {
	case apierrors.IsNotFound(err):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("read Service %s past the cache: %w", key, err)
	}
	return now.UID != uid, nil
}

// reached reports whether one resourceVersion is the other or newer. They are numbers that grow (KEP-5504); where they
// are not, only the same will do.
func reached(have, want string) bool {
	if have == want {
		return true
	}
	h, err := strconv.ParseUint(have, 10, 64)
	if err != nil {
		return false
	}
	w, err := strconv.ParseUint(want, 10, 64)
	return err == nil && h >= w
}
