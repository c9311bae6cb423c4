package check

import (
	"fmt"
	"slices"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/cli/view"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/status"
)

// before are the checks that count until Daymark is installed.
var before = []check{
	{
		name: "rights", find: missingRights, mend: "Install as a user with the ClusterRole cluster-admin.",
		blind: func(in *Input) string {
			if in.Rights == nil {
				return "there is no API server to ask"
			}
			return ""
		},
	}, {
		name: "flow-control", find: manySpeakers, needs: []source.Kind{source.Nodes},
		mend: "Set flowControl.enabled to true in the chart's values, in a namespace other than kube-system; by manifests, apply the objects of docs/large-clusters.md#when-all-speakers-start-at-once.",
	},
}

// manyNodes is how many speakers may start at once without a level of their own in the API server's priority and fairness. With 250 one
// write of a hundred by others was measured to take 20 s.
const manyNodes = 200

// manySpeakers is a word about a cluster so large that others wait for the API server when all speakers start at once.
func manySpeakers(in *Input) []Finding {
	count := len(in.nodes())
	if count <= manyNodes || in.values != nil && in.values.FlowControl.Enabled {
		return nil
	}
	return []Finding{{
		Severity: Note,
		Message:  fmt.Sprintf("%d nodes can have a speaker: when all start at once, as after a power cut, others wait long for the API server", count),
	}}
}

// after are the checks of an installation.
var after = []check{
	{
		name: "kinds", find: kinds, needs: append([]source.Kind{source.Speakers}, source.Configuration...),
		mend: "Apply the definitions of this version: helm upgrade does it, or kubectl apply --server-side -k config/crd. Where those of the cluster are newer, use the plugin of their version.",
	}, {
		name: "programs", find: programs, needs: []source.Kind{source.Deployments, source.DaemonSets},
		mend: "Look at the Pods and their Events: kubectl -n NAMESPACE get pods -o wide; kubectl -n NAMESPACE describe pods",
	}, {
		name: "daemon-rights", find: missingDaemonRights, mend: "Apply the roles of this version: helm upgrade does it, or kubectl apply --server-side -k config/rbac.",
		blind: func(in *Input) string {
			if in.DaemonRights == nil {
				return "there is no API server to ask, or it does not answer you"
			}
			return ""
		},
	}, {
		name: "version-skew", find: versionSkew, needs: []source.Kind{source.Deployments, source.Speakers},
		mend: "Wait for the update to end, or bring all parts to one version: kubectl daymark version",
	}, {
		name: "no-speaker", find: noSpeaker, needs: []source.Kind{source.Nodes, source.Speakers},
		mend: "Look at the speaker's Pod on the node; where none runs, look for taints that the DaemonSet does not tolerate.",
	}, {
		name: "gossip", find: gossip, needs: []source.Kind{source.Speakers}, blind: gossipOff,
		mend: "Let TCP and UDP port GOSSIPPORT through between all nodes, in both directions.",
	}, {
		name: "service-proxy", find: serviceProxy, needs: []source.Kind{source.Speakers},
		mend: "Look at kube-proxy, or what stands in for it, on the node: it forwards the packets.",
	}, {
		name: "clocks", find: clocks, needs: []source.Kind{source.Leases},
		mend: "Synchronize the clocks of the nodes and of this machine by NTP.",
	},
}

// kinds that the API server does not know, or does not serve as this version needs them.
func kinds(in *Input) (found []Finding) {
	for _, kind := range append([]source.Kind{source.Speakers}, source.Configuration...) {
		if gap := in.Objects.Gap(kind); gap != nil {
			about := Finding{Severity: Error, Object: kind.Name(), Message: "the API server does not know the kind"}
			if gap.Served != "" {
				about.Message += " in version " + kind.Version + ", but has kinds of Daymark in " + gap.Served
			}
			found = append(found, about)
		}
	}
	for _, d := range source.Of[*apiextensionsv1.CustomResourceDefinition](in.Objects) {
		if d.Spec.Group != v1beta1.GroupVersion.Group {
			continue
		}
		serves := slices.ContainsFunc(d.Spec.Versions, func(v apiextensionsv1.CustomResourceDefinitionVersion) bool {
			return v.Name == v1beta1.GroupVersion.Version && v.Served
		})
		if !serves {
			found = append(found, Finding{
				Severity: Error, Object: d.Name, Message: "its definition does not serve the version " + v1beta1.GroupVersion.Version,
			})
		}
		for _, c := range d.Status.Conditions {
			if c.Type == apiextensionsv1.Established && c.Status != apiextensionsv1.ConditionTrue {
				found = append(found, Finding{Severity: Error, Object: d.Name, Message: "its definition is not established: " + c.Message})
			}
		}
	}
	return found
}

// programs that are not there, or not ready.
func programs(in *Input) (found []Finding) {
	if !in.Cluster.Controller().Known {
		found = append(found, Finding{Severity: Error, Object: "Namespace " + in.System, Message: "no Deployment in it has a container named controller"})
	}
	if in.Cluster.SpeakerSet() == nil {
		found = append(found, Finding{Severity: Error, Object: "Namespace " + in.System, Message: "no DaemonSet of Daymark is in it"})
	}
	found = append(found, fromProblems(in, func(p *view.Problem) bool {
		return p.Kind == "Deployment" || p.Kind == "DaemonSet" || p.Kind == "Lease"
	})...)
	return found
}

func versionSkew(in *Input) (found []Finding) {
	for _, text := range in.Cluster.Versions(in.Plugin).Skew {
		found = append(found, Finding{Severity: Warning, Message: text})
	}
	return found
}

// noSpeaker are nodes from which no speaker has reported, or whose speaker is gone.
func noSpeaker(in *Input) (found []Finding) {
	found = fromProblems(in, func(p *view.Problem) bool { return p.Reason == "SpeakerMissing" })
	for _, s := range source.Of[*v1beta1.Speaker](in.Objects) {
		if lb.SpeakerGone(s) {
			ready := meta.FindStatusCondition(s.Status.Conditions, v1beta1.ConditionReady)
			found = append(found, Finding{Severity: Error, Object: "Speaker " + s.Name, Message: ready.Message})
		}
	}
	return found
}

// fromProblems are findings that package view has as problems.
func fromProblems(in *Input, wanted func(*view.Problem) bool) (found []Finding) {
	list := in.Cluster.Problems().Items
	for i := range list {
		p := &list[i]
		if !wanted(p) {
			continue
		}
		name := p.Name
		if p.Namespace != "" {
			name = p.Namespace + "/" + p.Name
		}
		severity := Warning
		if p.Severity == view.Critical {
			severity = Error
		}
		found = append(found, Finding{Severity: severity, Object: p.Kind + " " + name, Message: p.Message})
	}
	return found
}

// gossipOff: without layer 2 the speakers need not know each other.
func gossipOff(in *Input) string {
	set := in.Cluster.SpeakerSet()
	if set == nil {
		return ""
	}
	for i := range set.Spec.Template.Spec.Containers {
		if slices.Contains(set.Spec.Template.Spec.Containers[i].Args, "--gossip-bind-address=0") {
			return "gossip is turned off"
		}
	}
	return ""
}

// gossip: what speakers say of each other.
func gossip(in *Input) (found []Finding) {
	var there []*v1beta1.Speaker
	for _, s := range source.Of[*v1beta1.Speaker](in.Objects) {
		if !lb.SpeakerGone(s) {
			there = append(there, s)
		}
	}
	for _, s := range there {
		known := meta.FindStatusCondition(s.Status.Conditions, v1beta1.ConditionMembershipKnown)
		about := Finding{Severity: Warning, Object: "Speaker " + s.Name}
		switch {
		case known == nil:
			continue // it takes no part
		case known.Status != "True":
			about.Severity, about.Message = Error, "it does not know the other speakers: "+known.Message
		case known.Reason == status.NotAllSeen.Name:
			about.Message = known.Message
		case s.Status.Members > 0 && int(s.Status.Members) < len(there): // Most speakers of a large cluster do not count.
			about.Message = fmt.Sprintf("it sees %d speakers, and %d are there", s.Status.Members, len(there))
		default:
			continue
		}
		found = append(found, about)
	}
	return found
}

func serviceProxy(in *Input) (found []Finding) {
	for _, s := range source.Of[*v1beta1.Speaker](in.Objects) {
		c := meta.FindStatusCondition(s.Status.Conditions, v1beta1.ConditionServiceProxyUnhealthy)
		if c == nil || c.Status != "True" || lb.SpeakerGone(s) {
			continue
		}
		about := Finding{Severity: Error, Object: "Node " + s.Name, Message: "its service proxy is not well: " + c.Message}
		if c.Reason == status.ProxyFails.Name { // So is one that is just being restarted.
			about.Severity = Warning
		}
		found = append(found, about)
	}
	return found
}

// ahead is how far the clock of another machine may be ahead.
const ahead = 5 * time.Second

// clocks that are ahead show in Leases that will be renewed only later. One that is behind cannot be told from one that has stopped.
func clocks(in *Input) (found []Finding) {
	for _, lease := range source.Of[*coordinationv1.Lease](in.Objects) {
		if lease.Namespace != in.System || lease.Spec.RenewTime == nil {
			continue
		}
		if by := lease.Spec.RenewTime.Sub(in.Objects.Time); by > ahead {
			found = append(found, Finding{
				Severity: Warning, Object: "Lease " + lease.Namespace + "/" + lease.Name,
				Message: fmt.Sprintf("it was renewed %s after now, by the clock here: the clock of its holder is ahead, or this one is behind", by.Round(time.Second)),
			})
		}
	}
	return found
}
