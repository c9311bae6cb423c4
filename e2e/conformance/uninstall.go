package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// stranger is what another provider has in the cluster: kinds that are called as ours, an object of each, and a Service.
var stranger = strangerKind("IPAddressPool") + strangerKind("BGPPeer") + `apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: lan, namespace: default}
spec: {addresses: [198.51.100.64/28]}
---
apiVersion: metallb.io/v1beta1
kind: BGPPeer
metadata: {name: router, namespace: default}
spec: {peerAddress: 192.0.2.1}
---
apiVersion: v1
kind: Service
metadata: {name: theirs, annotations: {metallb.io/ip-allocated-from-pool: lan}}
spec: {type: LoadBalancer, loadBalancerClass: metallb.io/metallb, selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
`

func strangerKind(kind string) string {
	return fmt.Sprintf(`apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %[2]ss.metallb.io}
spec:
  group: metallb.io
  names: {kind: %[1]s, listKind: %[1]sList, plural: %[2]ss, singular: %[2]s}
  scope: Namespaced
  versions: [{name: v1beta1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
---
`, kind, strings.ToLower(kind))
}

// finalizers are those of all Services.
func (u *upgrade) finalizers() string {
	return u.c.Kubectl("get", "services", "--all-namespaces", "-o", "jsonpath={.items[*].metadata.finalizers}")
}

// theirs are the versions of those objects, which rise with each change.
func (u *upgrade) theirs() string {
	return u.c.Kubectl("--namespace=default", "get", "ipaddresspools.metallb.io/lan", "bgppeers.metallb.io/router", "service/theirs",
		"-o", `jsonpath={range .items[*]}{.kind} {.metadata.resourceVersion}{"\n"}{end}`)
}

// uninstallByHelm takes off the programs, looks what stays, and takes off that as well. What is announced is deleted first, or goes with
// the programs.
func (u *upgrade) uninstallByHelm(announcedFirst bool) {
	u.uninstall(announcedFirst, helmUninstall, true, deleteDefinitions, deleteNamespace)
}

// uninstallByManifests takes off everything at once.
func (u *upgrade) uninstallByManifests() { u.uninstall(false, deleteManifests, false) }

// uninstall does what docs/uninstall.md says, and compares what stays with its table. The rest are the commands for what stays.
func (u *upgrade) uninstall(announcedFirst bool, programs command, stays bool, rest ...command) {
	addresses, theirs := u.addressesNow(), u.theirs()
	how := "`" + programs.text + "` alone"
	began := time.Now()
	if announcedFirst {
		how = "What is announced deleted, and then `" + programs.text + "`"
		do(u.now, deleteAnnounced)
		u.gone()
		u.expect("the speakers run until nothing is announced", len(u.list("pods", "--namespace=daymark-system")) > 0, true)
	} else {
		do(u.now, programs)
		u.gone()
	}
	silent := time.Since(began)
	if announcedFirst {
		do(u.now, programs)
	}
	u.c.Await("no Pod is left", func() error {
		if pods := u.list("pods", "--namespace=daymark-system"); len(pods) > 0 {
			return fmt.Errorf("%v", pods)
		}
		return nil
	})
	all := time.Since(began)
	u.expect("Services have Daymark's finalizer", strings.Contains(u.finalizers(), "load-balancer-cleanup"), false)
	u.expect("the definitions are there", len(u.definitions()) > 0, stays)
	u.expect("the namespace is there", slices.Contains(u.list("namespaces"), "namespace/daymark-system"), stays)
	if stays {
		u.expect("the pools are there", strings.Join(u.list("ipaddresspools.daymark.io"), " ") ==
			"ipaddresspool.daymark.io/lan ipaddresspool.daymark.io/lan-ipv6 ipaddresspool.daymark.io/wan ipaddresspool.daymark.io/wan-ipv6", true)
	}
	for _, c := range rest {
		do(u.now, c)
	}
	u.expect("the definitions are there when all is done", len(u.definitions()) > 0, false)
	u.expect("the namespace is there when all is done", slices.Contains(u.list("namespaces"), "namespace/daymark-system"), false)
	u.expect("the Services have the addresses that they had", slices.Equal(u.addressesNow(), addresses), true)
	u.expect("the objects of another provider are as they were", u.theirs() == theirs, true)
	u.fact("%s:\n  nothing was announced any more after %.1f s, and no Pod was left after %.1f s.", how, silent.Seconds(), all.Seconds())
}

// forget takes the address off one Service, when Daymark is gone.
func (u *upgrade) forget() {
	before := len(u.addressesNow())
	do(u.now, forgetAddress, "NAMESPACE", "default", "NAME", "lan-0")
	u.expect("one Service has no address any more, and the others have theirs", len(u.addressesNow()) == before-1, true)
}

// expect notes what is not as it should be.
func (u *upgrade) expect(what string, is, should bool) {
	if is != should {
		u.wrong = errors.Join(u.wrong, fmt.Errorf("%s: %t, want %t", what, is, should))
	}
}

// definitions are those of our kinds.
func (u *upgrade) definitions() []string {
	return slices.DeleteFunc(u.list("customresourcedefinitions"), func(name string) bool { return !strings.HasSuffix(name, ".daymark.io") })
}

// list returns the names of objects, as kind/name.
func (u *upgrade) list(arguments ...string) []string {
	return strings.Fields(u.c.Kubectl(append([]string{"get", "--output=name"}, arguments...)...))
}
