package v1beta1_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/cli/validate"
	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/internal/core/status"
)

func TestMain(m *testing.M) { lab.Main(m) }

// spec is the spec of a kind in YAML, with a part of the message of its rejection; empty when it must be accepted.
type spec struct{ kind, name, yaml, refusal string }

var specs = []spec{
	// IPAddressPool
	{"IPAddressPool", "prefixes, ranges and single addresses of both families", `{addresses: [192.0.2.0/28, 192.0.2.200-192.0.2.250, "2001:db8::/64", "2001:db8:1::1-2001:db8:1::ff", 198.51.100.1], exclude: [192.0.2.1]}`, ""},
	{"IPAddressPool", "everything that can be said of a pool", `{addresses: [192.0.2.0/28], autoAssign: false, avoidBuggyIPs: true, drain: true, reuseDelay: 10m, serviceAllocation: {priority: 10, namespaces: [a], namespaceSelectors: [{matchLabels: {a: b}}], serviceSelectors: [{matchLabels: {a: b}}], maxPerNamespace: 3}}`, ""},
	{"IPAddressPool", "no addresses", `{addresses: []}`, "spec.addresses"},
	{"IPAddressPool", "addresses missing", `{}`, "spec.addresses"},
	{"IPAddressPool", "a word for an address", `{addresses: [everything]}`, "must be a CIDR prefix such as 192.0.2.0/28"},
	{"IPAddressPool", "a prefix too long", `{addresses: [192.0.2.0/33]}`, "must be a CIDR prefix"},
	{"IPAddressPool", "a range with three ends", `{addresses: [192.0.2.1-192.0.2.2-192.0.2.3]}`, "must be a CIDR prefix"},
	{"IPAddressPool", "a range over two families", `{addresses: ["192.0.2.1-2001:db8::1"]}`, "both ends of a range must be of the same family"},
	{"IPAddressPool", "an excluded word", `{addresses: [192.0.2.0/28], exclude: [gateway]}`, "spec.exclude"},
	{"IPAddressPool", "a delay that is no duration", `{addresses: [192.0.2.0/28], reuseDelay: soon}`, "must be a duration between 0s and 24h, such as 10m"},
	{"IPAddressPool", "a delay of two days", `{addresses: [192.0.2.0/28], reuseDelay: 48h}`, "must be a duration between 0s and 24h, such as"},
	{"IPAddressPool", "a negative priority", `{addresses: [192.0.2.0/28], serviceAllocation: {priority: -1}}`, "spec.serviceAllocation.priority"},
	{"IPAddressPool", "a quota of none", `{addresses: [192.0.2.0/28], serviceAllocation: {maxPerNamespace: 0}}`, "maxPerNamespace"},
	// IPReservation
	{"IPReservation", "for one Service", `{addresses: [192.0.2.5], serviceRef: {namespace: a, name: b}}`, ""},
	{"IPReservation", "for Services by selector", `{addresses: [192.0.2.5], namespace: a, selector: {matchLabels: {a: b}}}`, ""},
	{"IPReservation", "for nobody", `{addresses: [192.0.2.5]}`, "give either serviceRef, or namespace with selector"},
	{"IPReservation", "for both", `{addresses: [192.0.2.5], serviceRef: {namespace: a, name: b}, namespace: a, selector: {}}`, "give either serviceRef, or namespace with selector"},
	{"IPReservation", "a namespace without a selector", `{addresses: [192.0.2.5], namespace: a}`, "namespace and selector go together"},
	{"IPReservation", "no addresses", `{serviceRef: {namespace: a, name: b}}`, "spec.addresses"},
	// L2Advertisement
	{"L2Advertisement", "nothing said: everything", `{}`, ""},
	{"L2Advertisement", "everything said", `{ipAddressPools: [a], ipAddressPoolSelectors: [{matchLabels: {a: b}}], serviceSelectors: [{matchLabels: {a: b}}], nodeSelectors: [{matchLabels: {a: b}}], preferredNodeSelectors: [{weight: 100, selector: {matchLabels: {a: b}}}], interfaces: ["eth*", bond0]}`, ""},
	{"L2Advertisement", "a weight of 0", `{preferredNodeSelectors: [{weight: 0, selector: {}}]}`, "weight"},
	{"L2Advertisement", "a weight of 101", `{preferredNodeSelectors: [{weight: 101, selector: {}}]}`, "weight"},
	{"L2Advertisement", "globs of every kind", `{interfaces: ["eth[0-9]", "en?", "[^l]*", "[a-cx]1", 'a\*b', "eth0]"]}`, ""},
	{"L2Advertisement", "a glob without an end", `{interfaces: ["eth[0"]}`, "spec.interfaces"},
	{"L2Advertisement", "a glob of nothing", `{interfaces: ["eth[]"]}`, "spec.interfaces"},
	{"L2Advertisement", "a glob that ends in a backslash", `{interfaces: ['eth\']}`, "spec.interfaces"},
	{"L2Advertisement", "a glob with half a range", `{interfaces: ["eth[0-]"]}`, "spec.interfaces"},
	{"L2Advertisement", "an empty interface", `{interfaces: [""]}`, "spec.interfaces"},
	{"L2Advertisement", "a pool whose name no pool can have", `{ipAddressPools: [My_Pool]}`, "spec.ipAddressPools"},
	{"L2Advertisement", "an empty pool", `{ipAddressPools: [""]}`, "spec.ipAddressPools"},
	{"BGPAdvertisement", "names of pools and peers with dots", `{ipAddressPools: [a.b-c], peers: [tor-1.rack-2]}`, ""},
	{"BGPAdvertisement", "a pool whose name no pool can have", `{ipAddressPools: [lan/]}`, "spec.ipAddressPools"},
	{"BGPAdvertisement", "a peer whose name no peer can have", `{peers: [Router]}`, "spec.peers"},
	{"BGPAdvertisement", "an empty peer", `{peers: [""]}`, "spec.peers"},
	{"IPAddressPool", "a namespace that there cannot be", `{addresses: [192.0.2.0/28], serviceAllocation: {namespaces: [a.b]}}`, "namespaces"},
	{"IPAddressPool", "an empty namespace", `{addresses: [192.0.2.0/28], serviceAllocation: {namespaces: [""]}}`, "namespaces"},
	{"L2Advertisement", "an interface with a space", `{interfaces: ["eth 0"]}`, "spec.interfaces"},
	// BGPAdvertisement
	{"BGPAdvertisement", "everything said", `{ipAddressPools: [a], peers: [p], aggregationLength: 24, aggregationLengthV6: 64, localPref: 4294967295, med: 0, asPathPrepend: 3, communities: ["64512:1", "64512:1:2", no-export, mine]}`, ""},
	{"BGPAdvertisement", "a length of 33", `{aggregationLength: 33}`, "spec.aggregationLength"},
	{"BGPAdvertisement", "an IPv6 length of 129", `{aggregationLengthV6: 129}`, "spec.aggregationLengthV6"},
	{"BGPAdvertisement", "a local preference of 33 bits", `{localPref: 4294967296}`, "spec.localPref"},
	{"BGPAdvertisement", "a negative MED", `{med: -1}`, "spec.med"},
	{"BGPAdvertisement", "a hundred times our AS number", `{asPathPrepend: 100}`, "spec.asPathPrepend"},
	// Label selectors
	{"L2Advertisement", "every operator", `{nodeSelectors: [{matchExpressions: [{key: a, operator: In, values: [b, ""]}, {key: example.com/a, operator: NotIn, values: [b]}, {key: a, operator: Exists}, {key: a, operator: DoesNotExist, values: []}]}]}`, ""},
	{"L2Advertisement", "an operator that does not exist", `{nodeSelectors: [{matchExpressions: [{key: a, operator: Near, values: [b]}]}]}`, "Unsupported value: \"Near\""},
	{"L2Advertisement", "an operator that does not exist in a preference", `{preferredNodeSelectors: [{weight: 1, selector: {matchExpressions: [{key: a, operator: near}]}}]}`, "Unsupported value: \"near\""},
	{"BGPAdvertisement", "In without values", `{serviceSelectors: [{matchExpressions: [{key: a, operator: In}]}]}`, "In and NotIn need values"},
	{"BGPAdvertisement", "NotIn with no value", `{ipAddressPoolSelectors: [{matchExpressions: [{key: a, operator: NotIn, values: []}]}]}`, "In and NotIn need values"},
	{"BGPPeer", "Exists with a value", `{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, nodeSelectors: [{matchExpressions: [{key: a, operator: Exists, values: [b]}]}]}`, "Exists and DoesNotExist have none"},
	{"IPAddressPool", "a key that no label can have", `{addresses: [192.0.2.0/28], serviceAllocation: {namespaceSelectors: [{matchExpressions: [{key: "a b", operator: Exists}]}]}}`, "matchExpressions[0].key"},
	{"IPAddressPool", "a key of many characters", `{addresses: [192.0.2.0/28], serviceAllocation: {serviceSelectors: [{matchLabels: {` + strings.Repeat("a", 318) + `: b}}]}}`, "has 1 to 317 characters"},
	{"L2Advertisement", "keys of labels in every form", `{nodeSelectors: [{matchLabels: {a: b, example.com/A_b.c: "", a.b-c/d: e}}]}`, ""},
	{"L2Advertisement", "a key that no label can have in matchLabels", `{nodeSelectors: [{matchLabels: {"a b": c}}]}`, "one of the keys is no key of a label"},
	{"BGPPeer", "a prefix that no key has in matchLabels", `{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, nodeSelectors: [{matchLabels: {"Example.com/a": c}}]}`, "one of the keys is no key of a label"},
	{"IPReservation", "a value that no label can have", `{addresses: [192.0.2.5], namespace: a, selector: {matchLabels: {a: "b c"}}}`, "selector.matchLabels.a"},
	{"IPReservation", "a value that no label can have in a list", `{addresses: [192.0.2.5], namespace: a, selector: {matchExpressions: [{key: a, operator: In, values: ["-"]}]}}`, "values[0]"},
	// Communities of a BGPAdvertisement
	{"BGPAdvertisement", "communities in every form", `{communities: ["64512:1", "64512:1:2", "large:64512:1:2", "4294967295", no-export, NO_EXPORT, "rt:64512:4294967295", "target:4200000000:65535", "soo:192.0.2.1:1", "origin:64512:1", "bandwidth:64512:125000000"]}`, ""},
	{"BGPAdvertisement", "a number of 17 bits", `{communities: ["65536:1"]}`, "at most 65535"},
	{"BGPAdvertisement", "a number of 33 bits", `{communities: ["4294967296"]}`, "at most 4294967295"},
	{"BGPAdvertisement", "a large community of two numbers", `{communities: ["large:1:2"]}`, "spec.communities[0]"},
	{"BGPAdvertisement", "a route target with too large a number", `{communities: ["rt:4200000000:65536"]}`, "the last number of an extended community"},
	{"BGPAdvertisement", "a route target of no address", `{communities: ["rt:192.0.2.256:1"]}`, "the last number of an extended community"},
	{"BGPAdvertisement", "a bandwidth of a wide AS number", `{communities: ["bandwidth:65536:1"]}`, "has 16 bits"},
	{"BGPAdvertisement", "an unknown kind of community", `{communities: ["colour:1:2"]}`, "spec.communities[0]"},
	{"BGPAdvertisement", "two words", `{communities: ["no export"]}`, "spec.communities[0]"},
	// Weights of a BGPAdvertisement
	{"BGPAdvertisement", "weights by endpoints", `{weightBy: Endpoints, communities: ["64512:1"]}`, ""},
	{"BGPAdvertisement", "weights by annotations", `{weightBy: NodeAnnotation}`, ""},
	{"BGPAdvertisement", "weights by something else", `{weightBy: Pods}`, "spec.weightBy"},
	{"BGPAdvertisement", "weights beside a link bandwidth", `{weightBy: Endpoints, communities: ["bandwidth:64512:1"]}`, "communities must not have another"},
	// BGPPeer
	{"BGPPeer", "a peer by address", `{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1}`, ""},
	{"BGPPeer", "an unnumbered peer that says its own AS number", `{myASN: 64512, dynamicASN: external, interface: eth0}`, ""},
	{"BGPPeer", "a peer from the default gateway", `{myASN: 64512, peerASN: 64513, peerFrom: {defaultGateway: IPv4}}`, ""},
	{"BGPPeer", "a peer from an annotation", `{myASN: 64512, peerASN: 64513, peerFrom: {nodeAnnotation: example.com/router}}`, ""},
	{"BGPPeer", "a link-local peer behind an interface", `{myASN: 64512, peerASN: 64513, peerAddress: "fe80::1%eth0.100"}`, ""},
	{"BGPPeer", "a global peer behind an interface", `{myASN: 64512, peerASN: 64513, peerAddress: "2001:db8::1%eth0"}`, "only a link-local IPv6 address has an interface behind it"},
	{"BGPPeer", "an IPv4 peer behind an interface", `{myASN: 64512, peerASN: 64513, peerAddress: "192.0.2.1%eth0"}`, "only a link-local IPv6 address has an interface behind it"},
	{"BGPPeer", "a link-local peer behind no interface", `{myASN: 64512, peerASN: 64513, peerAddress: "fe80::1%"}`, "only a link-local IPv6 address has an interface behind it"},
	{"BGPPeer", "a link-local peer behind two interfaces", `{myASN: 64512, peerASN: 64513, peerAddress: "fe80::1%eth0%eth1"}`, "only a link-local IPv6 address has an interface behind it"},
	{"BGPPeer", "an interface with a space behind the address", `{myASN: 64512, peerASN: 64513, peerAddress: "fe80::1%eth 0"}`, "only a link-local IPv6 address has an interface behind it"},
	{"BGPPeer", "a link-local peer and a source of the other family", `{myASN: 64512, peerASN: 64513, peerAddress: "fe80::1%eth0", sourceAddress: 192.0.2.11}`, "must be of the same family"},
	{"BGPPeer", "a link-local peer on no interface", `{myASN: 64512, peerASN: 64513, peerAddress: "fe80::1"}`, "needs the interface that it is on behind it"},
	{"BGPPeer", "an IPv4 link-local peer", `{myASN: 64512, peerASN: 64513, peerAddress: 169.254.0.1}`, ""},
	{"BGPPeer", "a peer on the node", `{myASN: 64512, peerASN: 64513, peerAddress: 127.0.0.1}`, ""},
	{"BGPPeer", "an unspecified peer", `{myASN: 64512, peerASN: 64513, peerAddress: 0.0.0.0}`, "must be the address of a router"},
	{"BGPPeer", "an unspecified IPv6 peer", `{myASN: 64512, peerASN: 64513, peerAddress: "::"}`, "must be the address of a router"},
	{"BGPPeer", "a group of peers", `{myASN: 64512, peerASN: 64513, peerAddress: 224.0.0.5}`, "must be the address of a router"},
	{"BGPPeer", "a link-local group of IPv6 peers", `{myASN: 64512, peerASN: 64513, peerAddress: "ff02::2"}`, "must be the address of a router"},
	{"BGPPeer", "all peers", `{myASN: 64512, peerASN: 64513, peerAddress: 255.255.255.255}`, "must be the address of a router"},
	{"BGPPeer", "an unspecified source", `{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, sourceAddress: 0.0.0.0}`, ""},
	{"BGPPeer", "a group as source", `{myASN: 64512, peerASN: 64513, peerAddress: "2001:db8::1", sourceAddress: "ff02::1"}`, "must be the address of a node"},
	{"BGPPeer", "a link-local source and a global peer", `{myASN: 64512, peerASN: 64513, peerAddress: "2001:db8::1", sourceAddress: "fe80::2"}`, "only a link-local peerAddress is reached"},
	{"BGPPeer", "a link-local source and a link-local peer", `{myASN: 64512, peerASN: 64513, peerAddress: "fe80::1%eth0", sourceAddress: "fe80::2"}`, ""},
	{"BGPPeer", "an IPv4 source over a link", `{myASN: 64512, dynamicASN: external, interface: eth0, sourceAddress: 192.0.2.11}`, "sourceAddress must be of IPv6, too"},
	{"BGPPeer", "an IPv6 source over a link", `{myASN: 64512, dynamicASN: external, interface: eth0, sourceAddress: "fe80::2"}`, ""},
	{"BGPPeer", "a source unlike the default gateway", `{myASN: 64512, peerASN: 64513, peerFrom: {defaultGateway: IPv6}, sourceAddress: 192.0.2.11}`, "must be of the family of the default gateway"},
	{"BGPPeer", "a source like the default gateway", `{myASN: 64512, peerASN: 64513, peerFrom: {defaultGateway: IPv4}, sourceAddress: 192.0.2.11}`, ""},
	{"BGPPeer", "source and router id by annotations", `{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, sourceFrom: {nodeAnnotation: example.com/loopback}, routerIDFrom: {nodeAnnotation: example.com/router-id}}`, ""},
	{"BGPPeer", "a source from an interface", `{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, sourceFrom: {interface: lo}}`, ""},
	{"BGPPeer", "two sources", `{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, sourceAddress: 192.0.2.11, sourceFrom: {interface: lo}}`, "give either sourceAddress or sourceFrom"},
	{"BGPPeer", "a source from two places", `{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, sourceFrom: {interface: lo, nodeAnnotation: a}}`, "give either interface or nodeAnnotation"},
	{"BGPPeer", "a source from nowhere", `{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, sourceFrom: {}}`, "give either interface or nodeAnnotation"},
	{"BGPPeer", "two router ids", `{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, routerID: 192.0.2.11, routerIDFrom: {nodeAnnotation: a}}`, "give either routerID or routerIDFrom"},
	{"BGPPeer", "everything else said", `{myASN: 64512, peerASN: 64513, localASN: 64514, peerAddress: "2001:db8::1", peerPort: 1179, sourceAddress: "2001:db8::2", routerID: 192.0.2.11, holdTime: 9s, keepaliveTime: 3s, connectTime: 1s, passwordSecret: {name: p}, ttlSecurity: true, bfdProfile: fast, bfdStrict: true, gracefulRestart: {enabled: true, restartTime: 60s}, addressFamilies: [IPv4, IPv6], vrf: red, nodeSelectors: [{matchLabels: {a: b}}]}`, ""},
	{"BGPPeer", "shut down with a message of 255 bytes", `{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, adminState: Down, shutdownMessage: "` + strings.Repeat("ö", 127) + `."}`, ""},
	{"BGPPeer", "a message of 256 bytes", `{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, shutdownMessage: "` + strings.Repeat("ö", 128) + `"}`, "must not have more than 255 bytes"},
	{"BGPPeer", "a message of two lines", `{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, shutdownMessage: "new card\nback at noon"}`, "must not have control characters"},
	{"BGPPeer", "a state that does not exist", `{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, adminState: down}`, "spec.adminState"},
	{"BGPPeer", "keys of annotations in every form", `{myASN: 64512, peerASN: 64513, peerFrom: {nodeAnnotation: "Example.com/Router_1.a"}, sourceFrom: {nodeAnnotation: a}, routerIDFrom: {nodeAnnotation: a.b-c/d}}`, ""},
	{"BGPPeer", "a peer from a key that no annotation has", `{myASN: 64512, peerASN: 64513, peerFrom: {nodeAnnotation: "example.com/two words"}}`, "spec.peerFrom.nodeAnnotation"},
	{"BGPPeer", "a source from a key that no annotation has", `{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, sourceFrom: {nodeAnnotation: "example.com/"}}`, "spec.sourceFrom.nodeAnnotation"},
	{"BGPPeer", "a router id from a key that no annotation has", `{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, routerIDFrom: {nodeAnnotation: "a/b/c"}}`, "spec.routerIDFrom.nodeAnnotation"},
	{"BGPPeer", "a VRF with a space", `{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, vrf: "blue red"}`, "spec.vrf"},
	{"BGPPeer", "no VRF and no profile", `{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, vrf: "", bfdProfile: ""}`, ""},
	{"BGPPeer", "a profile that no object is called", `{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, bfdProfile: Fast_BFD}`, "spec.bfdProfile"},
	{"BGPPeer", "a Secret that no object is called", `{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, passwordSecret: {name: "daymark-system/tor"}}`, "spec.passwordSecret.name"},
	{"BGPPeer", "a key that no Secret has", `{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, passwordSecret: {name: tor, key: "the password"}}`, "spec.passwordSecret.key"},
	{"BGPPeer", "a peer nowhere", `{myASN: 64512, peerASN: 64513}`, "give exactly one of peerAddress, interface and peerFrom"},
	{"BGPPeer", "a peer in two places", `{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, interface: eth0}`, "give exactly one of peerAddress, interface and peerFrom"},
	{"BGPPeer", "a peer from two sources", `{myASN: 64512, peerASN: 64513, peerFrom: {defaultGateway: IPv4, nodeAnnotation: a}}`, "give either defaultGateway or nodeAnnotation"},
	{"BGPPeer", "no AS number of the peer", `{myASN: 64512, peerAddress: 192.0.2.1}`, "give either peerASN or dynamicASN"},
	{"BGPPeer", "two AS numbers of the peer", `{myASN: 64512, peerASN: 64513, dynamicASN: external, peerAddress: 192.0.2.1}`, "give either peerASN or dynamicASN"},
	{"BGPPeer", "AS number 0", `{myASN: 0, peerASN: 64513, peerAddress: 192.0.2.1}`, "spec.myASN"},
	{"BGPPeer", "an AS number of 33 bits", `{myASN: 64512, peerASN: 4294967296, peerAddress: 192.0.2.1}`, "spec.peerASN"},
	{"BGPPeer", "a local AS number like our own", `{myASN: 64512, localASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1}`, "localASN must differ from myASN"},
	{"BGPPeer", "a local AS number like the peer's", `{myASN: 64512, localASN: 64513, peerASN: 64513, peerAddress: 192.0.2.1}`, "localASN must differ from peerASN"},
	{"BGPPeer", "a local AS number inside", `{myASN: 64512, localASN: 64514, peerASN: 64512, peerAddress: 192.0.2.1}`, "localASN is for external peers only"},
	{"BGPPeer", "strict mode that is off without BFD", `{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, bfdStrict: false}`, ""},
	{"BGPPeer", "strict mode without BFD", `{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, bfdStrict: true}`, "bfdStrict waits for BFD: give a bfdProfile, too"},
	{"BGPPeer", "strict mode with an empty profile", `{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, bfdStrict: true, bfdProfile: ""}`, "bfdStrict waits for BFD: give a bfdProfile, too"},
	{"BGPPeer", "a name for an address", `{myASN: 64512, peerASN: 64513, peerAddress: router}`, "must be an IP address"},
	{"BGPPeer", "port 0", `{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, peerPort: 65536}`, "spec.peerPort"},
	{"BGPPeer", "a source of the other family", `{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, sourceAddress: "2001:db8::1"}`, "must be of the same family"},
	{"BGPPeer", "a router id in IPv6", `{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, routerID: "2001:db8::1"}`, "must have the form of an IPv4 address"},
	{"BGPPeer", "a router id of zeros", `{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, routerID: 0.0.0.0}`, "other than 0.0.0.0"},
	{"BGPPeer", "no hold time", `{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, holdTime: 0s}`, "must be a duration between 3s and 65535s, such as"},
	{"BGPPeer", "a hold time of two seconds", `{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, holdTime: 2s}`, "must be a duration between 3s and 65535s, such as"},
	{"BGPPeer", "a number for a hold time", `{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, holdTime: "90"}`, "must be a duration between 3s and 65535s, such as 90s"},
	{"BGPPeer", "a hold time of less than no time", `{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, holdTime: -5s}`, "must be a duration between 3s and 65535s, such as 90s"},
	{"BGPPeer", "durations in all forms", `{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, holdTime: 1h0m1.5s, keepaliveTime: "0", connectTime: 1500000µs, gracefulRestart: {restartTime: 1h8m}}`, ""},
	{"BGPPeer", "more durations in all forms", `{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, holdTime: "+1.h", keepaliveTime: ".5m", connectTime: 1500ms, gracefulRestart: {restartTime: 2000000000ns}}`, ""},
	{"BGPPeer", "a word for the time between keepalives", `{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, keepaliveTime: often}`, "must be 0s, or a duration between 1s and 21845s, such as 30s"},
	{"BGPPeer", "keepalives slower than the hold time", `{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, holdTime: 9s, keepaliveTime: 10s}`, "keepaliveTime must not be longer than holdTime"},
	{"BGPPeer", "multihop and GTSM", `{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, ebgpMultiHop: true, ttlSecurity: true}`, "exclude each other"},
	{"BGPPeer", "multihop inside", `{myASN: 64512, peerASN: 64512, peerAddress: 192.0.2.1, ebgpMultiHop: true}`, "for external peers only"},
	{"BGPPeer", "multihop over a link", `{myASN: 64512, peerASN: 64513, interface: eth0, ebgpMultiHop: true}`, "an unnumbered peer is on the link"},
	{"BGPPeer", "a restart of no time", `{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, gracefulRestart: {restartTime: 0s}}`, "must be a duration between 1s and 4095s, such as"},
	{"BGPPeer", "a third family", `{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, addressFamilies: [IPX]}`, "spec.addressFamilies"},
	// BFDProfile
	{"BFDProfile", "nothing said", `{}`, ""},
	{"L2Advertisement", "connections that break", `{connectionDraining: 0s}`, ""},
	{"L2Advertisement", "connections for two days", `{connectionDraining: 48h}`, "must be a duration between 0s and 24h, such as"},
	{"BGPAdvertisement", "connections for a day", `{connectionDraining: 24h}`, ""},
	{"BGPAdvertisement", "connections for less than no time", `{connectionDraining: -1s}`, "must be a duration between 0s and 24h, such as"},
	{"BFDProfile", "everything said", `{receiveInterval: 50, transmitInterval: 50, detectMultiplier: 5, minimumTTL: 200, passiveMode: true, holdDown: 5m}`, ""},
	{"BFDProfile", "a hold-down of hours", `{holdDown: 2h}`, "must be a duration between 0s and 1h, such as"},
	{"BFDProfile", "too fast", `{receiveInterval: 9}`, "spec.receiveInterval"},
	{"BFDProfile", "too slow", `{transmitInterval: 60001}`, "spec.transmitInterval"},
	{"BFDProfile", "one packet lost is down", `{detectMultiplier: 1}`, "spec.detectMultiplier"},
	{"BFDProfile", "a TTL of 256", `{minimumTTL: 256}`, "spec.minimumTTL"},
	// Community
	{"Community", "standard and large", `{communities: [{name: a, value: "64512:1"}, {name: b, value: "64512:1:2"}]}`, ""},
	{"Community", "extended and single numbers", `{communities: [{name: a, value: "rt:64512:1"}, {name: b, value: "4294967295"}, {name: c, value: "large:1:2:3"}]}`, ""},
	{"Community", "a well-known name for what it is", `{communities: [{name: no-export, value: "65535:65281"}]}`, ""},
	{"Community", "a well-known name as others spell it, for what it is", `{communities: [{name: local-AS, value: "65535:65283"}]}`, ""},
	{"Community", "a well-known name in capitals", `{communities: [{name: No-Export, value: "64512:1"}]}`, "stands for that one always"},
	{"Community", "a well-known name with an underscore", `{communities: [{name: NO_EXPORT, value: "64512:1"}]}`, "stands for that one always"},
	{"Community", "a well-known name for something else", `{communities: [{name: no-export, value: "64512:1"}]}`, "stands for that one always"},
	{"Community", "none", `{communities: []}`, "spec.communities"},
	{"Community", "a number too large", `{communities: [{name: a, value: "65536:1"}]}`, "at most 65535"},
	{"Community", "a large number too large", `{communities: [{name: a, value: "1:1:4294967296"}]}`, "at most 4294967295"},
	{"Community", "a word", `{communities: [{name: a, value: no-export}]}`, "spec.communities"},
	{"Community", "a name like a value", `{communities: [{name: "1:1", value: "1:1"}]}`, "spec.communities"},
	{"Community", "a name twice", `{communities: [{name: a, value: "1:1"}, {name: a, value: "1:2"}]}`, "Duplicate value"},
}

func TestCRD_RulesRejectInvalidSpecs(t *testing.T) {
	c := installed(t)
	for _, test := range specs {
		t.Run(test.kind+": "+test.name, func(t *testing.T) {
			object := &unstructured.Unstructured{Object: map[string]any{}}
			object.SetGroupVersionKind(v1beta1.GroupVersion.WithKind(test.kind))
			object.SetGenerateName("test-")
			var fields map[string]any
			if err := yaml.Unmarshal([]byte(test.yaml), &fields); err != nil {
				t.Fatalf("the test's own YAML: %v", err)
			}
			object.Object["spec"] = fields
			err := c.Create(t.Context(), object)
			switch {
			case test.refusal == "" && err != nil:
				t.Errorf("refused: %v", err)
			case test.refusal != "" && err == nil:
				t.Error("accepted")
			case test.refusal != "" && !strings.Contains(err.Error(), test.refusal):
				t.Errorf("refused with %q, which does not say %q", err, test.refusal)
			}
		})
	}
}

// What `kubectl daymark validate` says without a cluster is what the API server says.
func TestValidate_RefusesWhatTheAPIServerRefuses(t *testing.T) {
	for _, test := range specs {
		t.Run(test.kind+": "+test.name, func(t *testing.T) {
			text := fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata: {name: test}\nspec: %s\n", v1beta1.GroupVersion, test.kind, test.yaml)
			documents, found := validate.Read("test", strings.NewReader(text))
			checked, err := validate.Check(t.Context(), documents, &validate.Others{})
			if err != nil {
				t.Fatal(err)
			}
			var said []string
			for _, f := range append(found, checked...) {
				if !slices.Contains(ofTheController, f.Reason) {
					said = append(said, f.String())
				}
			}
			words := strings.Join(said, "\n")
			switch {
			case test.refusal == "" && words != "":
				t.Errorf("refused: %v", words)
			case test.refusal != "" && !strings.Contains(words, test.refusal):
				t.Errorf("refused with %q, which does not say %q", words, test.refusal)
			}
		})
	}
}

// ofTheController are the reasons of what the API server accepts and the controller finds wrong.
var ofTheController = []string{
	status.NotFound.Name, status.Overlap.Name, status.HeldBack.Name, status.NoPool.Name, status.SpecialRange.Name, status.Conflict.Name,
}

func TestCRD_DefaultsAreSet(t *testing.T) {
	c := installed(t)
	peer := &v1beta1.BGPPeer{}
	peer.Name = "defaults"
	asn := int64(64513)
	peer.Spec = v1beta1.BGPPeerSpec{MyASN: 64512, PeerASN: &asn, PeerAddress: "192.0.2.1"}
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(peer)
	if err != nil {
		t.Fatal(err)
	}
	// As a user writes it: without the fields that have no value.
	sparse := &unstructured.Unstructured{Object: object}
	sparse.SetGroupVersionKind(v1beta1.GroupVersion.WithKind("BGPPeer"))
	for _, field := range []string{"holdTime", "keepaliveTime", "connectTime", "gracefulRestart"} {
		unstructured.RemoveNestedField(sparse.Object, "spec", field)
	}
	if err := c.Create(t.Context(), sparse); err != nil {
		t.Fatal(err)
	}
	if err := c.Get(t.Context(), client.ObjectKey{Name: "defaults"}, peer); err != nil {
		t.Fatal(err)
	}
	spec := peer.Spec
	if spec.PeerPort != 179 || spec.HoldTime.Duration != 90*time.Second || spec.ConnectTime.Duration != 30*time.Second {
		t.Errorf("port %d, hold time %s, connect time %s", spec.PeerPort, spec.HoldTime.Duration, spec.ConnectTime.Duration)
	}
	if restart := spec.GracefulRestart; restart.Enabled == nil || !*restart.Enabled || restart.RestartTime.Duration != 30*time.Second {
		t.Errorf("graceful restart %+v", restart)
	}
}

func TestCRD_SamplesAreAccepted(t *testing.T) {
	c := installed(t)
	files, err := filepath.Glob("../../config/samples/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("find the samples: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for document := range strings.SplitSeq(string(text), "\n---\n") {
			object := &unstructured.Unstructured{}
			if err := yaml.Unmarshal([]byte(document), object); err != nil {
				t.Fatalf("read %s: %v", file, err)
			}
			if err := c.Create(t.Context(), object); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
}

// installed returns a client of an API server with the kinds.
func installed(t *testing.T) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1beta1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	if err := apiextensionsv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(lab.ControlPlane(t), client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../../config/crd/bases/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("find the CRDs: %v", err)
	}
	for _, file := range files {
		install(t, c, file)
	}
	return c
}

func install(t *testing.T, c client.Client, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.Unmarshal(text, crd); err != nil {
		t.Fatalf("read %s: %v", file, err)
	}
	if err := c.Create(t.Context(), crd); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatalf("the API server refuses %s: %v", file, err)
	}
	lab.Eventually(t, time.Minute, crd.Name+" is served", func() error {
		object := &unstructured.UnstructuredList{}
		object.SetGroupVersionKind(v1beta1.GroupVersion.WithKind(crd.Spec.Names.ListKind))
		return c.List(t.Context(), object)
	})
}

// An object from before a rule can still be changed, as long as what the rule is about stays as it is.
func TestCRD_WhatWasInvalidBeforeARuleStaysChangeable(t *testing.T) {
	c := installed(t)
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := c.Get(t.Context(), client.ObjectKey{Name: "bgpadvertisements.daymark.io"}, crd); err != nil {
		t.Fatal(err)
	}
	strict := crd.DeepCopy()
	for i := range crd.Spec.Versions {
		spec := crd.Spec.Versions[i].Schema.OpenAPIV3Schema.Properties["spec"]
		spec.Properties["communities"] = apiextensionsv1.JSONSchemaProps{
			Type: "array", Items: &apiextensionsv1.JSONSchemaPropsOrArray{Schema: &apiextensionsv1.JSONSchemaProps{Type: "string"}},
		}
		requirement := spec.Properties["nodeSelectors"].Items.Schema.Properties["matchExpressions"].Items.Schema
		operator := requirement.Properties["operator"]
		operator.Enum = nil
		requirement.Properties["operator"] = operator
	}
	if err := c.Update(t.Context(), crd); err != nil {
		t.Fatal(err)
	}
	object := &v1beta1.BGPAdvertisement{}
	object.Spec.Communities = []string{"no export"}
	object.Spec.NodeSelectors = []v1beta1.LabelSelector{{MatchExpressions: []v1beta1.LabelSelectorRequirement{{Key: "a", Operator: "Near"}}}}
	n := 0
	lab.Eventually(t, time.Minute, "the API server takes the schema without the rules", func() error {
		n++
		object.Name, object.ResourceVersion = fmt.Sprintf("before-%d", n), ""
		return c.Create(t.Context(), object)
	})
	strict.ResourceVersion = crd.ResourceVersion
	if err := c.Update(t.Context(), strict); err != nil {
		t.Fatal(err)
	}
	lab.Eventually(t, time.Minute, "the API server takes the rules again", func() error {
		another := &v1beta1.BGPAdvertisement{Spec: object.Spec}
		another.GenerateName = "refused-"
		if c.Create(t.Context(), another) == nil {
			return errors.New("an invalid object is accepted")
		}
		return nil
	})
	object.Status.Accepted = &v1beta1.AcceptedBGPAdvertisement{Generation: 1}
	if err := c.Status().Update(t.Context(), object); err != nil {
		t.Errorf("its status cannot be written: %v", err)
	}
	med := int64(7)
	object.Spec.MED = &med
	if err := c.Update(t.Context(), object); err != nil {
		t.Errorf("another part of it cannot be changed: %v", err)
	}
	object.Spec.Communities = []string{"no export", "64512:1"}
	if err := c.Update(t.Context(), object); err == nil {
		t.Error("the invalid part can be changed into something invalid")
	}
}
