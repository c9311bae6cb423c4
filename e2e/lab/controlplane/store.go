package controlplane

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
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
// them is not told of the others.
func (p *ControlPlane) Store(ctx context.Context, folder string, objects []client.Object) error {
	encoder := protobuf.NewSerializer(clientgoscheme.Scheme, clientgoscheme.Scheme)
	for len(objects) > 0 {
		some := objects[:min(maxOperations, len(objects))]
		objects = objects[len(some):]
		operations := make([]put, len(some))
		for i, object := range some {
			value, err := runtime.Encode(encoder, object)
			if err != nil {
				return fmt.Errorf("encode %s: %w", object.GetName(), err)
			}
			operations[i].RequestPut.Key = []byte(path.Join("/registry", folder, object.GetNamespace(), object.GetName()))
			operations[i].RequestPut.Value = value
		}
		if err := p.transact(ctx, operations); err != nil {
			return fmt.Errorf("write to etcd: %w", err)
		}
	}
	return nil
}

// transact makes operations as one transaction.
func (p *ControlPlane) transact(ctx context.Context, operations []put) error {
	body, err := json.Marshal(map[string]any{"success": operations})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.etcdURL+"/v3/kv/txn", bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the answer is %s", response.Status)
	}
	return nil
}
