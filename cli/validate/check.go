package validate

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	runtimeschema "k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/cli/view"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

var group = v1beta1.GroupVersion.Group

// Others is what is in a cluster beside the files; the zero value when there is none.
type Others struct {
	// Live: there is a cluster. Partly: not all of it is seen, so what is not seen is not said to be missing.
	Live, Partly bool
	Objects      []runtime.Object
	// System is the namespace that Daymark runs in.
	System string
	Now    time.Time
}

// Check documents by themselves and as a whole, among others.
func Check(ctx context.Context, documents []Document, others *Others) ([]Finding, error) {
	known, err := newKinds()
	if err != nil {
		return nil, err
	}
	return known.checkAll(ctx, documents, others)
}

func (k *kinds) checkAll(ctx context.Context, documents []Document, others *Others) ([]Finding, error) {
	var all []Finding
	places, objects, refused := map[subject]*Document{}, []runtime.Object{}, map[subject]bool{}
	for i := range documents {
		d := &documents[i]
		of, object, found, err := k.single(ctx, d)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
		if before := places[of]; object != nil && before != nil {
			all = append(all, d.finding(Error, of.String(), "metadata.name", "Duplicate", "it stands in "+before.place("metadata.name")))
			continue
		}
		if object != nil {
			places[of], refused[of] = d, len(found) > 0
			objects = append(objects, object)
		}
	}
	for of, found := range whole(places, objects, others) {
		if !refused[of] { // else the API server says why, before the controller does
			all = append(all, found...)
		}
	}
	return sorted(all), nil
}

// beside are the kinds of Kubernetes that count beside Daymark's own.
var beside = []string{"Service", "Node", "Namespace", "Secret"}

// single checks one document, and returns its object if that is one that the daemons read. Objects of others are not looked at.
func (k *kinds) single(ctx context.Context, d *Document) (of subject, object runtime.Object, found []Finding, err error) {
	gvk := d.gvk()
	of = subject{gvk.Kind, "", text(d.object, "metadata", "name")}
	switch {
	case gvk.Group == group:
	case gvk.Version == "" && k.definitions[gvk.Kind] != nil:
		words := "an object needs one; meant may be " + v1beta1.GroupVersion.String()
		return of, nil, []Finding{d.finding(Error, of.String(), "apiVersion", "Required", "Required value: "+words)}, nil
	case gvk.Group == "" && slices.Contains(beside, gvk.Kind):
		object, err := typed(d, gvk)
		if err != nil {
			return of, nil, []Finding{d.finding(Error, of.String(), "", "Invalid", err.Error())}, nil
		}
		return subjectOf(object), object, nil, nil
	default:
		return of, nil, nil, nil
	}
	kind, err := k.of(gvk.GroupVersion().String(), gvk.Kind)
	if err != nil {
		return of, nil, nil, err
	}
	if kind == nil {
		return of, nil, []Finding{k.missing(d, of, gvk)}, nil
	}
	for _, problem := range kind.check(ctx, d.object) {
		found = append(found, d.problem(of, problem))
	}
	if object, err = typed(d, gvk); len(found) > 0 {
		err = nil // the findings say why
	}
	return of, object, found, err
}

// missing is the finding of a kind or a version that there is not.
func (k *kinds) missing(d *Document, of subject, gvk runtimeschema.GroupVersionKind) Finding {
	switch {
	case gvk.Kind == "":
		return d.finding(Error, of.String(), "kind", "Required", "Required value: an object needs one")
	case k.definitions[gvk.Kind] != nil:
		return d.finding(Error, of.String(), "apiVersion", "UnknownKind", k.known(gvk))
	}
	return d.finding(Error, of.String(), "kind", "UnknownKind", k.known(gvk))
}

func (d *Document) gvk() runtimeschema.GroupVersionKind {
	return (&unstructured.Unstructured{Object: d.object}).GroupVersionKind()
}

func text(object map[string]any, path ...string) string {
	found, _, _ := unstructured.NestedString(object, path...)
	return found
}

// typed is the object in its Go type, with its kind.
func typed(d *Document, gvk runtimeschema.GroupVersionKind) (runtime.Object, error) {
	into, err := source.Scheme.New(gvk)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(d.object)
	if err == nil {
		err = json.Unmarshal(raw, into)
	}
	if err != nil {
		return nil, fmt.Errorf("read a %s: %w", gvk.Kind, err)
	}
	switch o := into.(type) { // as the API server does
	case *corev1.Service:
		o.Namespace = cmp.Or(o.Namespace, corev1.NamespaceDefault)
	case *corev1.Secret:
		o.Data = withText(o.Data, o.StringData)
	}
	return into, nil
}

// maxWords is how long the words of the API server may be, in bytes: they repeat the value.
const maxWords = 500

// withText is the data of a Secret with that which is written as text.
func withText(data map[string][]byte, text map[string]string) map[string][]byte {
	all := make(map[string][]byte, len(data)+len(text))
	maps.Copy(all, data)
	for key, value := range text {
		all[key] = []byte(value)
	}
	return all
}

// problem is what the API server would say of a field.
func (d *Document) problem(of subject, e *field.Error) Finding {
	return d.finding(Error, of.String(), e.Field, strings.TrimPrefix(string(e.Type), "FieldValue"), lb.Truncate(e.ErrorBody(), maxWords))
}

// finding at a field; at the name when there is none.
func (d *Document) finding(severity Severity, object, field, reason, words string) Finding {
	line, column := d.at(cmp.Or(field, "metadata.name"))
	return Finding{d.file, line, column, severity, strings.TrimSpace(object), field, reason, words}
}

func (d *Document) place(field string) string {
	line, _ := d.at(field)
	return fmt.Sprintf("%s:%d as well", d.file, line)
}

// whole checks the objects of files as a whole, among those of a cluster, and what becomes of those.
func whole(places map[subject]*Document, objects []runtime.Object, others *Others) map[subject][]Finding {
	set, all := others.among(objects), map[subject][]Finding{}
	judge := func(objects []runtime.Object) *view.Cluster {
		objects = slices.DeleteFunc(slices.Clone(objects), func(object runtime.Object) bool { // the others are nobody's password
			_, isSecret := object.(*corev1.Secret)
			return isSecret && source.Namespace(object) != others.System
		})
		return view.New(view.Input{Objects: objects, System: others.System, Now: others.Now})
	}
	before := judged(judge(others.Objects))
	for of, conditions := range judged(judge(set)) {
		for i := range conditions {
			c := &conditions[i]
			severity, d := severityOf(c, others), places[of]
			switch {
			case severity == "":
			case d != nil:
				all[of] = append(all[of], d.finding(severity, of.String(), fieldIn(c.Message), c.Reason, c.Message))
			case len(before[of]) == 0:
				all[of] = append(all[of], Finding{Severity: severity, Object: of.String(), Reason: c.Reason, Message: "would be wrong then: " + c.Message})
			}
		}
	}
	return all
}

// among is the cluster's objects with those of files in their place. An object that is new is younger than all there are; of two that
// claim the same, the older one has it.
func (o *Others) among(objects []runtime.Object) []runtime.Object {
	set, created := slices.Clone(objects), map[subject]metav1.Time{}
	for _, object := range o.Objects {
		created[subjectOf(object)] = accessor(object).GetCreationTimestamp()
	}
	for i, object := range objects {
		of := subjectOf(object)
		born, exists := created[of]
		if !exists {
			born = metav1.NewTime(o.Now.Add(time.Duration(i)))
		}
		accessor(object).SetCreationTimestamp(born)
		delete(created, of)
	}
	for _, object := range o.Objects {
		if _, stays := created[subjectOf(object)]; stays {
			set = append(set, object)
		}
	}
	return set
}

// accessor of the metadata of an object of Scheme, each of which has some.
func accessor(object runtime.Object) metav1.Object {
	found, err := meta.Accessor(object)
	if err != nil {
		return &metav1.ObjectMeta{}
	}
	return found
}

func subjectOf(object runtime.Object) subject {
	kind := object.GetObjectKind().GroupVersionKind().Kind
	return subject{kind, source.Namespace(object), source.Name(object)}
}
