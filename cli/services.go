package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// cluster is what was read of it.
type cluster struct {
	services  []corev1.Service
	speakers  []v1beta1.Speaker
	namespace string
	now       time.Time
}

func read(ctx context.Context, c client.Client, namespace string) (*cluster, error) {
	var services corev1.ServiceList
	if err := c.List(ctx, &services); err != nil {
		return nil, fmt.Errorf("list Services: %w", err)
	}
	var speakers v1beta1.SpeakerList
	if err := c.List(ctx, &speakers); err != nil {
		return nil, fmt.Errorf("list Speakers (is Daymark installed?): %w", err)
	}
	seen := &cluster{speakers: speakers.Items, namespace: namespace, now: time.Now()}
	for _, s := range services.Items {
		if s.Spec.Type == corev1.ServiceTypeLoadBalancer {
			seen.services = append(seen.services, s)
		}
	}
	return seen, nil
}

// list writes a line for each Service.
func (c *cluster) list(out io.Writer, namespace string) error {
	table := tabwriter.NewWriter(out, 0, 8, 3, ' ', 0)
	fmt.Fprintln(table, "NAMESPACE\tNAME\tADDRESSES\tPOOL\tHELD BY\tANNOUNCED")
	for i := range c.services {
		s := &c.services[i]
		if namespace != "" && s.Namespace != namespace {
			continue
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", s.Namespace, s.Name, orNone(addresses(s)), orNone(s.Annotations[v1beta1.AnnotationPool]),
			orNone(strings.Join(c.holders(s), ",")), announced(s))
	}
	return table.Flush()
}

// explain writes all that is known of one Service.
func (c *cluster) explain(out io.Writer, namespace, name string) error {
	if namespace == "" {
		namespace = c.namespace
	}
	for i := range c.services {
		s := &c.services[i]
		if s.Namespace != namespace || s.Name != name {
			continue
		}
		fmt.Fprintf(out, "Service %s/%s\n  addresses: %s\n", s.Namespace, s.Name, orNone(addresses(s)))
		for _, kind := range []string{v1beta1.ConditionAddressAssigned, v1beta1.ConditionAnnounced} {
			fmt.Fprintf(out, "  %s: %s\n", kind, c.condition(meta.FindStatusCondition(s.Status.Conditions, kind)))
		}
		for _, line := range c.held(s) {
			fmt.Fprintf(out, "  %s\n", line)
		}
		return nil
	}
	return fmt.Errorf("there is no Service %s/%s of type LoadBalancer", namespace, name)
}

func (c *cluster) condition(found *metav1.Condition) string {
	if found == nil {
		return "nothing is said: the controller has not seen the Service, or it is of another class"
	}
	return fmt.Sprintf("%s for %s, %s: %s", found.Status, duration.HumanDuration(c.now.Sub(found.LastTransitionTime.Time)), found.Reason, found.Message)
}

// held says where each address of a Service is held on the segment.
func (c *cluster) held(s *corev1.Service) []string {
	var lines []string
	for _, speaker := range c.speakers {
		for _, held := range speaker.Status.Layer2.Held {
			if has(s, held.Address) {
				lines = append(lines, fmt.Sprintf("%s is held by %s on %s for %s", held.Address, speaker.Name,
					strings.Join(held.Interfaces, ", "), duration.HumanDuration(c.now.Sub(held.Since.Time))))
			}
		}
	}
	return lines
}

func (c *cluster) holders(s *corev1.Service) []string {
	var nodes []string
	for _, speaker := range c.speakers {
		for _, held := range speaker.Status.Layer2.Held {
			if has(s, held.Address) {
				nodes = append(nodes, speaker.Name)
				break
			}
		}
	}
	return nodes
}

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
