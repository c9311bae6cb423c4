package check

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/version"
	"sigs.k8s.io/yaml"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/cli/view"
)

// always are the checks of the cluster that count before and after Daymark is installed.
var always = []check{
	{
		name: "kubernetes-version", mend: "Upgrade Kubernetes first.", find: oldVersions, needs: []source.Kind{source.Nodes},
	}, {
		name: "pod-security", find: podSecurity, needs: []source.Kind{source.Namespaces},
		mend: "kubectl label namespace NAMESPACE pod-security.kubernetes.io/enforce=privileged --overwrite",
	}, {
		name: "ports-taken", find: portsTaken, needs: []source.Kind{source.Pods},
		mend: "Remove the other program, or give Daymark another port: ports in the chart's values.",
	}, {
		name: "exclude-label", find: excluded, needs: []source.Kind{source.Nodes},
		mend: "Take the label from the nodes that are to announce: kubectl label node NODE " + corev1.LabelNodeExcludeBalancers + "-",
	}, {
		name: "strict-arp", find: strictARP, needs: []source.Kind{source.ConfigMaps}, blind: noProxyConfig,
		mend: "Set ipvs.strictARP to true in the ConfigMap kube-proxy of kube-system, and restart kube-proxy; or use the mode nftables.",
	}, {
		name: "other-provider", find: otherProviders, needs: providerKinds,
		mend: "Turn the other provider off, or let Daymark serve its class alone: serveClassless: false in the chart's values.",
	}, {
		name: "bgp-beside", find: bgpBeside, needs: []source.Kind{source.Peers, calicoPeers, ciliumPeers, ciliumPeersBefore, ciliumPolicies},
		mend: "Give Daymark a source address of its own for routers that the other program peers with: sourceFrom of the BGPPeer.",
	},
}

// oldest version of Kubernetes that Daymark runs on, as the chart has it.
var oldest = version.MustParseGeneric("1.32")

func oldVersions(in *Input) (found []Finding) {
	old := func(text string) bool {
		v, err := version.ParseGeneric(text)
		return err == nil && v.LessThan(oldest)
	}
	if old(in.Server) {
		found = append(found, Finding{Severity: Error, Message: fmt.Sprintf("the API server is %s, and %s is the oldest that will do", in.Server, oldest)})
	}
	mine := in.nodes()
	for _, n := range source.Of[*corev1.Node](in.Objects) {
		if kubelet := n.Status.NodeInfo.KubeletVersion; old(kubelet) && mine[n.Name] {
			found = append(found, Finding{
				Severity: Error, Object: "Node " + n.Name, Message: fmt.Sprintf("its kubelet is %s, and %s is the oldest that will do", kubelet, oldest),
			})
		}
	}
	return found
}

// nodes on which a speaker can run, and is not left out by the DaemonSet that the values make, or else by the one that is installed.
func (in *Input) nodes() map[string]bool {
	names, out := map[string]bool{}, in.leftOut()
	for _, n := range in.Cluster.Parsed.Nodes {
		if n.NoSpeaker() == "" && !out[n.Name] {
			names[n.Name] = true
		}
	}
	return names
}

// leftOut are the nodes that the DaemonSet of the speakers leaves out.
func (in *Input) leftOut() map[string]bool {
	why := func(n *corev1.Node) string { return in.Cluster.LeftOut(n.Name) }
	if in.values != nil {
		if pod, err := in.values.pod(); err == nil { // readValues has refused others
			why = func(n *corev1.Node) string { return view.LeftOutBy(pod, n) }
		}
	}
	out := map[string]bool{}
	for _, n := range source.Of[*corev1.Node](in.Objects) {
		out[n.Name] = why(n) != ""
	}
	return out
}

// enforced is the label of a namespace with the Pod Security level.
const enforced = "pod-security.kubernetes.io/enforce"

func podSecurity(in *Input) (found []Finding) {
	for _, n := range source.Of[*corev1.Namespace](in.Objects) {
		if level := n.Labels[enforced]; n.Name == in.System && level != "" && level != "privileged" {
			found = append(found, Finding{
				Severity: Error, Object: "Namespace " + n.Name,
				Message: fmt.Sprintf("it enforces the Pod Security level %s, and the speaker needs the network of the nodes", level),
			})
		}
	}
	return found
}

func excluded(in *Input) []Finding {
	if in.Cluster.Settings.Options.IgnoreExcludeLabel {
		return nil
	}
	var names []string
	mine := in.nodes()
	for _, n := range source.Of[*corev1.Node](in.Objects) {
		if _, has := n.Labels[corev1.LabelNodeExcludeBalancers]; has && mine[n.Name] {
			names = append(names, n.Name)
		}
	}
	about := Finding{Severity: Note, Object: "Nodes " + strings.Join(names, ", ")}
	about.Message = "the label " + corev1.LabelNodeExcludeBalancers + " keeps them from announcing, as kubeadm wants it of control-plane nodes"
	switch len(names) {
	case 0:
		return nil
	case len(mine):
		about.Severity, about.Message = Error, "all nodes have the label "+corev1.LabelNodeExcludeBalancers+": none will announce anything"
	}
	return []Finding{about}
}

// proxyConfig is what matters of kube-proxy's configuration.
type proxyConfig struct {
	Mode string `json:"mode"`
	IPVS struct {
		StrictARP bool `json:"strictARP"`
	} `json:"ipvs"`
}

// The ConfigMap of kube-proxy, as kubeadm makes it.
const (
	proxyNamespace = "kube-system"
	proxyName      = "kube-proxy"
)

// proxy is the ConfigMap of kube-proxy; nil: there is none.
func (in *Input) proxy() *corev1.ConfigMap {
	for _, m := range source.Of[*corev1.ConfigMap](in.Objects) {
		if m.Namespace == proxyNamespace && m.Name == proxyName {
			return m
		}
	}
	return nil
}

func noProxyConfig(in *Input) string {
	if in.proxy() == nil {
		return "there is no ConfigMap " + proxyNamespace + "/" + proxyName
	}
	return ""
}

func strictARP(in *Input) []Finding {
	var config proxyConfig
	about := Finding{Object: "ConfigMap " + proxyNamespace + "/" + proxyName}
	switch err := yaml.Unmarshal([]byte(in.proxy().Data["config.conf"]), &config); {
	case err != nil:
		about.Severity, about.Message = Note, "its config.conf cannot be read: "+err.Error()
	case config.Mode == "ipvs" && !config.IPVS.StrictARP:
		if about.Severity = in.layer2(); about.Severity == "" {
			return nil
		}
		about.Message = "kube-proxy is in the mode ipvs without strictARP: every node answers ARP for every address, and layer 2 does not work"
	default:
		return nil
	}
	return []Finding{about}
}

// layer2 says how bad it is that layer 2 does not work; empty: nobody needs it. What will be announced is not known before an install, unless
// the values have it, or are without gossip, and so without layer 2.
func (in *Input) layer2() Severity {
	switch {
	case in.values != nil && !in.values.Speaker.Gossip:
		return ""
	case in.values != nil && len(in.values.L2Advertisements) > 0:
		return Error
	case in.Pre:
		return Warning
	case in.Objects.Gap(source.L2Advertisements) == nil && len(source.Of[*v1beta1.L2Advertisement](in.Objects)) == 0:
		return ""
	}
	return Error
}
