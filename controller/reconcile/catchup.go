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

// errCacheBehind means that the cache does not show yet all that there was when this term began. It soon will.
var errCacheBehind = errors.New("the cache does not show yet all that there was when this term began")

// catchUpPageSize bounds the memory for the list of all Services.
const catchUpPageSize = 500

// serviceVersion is a Service as the API server had it.
type serviceVersion struct {
	key     client.ObjectKey
	version string
}

// catchUp makes sure, once in a term, that the cache shows every write from before this process became the leader: the leader
// before may have given addresses that a cache filled a moment ago does not show. It asks the API server once for the versions
// of all Services, so that later changes delay nothing, and compares them with the cache in each pass. It returns
// errCacheBehind as long as the cache is older.
func (l *Loop) catchUp(ctx context.Context, cached []*cachedService) error {
	if l.caughtUp {
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
	for _, s := range cached {
		versions[s.UID] = s.version
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
		return fmt.Errorf("%w: %d of the Services, such as %s", errCacheBehind, len(l.behind), want.key)
	}
	l.caughtUp, l.behind = true, nil
	return nil
}

// listVersions asks the API server for the versions of all Services.
func (l *Loop) listVersions(ctx context.Context) (map[types.UID]serviceVersion, error) {
	all := map[types.UID]serviceVersion{}
	page := &metav1.PartialObjectMetadataList{}
	page.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ServiceList"))
	for {
		if err := l.direct.List(ctx, page, client.Limit(catchUpPageSize), client.Continue(page.Continue)); err != nil {
			return nil, fmt.Errorf("list the Services from the API server: %w", err)
		}
		for i := range page.Items {
			item := &page.Items[i]
			all[item.UID] = serviceVersion{client.ObjectKeyFromObject(item), item.ResourceVersion}
		}
		if page.Continue == "" {
			return all, nil
		}
	}
}

// gone asks the API server whether a Service does not exist any more.
func (l *Loop) gone(ctx context.Context, uid types.UID, key client.ObjectKey) (bool, error) {
	now := &metav1.PartialObjectMetadata{}
	now.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Service"))
	switch err := l.direct.Get(ctx, key, now); {
	case apierrors.IsNotFound(err):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("read Service %s from the API server: %w", key, err)
	}
	return now.UID != uid, nil
}

// reached reports whether a resourceVersion is the wanted one or newer. They are numbers that grow (KEP-5504); those that are
// no numbers must be equal.
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
