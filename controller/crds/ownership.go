package crds

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// specField is the spec in managedFields.
const specField = "f:spec"

// takeOver makes the spec of a definition that is there ours alone, whoever made it: Helm, `kubectl apply` or `kubectl create`. Applying takes away
// what nobody owns any more, and so leaves what a version before had and this one has not as long as another manager is said to own it. Labels and
// annotations stay with those who set them: some are of programs that synchronize.
func takeOver(ctx context.Context, api client.Client, definition *unstructured.Unstructured) error {
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		there := &unstructured.Unstructured{}
		there.SetGroupVersionKind(definition.GroupVersionKind())
		err := api.Get(ctx, client.ObjectKeyFromObject(definition), there)
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read it: %w", err)
		}
		entries, changed, err := owned(there.GetManagedFields(), there.GetAPIVersion())
		if err != nil || !changed {
			return err
		}
		patch, err := json.Marshal([]map[string]any{
			{"op": "replace", "path": "/metadata/managedFields", "value": entries},
			{"op": "replace", "path": "/metadata/resourceVersion", "value": there.GetResourceVersion()}, // Another write meanwhile is a conflict.
		})
		if err != nil {
			return fmt.Errorf("take over its spec: %w", err)
		}
		return api.Patch(ctx, there, client.RawPatch(types.JSONPatchType, patch))
	})
}

// owned are managedFields by which nobody but fieldOwner owns a part of the spec. It reports whether they are others than before.
func owned(entries []metav1.ManagedFieldsEntry, apiVersion string) (after []metav1.ManagedFieldsEntry, changed bool, err error) {
	ours := metav1.ManagedFieldsEntry{Manager: fieldOwner, Operation: metav1.ManagedFieldsOperationApply, APIVersion: apiVersion, FieldsType: "FieldsV1"}
	all, spec := map[string]any{}, map[string]any{}
	for _, entry := range entries {
		var fields map[string]any
		if entry.FieldsV1 != nil {
			if err := json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields); err != nil {
				return nil, false, fmt.Errorf("read the fields of %s: %w", entry.Manager, err)
			}
		}
		part, has := fields[specField].(map[string]any)
		switch {
		case entry.Manager == fieldOwner && entry.Operation == metav1.ManagedFieldsOperationApply && entry.Subresource == "":
			ours, all = entry, fields
			continue
		case entry.Subresource != "" || !has:
			after = append(after, entry)
			continue
		}
		changed = true
		unite(spec, part)
		if delete(fields, specField); len(fields) == 0 {
			continue
		}
		rest, err := json.Marshal(fields)
		if err != nil {
			return nil, false, fmt.Errorf("write the fields of %s: %w", entry.Manager, err)
		}
		entry.FieldsV1 = metav1.NewFieldsV1(string(rest))
		after = append(after, entry)
	}
	unite(all, map[string]any{specField: spec})
	text, err := json.Marshal(all)
	if err != nil {
		return nil, false, fmt.Errorf("write the fields of %s: %w", fieldOwner, err)
	}
	ours.FieldsV1 = metav1.NewFieldsV1(string(text))
	return append(after, ours), changed, nil
}

// unite adds fields to others.
func unite(into, more map[string]any) {
	for key, value := range maps.All(more) {
		below, deep := value.(map[string]any)
		if there, both := into[key].(map[string]any); deep && both {
			unite(there, below)
			continue
		}
		into[key] = value
	}
}
