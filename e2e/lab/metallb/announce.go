package metallb

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// announce has each speaker announce its Services, and writes who announces which, as the speakers do afterwards.
func (s *StandIn) announce(ctx context.Context, w *world) error {
	var errs []error
	for _, one := range s.speakers {
		begun, ended := one.set(w.wanted(l2Advertisements, func(address netip.Addr) bool { return address.Is4() && s.elect(address) == one.node }))
		errs = append(errs, s.write(ctx, l2Statuses, one.node, begun, ended))
	}
	for node, r := range s.routes {
		begun, ended, err := r.set(ctx, w.wanted(bgpAdvertisements, func(netip.Addr) bool { return true }))
		errs = append(errs, err, s.write(ctx, bgpStatuses, node, begun, ended))
	}
	return errors.Join(errs...)
}

// wanted are the Services with an endpoint that advertisements of a kind select, where a node is to announce them by their first address.
func (w *world) wanted(advertisements source.Kind, here func(first netip.Addr) bool) map[lb.Key][]netip.Addr {
	wanted := map[lb.Key][]netip.Addr{}
	for _, service := range w.services {
		addresses := shown(service)
		if len(addresses) > 0 && w.serving[key(service)] && w.advertised(advertisements, service, addresses[0]) && here(addresses[0]) {
			wanted[key(service)] = addresses
		}
	}
	return wanted
}

// changes are the Services that are new and gone.
func changes(before, now map[lb.Key][]netip.Addr) (begun, ended []lb.Key) {
	for service := range now {
		if _, was := before[service]; !was {
			begun = append(begun, service)
		}
	}
	for service := range before {
		if _, still := now[service]; !still {
			ended = append(ended, service)
		}
	}
	return begun, ended
}

// advertised says whether an advertisement of a kind selects the pool and the Service. MetalLB after 0.16.1 does not announce by layer 2 a
// Service that may share its address while an advertisement has serviceSelectors.
func (w *world) advertised(kind source.Kind, service *corev1.Service, address netip.Addr) bool {
	for _, o := range w.advertisements {
		names, _, _ := unstructured.NestedStringSlice(o.Object, "spec", "ipAddressPools")
		p := w.poolOf(address)
		if o.GetKind() != kind.Kind || p == nil || len(names) > 0 && !slices.Contains(names, p.name) {
			continue
		}
		selectors, _, _ := unstructured.NestedSlice(o.Object, "spec", "serviceSelectors")
		if len(selectors) == 0 {
			return true
		}
		may := kind.Kind != l2Advertisements.Kind || service.Annotations[sharingAnnotation] == ""
		if may && slices.ContainsFunc(selectors, func(item any) bool { return selects(item, service) }) {
			return true
		}
	}
	return false
}

func selects(item any, service *corev1.Service) bool {
	fields, _ := item.(map[string]any)
	var from metav1.LabelSelector
	if runtime.DefaultUnstructuredConverter.FromUnstructured(fields, &from) != nil {
		return false
	}
	selector, err := metav1.LabelSelectorAsSelector(&from)
	return err == nil && selector.Matches(labels.Set(service.Labels))
}

// elect the node of an address as MetalLB does: the first by a hash of both.
func (s *StandIn) elect(address netip.Addr) string {
	hash := func(one *speaker) []byte {
		sum := sha256.Sum256([]byte(one.node + "#" + address.String()))
		return sum[:]
	}
	return slices.MinFunc(s.speakers, func(a, b *speaker) int { return bytes.Compare(hash(a), hash(b)) }).node
}

// write the reports of a kind about the Services that a node begins to announce, and delete those about others.
func (s *StandIn) write(ctx context.Context, kind source.Kind, node string, begun, ended []lb.Key) error {
	var errs []error
	for _, service := range ended {
		errs = append(errs, s.cluster.API().Delete(ctx, report(kind, node, service)))
	}
	for _, service := range begun {
		errs = append(errs, s.cluster.API().Create(ctx, report(kind, node, service)))
	}
	return errors.Join(slices.DeleteFunc(errs, func(err error) bool { return apierrors.IsNotFound(err) || apierrors.IsAlreadyExists(err) })...)
}

// report of a kind about a Service that a node announces.
func report(kind source.Kind, node string, service lb.Key) *unstructured.Unstructured {
	status := map[string]any{"node": node, "serviceName": service.Name, "serviceNamespace": service.Namespace}
	if kind.Kind == bgpStatuses.Kind {
		status["peers"] = []any{router}
	}
	o := &unstructured.Unstructured{Object: map[string]any{"status": status}}
	o.SetGroupVersionKind(kind.GroupVersionKind)
	o.SetNamespace(Namespace)
	o.SetName(fmt.Sprintf("%s-%s-%s-%s", kind.Resource, node, service.Namespace, service.Name))
	return o
}
