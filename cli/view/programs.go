package view

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// LeaderLease is the name of the Lease of the controller that leads.
const LeaderLease = "daymark-controller"

// ControllerLine is the controller in short.
type ControllerLine struct {
	// Known is false when its Deployment is not seen. Leader is empty when its Lease is not seen, or nobody leads.
	Known   bool   `json:"known"`
	Ready   int32  `json:"ready"`
	Wanted  int32  `json:"wanted"`
	Version string `json:"version,omitempty"`
	Leader  string `json:"leader,omitempty"`
}

// Controller of Daymark.
func (c *Cluster) Controller() (line ControllerLine) {
	if d := c.ControllerSet(); d != nil {
		line = ControllerLine{Known: true, Ready: d.Status.ReadyReplicas, Wanted: 1, Version: versionOf(&d.Spec.Template.Spec, controllerContainer)}
		if d.Spec.Replicas != nil {
			line.Wanted = *d.Spec.Replicas
		}
	}
	if lease := c.leader(); lease != nil && !c.expired(lease) && lease.Spec.HolderIdentity != nil {
		line.Leader = *lease.Spec.HolderIdentity
	}
	return line
}

// ControllerSet is the Deployment of the controllers; nil: none is seen.
func (c *Cluster) ControllerSet() *appsv1.Deployment {
	for _, d := range c.deployments {
		if _, found := argsOf(&d.Spec.Template.Spec, controllerContainer); found && d.Namespace == c.System {
			return d
		}
	}
	return nil
}

// SpeakerSet is the DaemonSet of the speakers; nil: none is seen.
func (c *Cluster) SpeakerSet() *appsv1.DaemonSet {
	for _, d := range c.daemonSets {
		if _, found := argsOf(&d.Spec.Template.Spec, speakerContainer); found && d.Namespace == c.System {
			return d
		}
	}
	return nil
}

func (c *Cluster) leader() *coordinationv1.Lease {
	for _, lease := range c.leases {
		if lease.Name == LeaderLease && lease.Namespace == c.System {
			return lease
		}
	}
	return nil
}

// expired reports whether the holder of a Lease has not renewed it in time, by the clock of who reads.
func (c *Cluster) expired(lease *coordinationv1.Lease) bool {
	if lease.Spec.RenewTime == nil || lease.Spec.LeaseDurationSeconds == nil {
		return true
	}
	const clocks = 2 // the clocks of two machines differ
	return c.since(lease.Spec.RenewTime.Time).Seconds() > clocks*float64(*lease.Spec.LeaseDurationSeconds)
}

// versionOf a program is the tag of its container's image.
func versionOf(pod *corev1.PodSpec, container string) string {
	for i := range pod.Containers {
		if pod.Containers[i].Name != container {
			continue
		}
		image, _, _ := strings.Cut(pod.Containers[i].Image, "@")
		if colon := strings.LastIndex(image, ":"); colon > strings.LastIndex(image, "/") {
			return image[colon+1:]
		}
	}
	return ""
}

// programProblems are those of the controller and of the speakers' DaemonSet.
func (c *Cluster) programProblems() (found []Problem) {
	line := c.Controller()
	about := Problem{Severity: Critical, Kind: "Deployment", Namespace: c.System, Remedy: "Look at the controller's Pods: kubectl -n " + c.System + " get pods, and their logs."}
	if line.Known {
		about.Name = c.ControllerSet().Name
	}
	switch lease := c.leader(); {
	case line.Known && line.Ready == 0 && line.Wanted > 0 && line.Leader == "":
		about.Reason, about.Message = "NotReady", "no controller is ready: no Service gets an address"
		found = append(found, about)
	case lease != nil && line.Leader == "":
		about.Kind, about.Name = "Lease", lease.Name
		about.Reason, about.Message = "NoLeader", "no controller leads: no Service gets an address"
		found = append(found, about)
	case line.Known && line.Ready < line.Wanted:
		about.Severity, about.Reason = Warning, "NotReady"
		about.Message = fmt.Sprintf("%d of %d controllers are ready", line.Ready, line.Wanted)
		if line.Ready == 0 {
			about.Message += ", and " + line.Leader + " leads all the same"
		}
		found = append(found, about)
	}
	if d := c.SpeakerSet(); d != nil && d.Status.NumberReady < d.Status.DesiredNumberScheduled {
		found = append(found, Problem{
			Severity: Warning, Kind: "DaemonSet", Namespace: d.Namespace, Name: d.Name, Reason: "NotReady",
			Message: fmt.Sprintf("%d of %d speakers are ready", d.Status.NumberReady, d.Status.DesiredNumberScheduled),
			Remedy:  "Look at the speakers' Pods: kubectl -n " + c.System + " get pods -o wide, and their logs.",
		})
	}
	return append(found, c.absentPrograms()...)
}

// absentPrograms are the controller and the speakers, where all of the namespace is seen, and neither is in it nor says elsewhere that it runs.
func (c *Cluster) absentPrograms() (found []Problem) {
	if !c.Programs {
		return nil
	}
	about := Problem{
		Severity: Critical, Kind: "Namespace", Name: c.System,
		Remedy: "Is Daymark installed there? --daymark-namespace names another one, and check says what is not whole.", Command: "kubectl daymark check",
	}
	if line := c.Controller(); !line.Known && line.Leader == "" {
		about.Reason, about.Message = "ControllerMissing", "no controller of Daymark is in the namespace, and none leads: no Service gets an address"
		found = append(found, about)
	}
	if c.noSpeakers() {
		about.Reason, about.Message = "SpeakersMissing", "no speaker of Daymark is in the namespace, and no node has one: no address is announced"
		found = append(found, about)
	}
	return found
}

// noSpeakers reports whether no speaker runs anywhere, and none is about to.
func (c *Cluster) noSpeakers() bool {
	running := func(s *v1beta1.Speaker) bool { return !lb.SpeakerGone(s) }
	return c.Programs && c.sees(resourceSpeakers) && c.SpeakerSet() == nil && !slices.ContainsFunc(c.Parsed.Speakers, running)
}

// Versions are those of all parts.
type Versions struct {
	// Plugin is this program.
	Plugin     string `json:"plugin"`
	Controller string `json:"controller,omitempty"`
	// Speakers by version: the nodes that run it. The version of a speaker that does not say so is empty.
	Speakers []SpeakerVersion `json:"speakers,omitempty"`
	// Definitions of Daymark's kinds, with the versions that the API server serves.
	Definitions []DefinitionVersion `json:"definitions,omitempty"`
	// Skew says in words which parts are not of one version.
	Skew   []string `json:"skew,omitempty"`
	Unseen []Unseen `json:"unseen,omitempty"`
}

// SpeakerVersion is a version and the nodes whose speakers have it.
type SpeakerVersion struct {
	Version string   `json:"version"`
	Nodes   []string `json:"nodes"`
}

// DefinitionVersion is the definition of a kind.
type DefinitionVersion struct {
	Name   string   `json:"name"`
	Served []string `json:"served"`
}

// Versions of all parts, with the plugin's.
func (c *Cluster) Versions(plugin string) Versions {
	v := Versions{Plugin: plugin, Controller: c.Controller().Version, Definitions: c.definitions(), Unseen: c.Unseen}
	byVersion := map[string][]string{}
	for _, s := range c.Parsed.Speakers {
		if !lb.SpeakerGone(s) {
			byVersion[s.Status.Version] = append(byVersion[s.Status.Version], s.Name)
		}
	}
	// order does not matter: the list is sorted
	for version, nodes := range byVersion {
		slices.Sort(nodes)
		v.Speakers = append(v.Speakers, SpeakerVersion{version, nodes})
	}
	slices.SortFunc(v.Speakers, func(a, b SpeakerVersion) int { return strings.Compare(a.Version, b.Version) })
	v.Skew = v.skew()
	return v
}

func (v *Versions) skew() (texts []string) {
	if len(v.Speakers) > 1 {
		texts = append(texts, "the speakers are of several versions: is an update under way?")
	}
	for _, s := range v.Speakers {
		if v.Controller != "" && s.Version != v.Controller && len(v.Speakers) == 1 {
			texts = append(texts, fmt.Sprintf("the controller is %s, and the speakers are %s", v.Controller, orUnknown(s.Version)))
		}
	}
	if v.Controller != "" && v.Plugin != v.Controller {
		texts = append(texts, fmt.Sprintf("this plugin is %s, and the controller is %s: what it computes may differ", v.Plugin, v.Controller))
	}
	return texts
}

func orUnknown(text string) string {
	if text == "" {
		return "of a version that they do not say"
	}
	return text
}
