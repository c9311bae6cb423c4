package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// snapshot is what was read of one namespace, or of all.
type snapshot struct {
	services []corev1.Service
	speakers []v1beta1.Speaker
	// hidden: the user may not read the speakers, and so does not see who holds the addresses.
	hidden    bool
	namespace string
	now       time.Time
}

// read the Services of type LoadBalancer of a namespace, or of all if it is empty, and what the speakers report. It reads nothing
// of other namespaces, so that who may read only one can use it.
func read(ctx context.Context, c client.Reader, namespace string) (*snapshot, error) {
	var services corev1.ServiceList
	if err := c.List(ctx, &services, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("list Services: %w", err)
	}
	var speakers v1beta1.SpeakerList
	err := c.List(ctx, &speakers)
	hidden := apierrors.IsForbidden(err)
	if err != nil && !hidden {
		return nil, fmt.Errorf("list Speakers (is Daymark installed?): %w", err)
	}
	seen := &snapshot{speakers: speakers.Items, hidden: hidden, namespace: namespace, now: time.Now()}
	for _, s := range services.Items {
		if s.Spec.Type == corev1.ServiceTypeLoadBalancer {
			seen.services = append(seen.services, s)
		}
	}
	return seen, nil
}

// list writes a line for each Service.
func (s *snapshot) list(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 8, 3, ' ', 0)
	fmt.Fprintln(table, "NAMESPACE\tNAME\tADDRESSES\tPOOL\tHELD BY\tANNOUNCED")
	for i := range s.services {
		service := &s.services[i]
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", service.Namespace, service.Name, orNone(addresses(service)),
			orNone(pools(service)), s.holders(service), announced(service))
	}
	return table.Flush()
}

// holders are the nodes that hold an address of a Service. What speakers that are gone have said is old, and does not count.
func (s *snapshot) holders(service *corev1.Service) string {
	if s.hidden {
		return "<unknown>"
	}
	var nodes []string
	for i := range s.speakers {
		speaker := &s.speakers[i]
		for _, held := range speaker.Status.Layer2.Held {
			if has(service, held.Address) && !lb.SpeakerGone(speaker) {
				nodes = append(nodes, speaker.Name)
				break
			}
		}
	}
	return orNone(strings.Join(nodes, ","))
}

// has reports whether an address is in the status of a Service.
func has(s *corev1.Service, address string) bool {
	for _, ingress := range s.Status.LoadBalancer.Ingress {
		if ingress.IP == address {
			return true
		}
	}
	return false
}

func addresses(s *corev1.Service) string {
	var list []string
	for _, ingress := range s.Status.LoadBalancer.Ingress {
		list = append(list, ingress.IP)
	}
	return strings.Join(list, ",")
}

// pools are the pools that the addresses of a Service come from, each once.
func pools(s *corev1.Service) string {
	provenance := lb.ParseProvenance(s.Status.Conditions)
	var names []string
	for _, a := range provenance.Allocations {
		if !slices.Contains(names, a.Pool) {
			names = append(names, a.Pool)
		}
	}
	return strings.Join(names, ",")
}

// announced says whether a Service is announced, or the reason why not, as the controller has written it.
func announced(s *corev1.Service) string {
	for _, kind := range []string{v1beta1.ConditionAddressAssigned, v1beta1.ConditionAnnounced} {
		if found := meta.FindStatusCondition(s.Status.Conditions, kind); found != nil && found.Status != metav1.ConditionTrue {
			return "no: " + found.Reason
		}
	}
	if meta.IsStatusConditionTrue(s.Status.Conditions, v1beta1.ConditionAnnounced) {
		return "yes"
	}
	return "<unknown>"
}

func orNone(text string) string {
	if text == "" {
		return "<none>"
	}
	return text
}
