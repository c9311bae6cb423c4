package reconcile

import (
	"context"
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// pageSize of the list that catchUp reads, so that it never needs much memory.
const pageSize = 500

// catchUp makes sure, once, that the cache shows every write that was made before this process became the leader: the
// leader before may have given addresses that a cache, filled a moment ago, has not seen. It asks the API server itself for
// the versions of all Services and compares. An error means that the cache is behind: the pass is tried again.
func (l *Loop) catchUp(ctx context.Context, cached []*record) error {
	if l.current {
		return nil
	}
	versions := make(map[types.UID]string, len(cached))
	for _, r := range cached {
		versions[r.UID] = r.version
	}
	page := &metav1.PartialObjectMetadataList{}
	page.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ServiceList"))
	for {
		if err := l.direct.List(ctx, page, client.Limit(pageSize), client.Continue(page.Continue)); err != nil {
			return fmt.Errorf("list the Services past the cache: %w", err)
		}
		for i := range page.Items {
			item := &page.Items[i]
			if !reached(versions[item.UID], item.ResourceVersion) {
				return fmt.Errorf("the cache has not seen the newest version of Service %s/%s yet", item.Namespace, item.Name)
			}
		}
		if page.Continue == "" {
			break
		}
	}
	l.current = true
	return nil
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
