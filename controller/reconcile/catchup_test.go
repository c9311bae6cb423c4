package reconcile

import (
	"context"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/status"
)

// server is the Services in an API server, by name, each with the UID of its name and a version.
type server struct {
	client.Reader
	versions map[string]string
	lists    int
	// managed fields of each Service.
	managed []metav1.ManagedFieldsEntry
}

func (s *server) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	page, ok := list.(*metav1.PartialObjectMetadataList)
	if !ok {
		return apierrors.NewNotFound(schema.GroupResource{Resource: "servicecidrs"}, "") // as before Kubernetes 1.33
	}
	s.lists++
	page.Items = nil
	for name, version := range s.versions {
		page.Items = append(page.Items, metav1.PartialObjectMetadata{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID(name), ResourceVersion: version},
		})
	}
	return nil
}

func (s *server) Get(_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	version, there := s.versions[key.Name]
	if !there {
		return apierrors.NewNotFound(schema.GroupResource{Resource: "services"}, key.Name)
	}
	object.SetManagedFields(s.managed)
	object.SetUID(types.UID(key.Name))
	object.SetResourceVersion(version)
	return nil
}

func TestLoop_NewLeaderCatchesUp(t *testing.T) {
	type versions = map[string]string
	type step struct {
		// what the API server has and what the cache shows.
		server, cache versions
		ready         bool
	}
	for _, test := range []struct {
		name  string
		steps []step
	}{
		{"a cache that shows all is enough", []step{{versions{"a": "5"}, versions{"a": "5"}, true}}},
		{"it waits for what the leader before wrote", []step{
			{versions{"a": "5", "b": "6"}, versions{"a": "5", "b": "3"}, false},
			{versions{"a": "5", "b": "6"}, versions{"a": "5", "b": "6"}, true},
		}},
		{"Services that keep changing do not keep it waiting", []step{
			{versions{"a": "5", "b": "6"}, versions{"a": "4", "b": "6"}, false},
			{versions{"a": "5", "b": "8"}, versions{"a": "5", "b": "7"}, true},
		}},
		{"a Service that the cache does not show yet", []step{
			{versions{"a": "5"}, versions{}, false},
			{versions{"a": "9"}, versions{"a": "5"}, true},
		}},
		{"one that was deleted since is not waited for", []step{
			{versions{"a": "5", "b": "6"}, versions{"a": "4"}, false},
			{versions{"a": "5"}, versions{"a": "5"}, true},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			api := &server{}
			l := &Loop{direct: api}
			for i, step := range test.steps {
				api.versions = step.server
				var cached []*cachedService
				for name, version := range step.cache {
					cached = append(cached, &cachedService{status.Observed{Service: &lb.Service{Request: &lb.Request{UID: types.UID(name)}}}, version})
				}
				if err := l.catchUp(t.Context(), cached); (err == nil) != step.ready {
					t.Fatalf("step %d: %v", i, err)
				}
			}
			if err := l.catchUp(t.Context(), nil); err != nil || api.lists != 1 {
				t.Errorf("it listed %d times (%v)", api.lists, err)
			}
		})
	}
}

func TestReached(t *testing.T) {
	for _, test := range []struct {
		name, have, want string
		reached          bool
	}{
		{"the same", "12", "12", true},
		{"a newer one, by number and not by letter", "100", "99", true},
		{"an older one", "99", "100", false},
		{"none", "", "1", false},
		{"versions that are no numbers must be the same", "b", "a", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := reached(test.have, test.want); got != test.reached {
				t.Errorf("reached(%q, %q) is %v", test.have, test.want, got)
			}
		})
	}
}
