package controlplane

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// maxOperations is how many operations etcd accepts in one transaction.
const maxOperations = 128

// put is an operation of etcd's JSON gateway, which has keys and values in base64.
type put struct {
	RequestPut struct {
		Key   []byte `json:"key"`
		Value []byte `json:"value"`
	} `json:"requestPut"`
}

// Store puts objects of one of Kubernetes' own kinds into etcd past the API server, which then serves them: a hundred thousand are
// there in seconds. The objects must be whole, with apiVersion, kind and UID. Folder is where the API server keeps the kind, such as
// services/specs. Nobody may watch the kind meanwhile: the objects of one transaction have one resourceVersion, and who has seen some of
// them is not told of the others. When Store returns, the API server's own cache has all of them.
func (p *ControlPlane) Store(ctx context.Context, folder string, objects []client.Object) error {
	encoder := protobuf.NewSerializer(clientgoscheme.Scheme, clientgoscheme.Scheme)
	var last int64
	for rest := objects; len(rest) > 0; {
		// The last object has a transaction of its own: a cache that has its resourceVersion has all others.
		some := rest[:min(maxOperations, max(1, len(rest)-1))]
		rest = rest[len(some):]
		operations := make([]put, len(some))
		for i, object := range some {
			value, err := runtime.Encode(encoder, object)
			if err != nil {
				return fmt.Errorf("encode %s: %w", object.GetName(), err)
			}
			operations[i].RequestPut.Key = []byte(path.Join("/registry", folder, object.GetNamespace(), object.GetName()))
			operations[i].RequestPut.Value = value
		}
		var err error
		if last, err = p.transact(ctx, operations); err != nil {
			return fmt.Errorf("write to etcd: %w", err)
		}
	}
	return p.awaitCache(ctx, objects, last)
}

// awaitCache waits until the API server's cache has the last of some objects, with the resourceVersion of its transaction.
func (p *ControlPlane) awaitCache(ctx context.Context, objects []client.Object, revision int64) error {
	if len(objects) == 0 {
		return nil
	}
	last := objects[len(objects)-1]
	kind := last.GetObjectKind().GroupVersionKind()
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
	return wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		err := p.API.List(ctx, list, client.InNamespace(last.GetNamespace()), client.MatchingFields{"metadata.name": last.GetName()},
			&client.ListOptions{Raw: &metav1.ListOptions{
				ResourceVersion: strconv.FormatInt(revision, 10), ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan,
			}})
		if apierrors.IsTimeout(err) {
			return false, nil // It waits for some seconds itself.
		}
		return len(list.Items) == 1, err
	})
}

// transact makes operations as one transaction, and returns its revision, which is the resourceVersion of all that it writes.
func (p *ControlPlane) transact(ctx context.Context, operations []put) (revision int64, err error) {
	body, err := json.Marshal(map[string]any{"success": operations})
	if err != nil {
		return 0, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.etcdURL+"/v3/kv/txn", bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("the answer is %s", response.Status)
	}
	var answer struct {
		Header struct {
			Revision int64 `json:"revision,string"`
		} `json:"header"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return 0, fmt.Errorf("read the answer: %w", err)
	}
	return answer.Header.Revision, nil
}
