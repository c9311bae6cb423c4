package simulate

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/cli/validate"
)

// edit is the objects of a cluster as they become.
type edit struct {
	objects []runtime.Object
	places  map[identity]int
	now     time.Time
	// namespace of documents that name none.
	namespace string
	admission *validate.Admission
	// ignored are the documents that nothing depends on, and kinds those of the others.
	ignored []string
	kinds   map[string]bool
	// unapplied: of an object that was changed it is not known what was applied to it before.
	unapplied bool
	// removed has the objects that are deleted.
	removed map[identity]bool
}

// identity of an object.
type identity struct{ kind, namespace, name string }

func (i identity) String() string {
	return i.kind + " " + strings.TrimPrefix(i.namespace+"/"+i.name, "/")
}

func identityOf(object runtime.Object) identity {
	return identity{object.GetObjectKind().GroupVersionKind().Kind, source.Namespace(object), source.Name(object)}
}

func newEdit(objects *source.Objects, namespace string) (*edit, error) {
	admission, err := validate.NewAdmission()
	if err != nil {
		return nil, err
	}
	e := &edit{
		objects: slices.Clone(objects.Items), places: map[identity]int{}, now: objects.Time, namespace: namespace, admission: admission,
		kinds: map[string]bool{}, removed: map[identity]bool{},
	}
	for i, object := range e.objects {
		e.places[identityOf(object)] = i
	}
	return e, nil
}

// subject of a document; false when nothing depends on objects of its kind. Speakers are written by themselves.
func (e *edit) subject(d *unstructured.Unstructured) (of identity, depends bool) {
	of = identity{d.GetKind(), d.GetNamespace(), d.GetName()}
	i := slices.IndexFunc(source.World, func(kind source.Kind) bool { return kind.GroupVersionKind == d.GroupVersionKind() })
	if i >= 0 && source.World[i].Namespaced {
		of.namespace = cmp.Or(of.namespace, e.namespace)
	}
	ours := d.GroupVersionKind().Group == v1beta1.GroupVersion.Group // of an unknown version or kind it is said
	depends = (i >= 0 || ours) && of.kind != source.Speakers.Kind
	if !depends {
		told := of
		if i < 0 && slices.ContainsFunc(source.World, func(kind source.Kind) bool { return kind.Kind == of.kind }) { // another provider's
			told.kind = strings.TrimSuffix(of.kind+"."+d.GroupVersionKind().Group, ".")
		}
		e.ignored = append(e.ignored, told.String())
	}
	e.kinds[of.kind] = e.kinds[of.kind] || depends
	return of, depends
}

// apply a document.
func (e *edit) apply(ctx context.Context, document *unstructured.Unstructured) error {
	of, depends := e.subject(document)
	if !depends {
		return nil
	}
	document.SetNamespace(of.namespace)
	place, exists := e.places[of]
	var current *unstructured.Unstructured
	if exists {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(e.objects[place])
		if err != nil {
			return err
		}
		current = &unstructured.Unstructured{Object: content}
	}
	merged := applied(current, document)
	if document.GroupVersionKind().Group == v1beta1.GroupVersion.Group {
		if err := e.admission.Admit(ctx, merged); err != nil {
			return err
		}
		if current != nil && current.Object["status"] != nil {
			merged.Object["status"] = current.Object["status"]
		}
	}
	object, err := source.Scheme.New(document.GroupVersionKind())
	if err != nil {
		return err
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(merged.Object, object); err != nil {
		return err
	}
	if s, ok := object.(*corev1.Service); ok {
		s.Spec.IPFamilies = e.familiesFor(s)
	}
	if exists {
		e.unapplied = e.unapplied || current.GetAnnotations()[corev1.LastAppliedConfigAnnotation] == ""
		e.objects[place] = object
		return nil
	}
	e.places[of] = len(e.objects)
	e.objects = append(e.objects, e.created(of, object))
	return nil
}

// created is an object that is new: younger than all there are.
func (e *edit) created(of identity, object runtime.Object) runtime.Object {
	if to, ok := object.(metav1.Object); ok {
		to.SetUID(types.UID("new " + of.String()))
		to.SetCreationTimestamp(metav1.NewTime(e.now.Add(time.Duration(len(e.places)))))
	}
	return object
}

// familiesFor are those that the API server makes of what a Service names, which may be less or more than its policy is: the first, and for
// dual stack the other one too if cluster IPs have it. If it names none, the first is that of the Service kubernetes.
func (e *edit) familiesFor(s *corev1.Service) []corev1.IPFamily {
	families, policy := s.Spec.IPFamilies, s.Spec.IPFamilyPolicy
	switch {
	case len(families) == 0:
		families = e.firstFamily()
	case policy == nil: // as it was
		return families
	}
	if policy == nil || *policy == corev1.IPFamilyPolicySingleStack {
		return families[:1:1]
	}
	families = slices.Clone(families)
	for _, other := range []corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol} {
		if !slices.Contains(families, other) && e.hasClusterIPs(other) {
			families = append(families, other)
		}
	}
	return families
}

// firstFamily of cluster IPs is that of the Service kubernetes.
func (e *edit) firstFamily() []corev1.IPFamily {
	if i, found := e.places[identity{"Service", corev1.NamespaceDefault, "kubernetes"}]; found {
		if families := e.objects[i].(*corev1.Service).Spec.IPFamilies; len(families) > 0 {
			return families
		}
	}
	return []corev1.IPFamily{corev1.IPv4Protocol}
}

// hasClusterIPs reports whether cluster IPs may be of a family: some ServiceCIDR is, or, as Kubernetes before 1.33 has none of these
// objects, some Service's cluster IP.
func (e *edit) hasClusterIPs(family corev1.IPFamily) bool {
	of := func(text string) bool { return strings.Contains(text, ":") == (family == corev1.IPv6Protocol) }
	objects := &source.Objects{Items: e.objects}
	if ranges := source.Of[*networkingv1.ServiceCIDR](objects); len(ranges) > 0 {
		return slices.ContainsFunc(ranges, func(r *networkingv1.ServiceCIDR) bool { return slices.ContainsFunc(r.Spec.CIDRs, of) })
	}
	return slices.ContainsFunc(source.Of[*corev1.Service](objects), func(s *corev1.Service) bool {
		return slices.ContainsFunc(s.Spec.ClusterIPs, func(text string) bool { return text != corev1.ClusterIPNone && of(text) })
	})
}

// remove the object that a document names.
func (e *edit) remove(document *unstructured.Unstructured) error {
	of, depends := e.subject(document)
	if !depends {
		return nil
	}
	if _, exists := e.places[of]; !exists {
		return fmt.Errorf("there is no %s", of)
	}
	e.removed[of] = true
	return nil
}

// left are the objects that are not removed. With a namespace goes what is in it, and with a node its Speaker.
func (e *edit) left(objects []runtime.Object) []runtime.Object {
	return slices.DeleteFunc(slices.Clone(objects), func(object runtime.Object) bool {
		of := identityOf(object)
		return e.removed[of] || e.removed[identity{"Namespace", "", of.namespace}] ||
			of.kind == source.Speakers.Kind && e.removed[identity{"Node", "", of.name}]
	})
}

// removedNodes are the nodes that are deleted.
func (e *edit) removedNodes() (names []string) {
	for of := range e.removed {
		if of.kind == "Node" {
			names = append(names, of.name)
		}
	}
	return names
}
