package simulation

import (
	"context"
	"fmt"
	"reflect"
	"strings"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// api is how a process reads and writes objects. It has what the programs call, and nothing else.
type api struct {
	client.Client
	p *process
}

// Get reads an object, or the metadata of one.
func (a *api) Get(ctx context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	kind := kindOf(into)
	metadata, only := into.(*metav1.PartialObjectMetadata)
	if only {
		kind = metadata.Kind
	}
	var object client.Object
	err := a.p.call(ctx, "get "+kind+" "+key.String(), false, func() (err error) {
		object, err = a.p.server.get(kind, key)
		return err
	})
	switch {
	case err != nil:
		return err
	case only:
		metadata.ObjectMeta = metadataOf(object)
	default:
		set(into, object)
	}
	return nil
}

// List reads all objects of a kind, or their metadata.
func (a *api) List(ctx context.Context, into client.ObjectList, options ...client.ListOption) error {
	kind := kindOf(into)
	metadata, only := into.(*metav1.PartialObjectMetadataList)
	if only {
		kind = strings.TrimSuffix(metadata.Kind, "List")
	}
	wanted := client.ListOptions{}
	wanted.ApplyOptions(options)
	var all []client.Object
	err := a.p.call(ctx, "list all "+kind, false, func() error {
		all, _ = a.p.server.list(kind)
		return nil
	})
	if err != nil {
		return err
	}
	items := reflect.ValueOf(into).Elem().FieldByName("Items")
	items.SetZero()
	for _, object := range all {
		switch {
		case wanted.Namespace != "" && object.GetNamespace() != wanted.Namespace,
			wanted.LabelSelector != nil && !wanted.LabelSelector.Matches(labels.Set(object.GetLabels())):
		case only:
			metadata.Items = append(metadata.Items, metav1.PartialObjectMetadata{ObjectMeta: metadataOf(object)})
		default:
			items.Set(reflect.Append(items, reflect.ValueOf(object).Elem()))
		}
	}
	return nil
}

// Create makes an object.
func (a *api) Create(ctx context.Context, object client.Object, _ ...client.CreateOption) error {
	kind, wanted := kindOf(object), copyOf(object)
	return a.write(ctx, "create", object, func() (client.Object, error) {
		a.p.server.attempted(a.p, kind, keyOf(wanted))
		return a.p.server.create(a.p.id, wanted)
	})
}

// Patch changes what is not the status of an object.
func (a *api) Patch(ctx context.Context, object client.Object, patch client.Patch, _ ...client.PatchOption) error {
	return a.patch(ctx, object, patch)
}

// Update writes an object that has no status beside it, if it is of the version that it was decided on.
func (a *api) Update(ctx context.Context, object client.Object, _ ...client.UpdateOption) error {
	return a.update(ctx, object, func(now, wanted client.Object) client.Object {
		wanted.SetUID(now.GetUID())
		wanted.SetCreationTimestamp(now.GetCreationTimestamp())
		wanted.SetGeneration(now.GetGeneration())
		return wanted
	})
}

// Delete deletes an object, if it is the one that is meant.
func (a *api) Delete(ctx context.Context, object client.Object, options ...client.DeleteOption) error {
	kind, key := kindOf(object), keyOf(object)
	meant := client.DeleteOptions{}
	meant.ApplyOptions(options)
	return a.p.call(ctx, fmt.Sprintf("delete %s %s", kind, key), true, func() error {
		a.p.server.attempted(a.p, kind, key)
		_, err := a.p.server.update(a.p.id, kind, key, func(now client.Object) (client.Object, error) {
			if p := meant.Preconditions; p != nil && p.UID != nil && *p.UID != now.GetUID() {
				return nil, conflict(kind, key)
			}
			return nil, errDelete
		})
		return err
	})
}

// update an object to what next makes of how it is now and of what is wanted.
func (a *api) update(ctx context.Context, object client.Object, next func(now, wanted client.Object) client.Object) error {
	kind, key, wanted := kindOf(object), keyOf(object), copyOf(object)
	return a.write(ctx, "update", object, func() (client.Object, error) {
		a.p.server.attempted(a.p, kind, key)
		return a.p.server.update(a.p.id, kind, key, func(now client.Object) (client.Object, error) {
			if v := wanted.GetResourceVersion(); v != "" && v != now.GetResourceVersion() {
				return nil, conflict(kind, key)
			}
			return next(now, copyOf(wanted)), nil
		})
	})
}

// Status writes the status of objects.
func (a *api) Status() client.SubResourceWriter { return &statusOf{a: a} }

type statusOf struct {
	client.SubResourceWriter
	a *api
}

// Patch changes the status of an object.
func (s *statusOf) Patch(ctx context.Context, object client.Object, patch client.Patch, _ ...client.SubResourcePatchOption) error {
	return s.a.patch(ctx, object, patch)
}

// Update writes the status of an object, if that is of the version that it was decided on.
func (s *statusOf) Update(ctx context.Context, object client.Object, _ ...client.SubResourceUpdateOption) error {
	s.a.p.server.reports(s.a.p, object)
	return s.a.update(ctx, object, func(now, wanted client.Object) client.Object {
		fieldOf(now, "Status").Set(fieldOf(wanted, "Status"))
		return now
	})
}

func (a *api) patch(ctx context.Context, object client.Object, patch client.Patch) error {
	kind, key := kindOf(object), keyOf(object)
	data, err := patch.Data(object)
	if err != nil {
		return err
	}
	return a.write(ctx, "patch", object, func() (client.Object, error) {
		a.p.server.attempted(a.p, kind, key)
		return a.p.server.update(a.p.id, kind, key, func(now client.Object) (client.Object, error) {
			return patched(now, patch.Type(), data)
		})
	})
}

// write makes a write, whose result the object is then.
func (a *api) write(ctx context.Context, verb string, object client.Object, apply func() (client.Object, error)) error {
	var result client.Object
	err := a.p.call(ctx, fmt.Sprintf("%s %s %s", verb, kindOf(object), nameOf(object)), true, func() (err error) {
		result, err = apply()
		return err
	})
	if err == nil {
		set(object, result)
	}
	return err
}

// nameOf an object by which its calls are told apart. Events have names of the time.
func nameOf(object client.Object) string {
	if kindOf(object) == "Event" {
		return object.GetNamespace()
	}
	return keyOf(object).String()
}

func set(into, from client.Object) {
	reflect.ValueOf(into).Elem().Set(reflect.ValueOf(from).Elem())
}

// fieldOf an object; invalid: it has none of that name.
func fieldOf(object client.Object, name string) reflect.Value {
	return reflect.ValueOf(object).Elem().FieldByName(name)
}

func metadataOf(object client.Object) metav1.ObjectMeta {
	return *fieldOf(object, "ObjectMeta").Addr().Interface().(*metav1.ObjectMeta)
}

// lock is the Lease that the controllers elect their leader by.
func (p *process) lock() resourcelock.Interface {
	return &resourcelock.LeaseLock{
		LeaseMeta: metav1.ObjectMeta{Namespace: namespace, Name: "daymark-controller"}, Client: &leases{p: p},
		LockConfig: resourcelock.ResourceLockConfig{Identity: p.id},
	}
}

// leases are the Leases of a namespace.
type leases struct {
	coordinationclient.LeaseInterface
	p *process
}

// Leases of the one namespace that there is.
func (l *leases) Leases(string) coordinationclient.LeaseInterface { return l }

// Get reads a Lease.
func (l *leases) Get(ctx context.Context, name string, _ metav1.GetOptions) (*coordinationv1.Lease, error) {
	lease := &coordinationv1.Lease{}
	err := (&api{p: l.p}).Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, lease)
	return lease, err
}

// Create makes a Lease.
func (l *leases) Create(ctx context.Context, lease *coordinationv1.Lease, _ metav1.CreateOptions) (*coordinationv1.Lease, error) {
	made := lease.DeepCopy()
	return made, (&api{p: l.p}).Create(ctx, made)
}

// Update writes a Lease that is of the version that was read.
func (l *leases) Update(ctx context.Context, lease *coordinationv1.Lease, _ metav1.UpdateOptions) (*coordinationv1.Lease, error) {
	wanted, key := lease.DeepCopy(), keyOf(lease)
	var result *coordinationv1.Lease
	err := l.p.call(ctx, "update Lease "+lease.Name, true, func() error {
		made, err := l.p.server.update(l.p.id, "Lease", key, func(now client.Object) (client.Object, error) {
			if now.GetResourceVersion() != wanted.ResourceVersion {
				return nil, conflict("Lease", key)
			}
			return wanted, nil
		})
		if err == nil {
			result = made.(*coordinationv1.Lease)
		}
		return err
	})
	if err != nil { // It may have been given up while it is under way.
		return nil, err
	}
	return result, nil
}
