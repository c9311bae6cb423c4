package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/duration"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/cluster"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/status"
)

// readObjects reads what explaining the announcement of a Service needs.
func readObjects(ctx context.Context, c client.Client, s *corev1.Service) (*cluster.Objects, error) {
	var objects []runtime.Object
	for _, list := range []client.ObjectList{
		&corev1.NodeList{}, &discoveryv1.EndpointSliceList{}, &v1beta1.IPAddressPoolList{}, &v1beta1.L2AdvertisementList{},
		&v1beta1.BGPAdvertisementList{}, &v1beta1.BGPPeerList{}, &v1beta1.BFDProfileList{}, &v1beta1.CommunityList{}, &v1beta1.SpeakerList{},
	} {
		var options []client.ListOption
		if _, slices := list.(*discoveryv1.EndpointSliceList); slices {
			options = []client.ListOption{client.InNamespace(s.Namespace), client.MatchingLabels{discoveryv1.LabelServiceName: s.Name}}
		}
		if err := c.List(ctx, list, options...); err != nil {
			return nil, fmt.Errorf("list objects: %w", err)
		}
		items, err := meta.ExtractList(list)
		if err != nil {
			return nil, fmt.Errorf("read a list of objects: %w", err)
		}
		objects = append(objects, items...)
	}
	return cluster.Parse(objects), nil
}

// find a Service in the namespace that was read.
func (s *snapshot) find(name string) (*corev1.Service, error) {
	for i := range s.services {
		if service := &s.services[i]; service.Namespace == s.namespace && service.Name == name {
			return service, nil
		}
	}
	return nil, fmt.Errorf("there is no Service %s/%s of type LoadBalancer", s.namespace, name)
}

// explain writes all that is known of one Service, with a remark on the condition Announced unless that is empty.
func (s *snapshot) explain(out io.Writer, service *corev1.Service, remark string) {
	fmt.Fprintf(out, "Service %s/%s\n  addresses: %s\n", service.Namespace, service.Name, orNone(addresses(service)))
	for _, kind := range []string{v1beta1.ConditionAddressAssigned, v1beta1.ConditionAnnounced} {
		fmt.Fprintf(out, "  %s: %s\n", kind, s.condition(meta.FindStatusCondition(service.Status.Conditions, kind)))
	}
	if remark != "" {
		fmt.Fprintf(out, "  %s\n", remark)
	}
	for _, line := range s.held(service) {
		fmt.Fprintf(out, "  %s\n", line)
	}
}

// compare reads the objects that the announcement of a Service depends on and returns the difference from its condition. A user
// without permission to read all of them sees only the conditions.
func (s *snapshot) compare(ctx context.Context, c client.Client, service *corev1.Service) string {
	objects, err := readObjects(ctx, c, service)
	if err != nil {
		return fmt.Sprintf("not compared with the objects as they are now: %v", err)
	}
	for i := range s.services {
		objects.Services = append(objects.Services, lb.ParseService(&s.services[i])) // some may share its addresses
	}
	return difference(service, objects)
}

// difference explains a Service as the controller would, and says so if its condition says something else. If no node announces
// the Service, it says for each node why, and for session affinity which node is best, which the condition does not. A Service that the controller has not written to may be
// of another class: there is nothing to compare.
func difference(service *corev1.Service, objects *cluster.Objects) string {
	if meta.FindStatusCondition(service.Status.Conditions, v1beta1.ConditionAnnounced) == nil {
		return ""
	}
	world := objects.ReportedWorld(lb.Classes{}, announce.Options{})
	if limited := slices.IndexFunc(world.Peers, func(p *lb.Peer) bool { return p.MaximumPrefixes > 0 }); limited >= 0 {
		return fmt.Sprintf("not compared with the objects as they are now: maximumPrefixes of BGPPeer %s counts all Services",
			world.Peers[limited].Name)
	}
	world.Services = objects.Services
	explainer, parsed := announce.NewExplainer(&world), lb.ParseService(service)
	explanation := explainer.Explain(parsed)
	nodes := strings.Join(explainer.Preference(parsed), "\n  ")
	if explanation.Nodes != "" {
		nodes = "what stands against each node: " + explanation.Nodes
	}
	now := status.Announced(explanation)
	if now.In(service.Status.Conditions, true) {
		return nodes
	}
	if nodes != "" {
		nodes = "\n  " + nodes
	}
	written := now.At(time.Time{})
	return fmt.Sprintf("by the objects as they are now, and the default flags of the programs: %s, %s: %s", written.Status, written.Reason, written.Message) + nodes
}

func (s *snapshot) condition(found *metav1.Condition) string {
	if found == nil {
		return "nothing is said: the controller has not seen the Service, or it is of another class"
	}
	return fmt.Sprintf("%s for %s, %s: %s", found.Status, duration.HumanDuration(s.now.Sub(found.LastTransitionTime.Time)), found.Reason, found.Message)
}

// held says where each address of a Service is held on the segment.
func (s *snapshot) held(service *corev1.Service) []string {
	if s.hidden {
		return []string{"who holds the addresses is not known: you may not list Speakers"}
	}
	var lines []string
	for i := range s.speakers {
		speaker := &s.speakers[i]
		for _, held := range speaker.Status.Layer2.Held {
			if has(service, held.Address) {
				does := "is held by " + speaker.Name
				if held.StandsInFor != "" {
					does = fmt.Sprintf("is answered for by %s, which stands in for %s in its part of the segment,", speaker.Name, held.StandsInFor)
				}
				lines = append(lines, fmt.Sprintf("%s %s on %s for %s%s", held.Address, does,
					strings.Join(held.Interfaces, ", "), duration.HumanDuration(s.now.Sub(held.Since.Time)), s.age(speaker)))
			}
		}
	}
	return lines
}

// age is a remark on the report of a speaker that is gone; empty for any other.
func (s *snapshot) age(speaker *v1beta1.Speaker) string {
	if !lb.SpeakerGone(speaker) {
		return ""
	}
	gone := meta.FindStatusCondition(speaker.Status.Conditions, v1beta1.ConditionReady)
	return fmt.Sprintf(", by an old report: its speaker has been gone for %s", duration.HumanDuration(s.now.Sub(gone.LastTransitionTime.Time)))
}
