package redact

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// ranks of kinds of names: what is a name of several things counts as the first of them.
var ranks = []string{"node", "namespace", "pool", "peer", "service"}

func rank(kind string) int {
	if i := slices.Index(ranks, kind); i >= 0 {
		return i
	}
	return len(ranks)
}

// kindsOf objects whose names are called otherwise than their kind.
var kindsOf = map[string]string{
	"Speaker": "node", "IPAddressPool": "pool", "BGPPeer": "peer", "IPReservation": "reservation", "L2Advertisement": "advertisement",
	"BGPAdvertisement": "advertisement", "BFDProfile": "profile", "CommunityAlias": "community",
}

func kindOf(kind string) string {
	if other, has := kindsOf[kind]; has {
		return other
	}
	return strings.ToLower(kind)
}

// numeric words are numbers, durations and quantities.
var numeric = regexp.MustCompile(`^[0-9]+[a-z]{0,2}$`)

// ordinary words tell nothing of who uses them, and stand in messages and in fields with a meaning of their own.
func ordinary(word string) bool {
	if word == "" || ordinaryWords[word] || numeric.MatchString(word) || strings.HasPrefix(word, "daymark-") || wellKnown(word) {
		return true
	}
	_, err := netip.ParseAddr(word)
	return err == nil // an address is replaced as one
}

// domains of programs that everybody may know.
var domains = []string{"kubernetes.io", "k8s.io", "daymark.io", "metallb.io", "metallb.universe.tf"}

// wellKnown keys and values are in such a domain.
func wellKnown(key string) bool {
	domain, _, _ := strings.Cut(key, "/")
	return slices.ContainsFunc(domains, func(known string) bool { return domain == known || strings.HasSuffix(domain, "."+known) })
}

// keyDomains are those of keys of labels that Kubernetes, its tools and Daymark define. Whoever likes makes others below the same domains.
var keyDomains = func() map[string]bool {
	all := map[string]bool{}
	for domain := range strings.FieldsSeq(`
		daymark.io metallb.io metallb.universe.tf kubernetes.io k8s.io
		app.kubernetes.io apps.kubernetes.io batch.kubernetes.io beta.kubernetes.io deployment.kubernetes.io statefulset.kubernetes.io
		endpoints.kubernetes.io endpointslice.kubernetes.io service.kubernetes.io service.beta.kubernetes.io service.alpha.kubernetes.io
		kubectl.kubernetes.io node.kubernetes.io node.alpha.kubernetes.io node.beta.kubernetes.io node.cloudprovider.kubernetes.io
		node-role.kubernetes.io node-restriction.kubernetes.io pod-security.kubernetes.io rbac.authorization.kubernetes.io
		topology.kubernetes.io failure-domain.beta.kubernetes.io networking.k8s.io gateway.networking.k8s.io discovery.k8s.io
	`) {
		all[domain] = true
	}
	return all
}()

// ofKubernetes says whether a key has no domain of somebody's own. One without a domain has a name alone.
func ofKubernetes(domain string) bool { return keyDomains[domain] }

// userNamed domains are Kubernetes' own, with names that users choose.
func userNamed(domain string) bool {
	return domain == "node-role.kubernetes.io" || domain == "node-restriction.kubernetes.io"
}

// providers read and write annotations that say why a Service has its address.
var providers = []string{"daymark.io", "metallb.io", "metallb.universe.tf"}

func ofProvider(key string) bool {
	domain, _, _ := strings.Cut(key, "/")
	return slices.Contains(providers, domain)
}

// keptAnnotations of Kubernetes have numbers, times or modes as values. Others of its domains have whatever a user or a cloud writes there.
var keptAnnotations = []string{
	"deployment.kubernetes.io/revision", "kubectl.kubernetes.io/restartedAt", "endpoints.kubernetes.io/last-change-trigger-time",
	"node.alpha.kubernetes.io/ttl", "volumes.kubernetes.io/controller-managed-attach-detach",
}

var ordinaryWords = func() map[string]bool {
	words := map[string]bool{}
	for word := range strings.FieldsSeq(`
		default kube-system kube-public kube-node-lease kubernetes kube-proxy kube-dns coredns kube cluster system
		daymark controller speaker gossip metrics health password gossip-tcp gossip-udp tcp udp sctp http https arp ndp bgp bfd ipv4 ipv6
		node nodes pod pods service services namespace namespaces pool pools peer peers address addresses router routers session sessions
		advertisement advertisements holder leader member members name kind status reason message type key value label event endpoint
		true false auto fast slow wan lan local external internal info debug warn error text json linux windows amd64 arm64 host client
		control-plane master worker etcd infra ingress orphan foregroundDeletion
		a an and any all are as at be but by can for from had has have here how if in into is it its last more most no none not nothing now
		of off on one only open or other our out over own port ready route same seen since so some still than that the their them then
		there this time to too two under until up used was well were what when where which who why will with yet ours theirs old new
	`) {
		words[word] = true
	}
	return words
}()
