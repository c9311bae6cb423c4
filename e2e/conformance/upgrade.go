package main

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/daymark-lb/daymark/e2e/kubelet"
	"github.com/daymark-lb/daymark/e2e/lab/check"
	"github.com/daymark-lb/daymark/e2e/lab/router"
	"github.com/daymark-lb/daymark/e2e/lab/segment"
)

// chartValues have an object of every kind.
const chartValues = `
pools:
- name: lan
  spec: {addresses: [192.0.2.200-192.0.2.220], autoAssign: false}
- name: wan
  spec: {addresses: [203.0.113.0/25], autoAssign: false}
- name: lan-ipv6
  spec: {addresses: ["2001:db8::200-2001:db8::220"], autoAssign: false}
- name: wan-ipv6
  spec: {addresses: ["2001:db8:1b::/120"], autoAssign: false}
reservations:
- name: later
  spec: {addresses: [192.0.2.220], serviceRef: {namespace: shop, name: web}}
communities:
- name: ours
  spec: {communities: [{name: blue, value: "64512:100"}]}
bfdProfiles:
- name: slow
  spec: {receiveInterval: 1000, transmitInterval: 1000}
l2Advertisements:
- name: lan
  spec: {ipAddressPools: [lan, lan-ipv6]}
bgpPeers:
- name: router
  spec: {myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, addressFamilies: [IPv4, IPv6]}
bgpAdvertisements:
- name: wan
  spec: {ipAddressPools: [wan, wan-ipv6], peers: [router], communities: [blue]}
`

// networkV6 is what the manifests have for IPv6 beside kubelet.Network.
const networkV6 = `
apiVersion: daymark.io/v1beta1
kind: IPAddressPool
metadata: {name: lan-ipv6}
spec: {addresses: ["2001:db8::200-2001:db8::220"], autoAssign: false}
---
apiVersion: daymark.io/v1beta1
kind: L2Advertisement
metadata: {name: lan-ipv6}
spec: {ipAddressPools: [lan-ipv6]}
---
apiVersion: daymark.io/v1beta1
kind: IPAddressPool
metadata: {name: wan-ipv6}
spec: {addresses: ["2001:db8:1b::/120"], autoAssign: false}
---
apiVersion: daymark.io/v1beta1
kind: BGPAdvertisement
metadata: {name: wan-ipv6}
spec: {ipAddressPools: [wan-ipv6]}
---
apiVersion: daymark.io/v1beta1
kind: BGPPeer
metadata: {name: router}
spec: {myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, connectTime: 1s, addressFamilies: [IPv4, IPv6]}
`

// keepServices has Services kept until they are withdrawn, with the finalizer that has to go before who removes it.
const keepServices = "controller: {cleanupFinalizer: true}\n"

// moreServices are what is added to the names lan and wan of kubelet.Web: so many more Services there are of each way to announce, and
// those of the second list have an IPv6 address.
var moreServices, ipv6Services = []string{"-0", "-1", "-2"}, []string{"-ipv6-0", "-ipv6-1"}

// upgrade is a cluster between two versions.
type upgrade struct {
	t           *narrator
	c           *kubelet.Cluster
	before, now kubelet.Administrator
	lan, wan    []netip.Addr
	table       strings.Builder
	facts       strings.Builder
	wrong       error
}

// runUpgrade installs, upgrades, rolls back and uninstalls, by the chart and by manifests, and writes what users of the addresses saw
// into its section of the file.
func runUpgrade(t *narrator, file string) error {
	kubelet.Need(t)
	before, err := kubelet.ReadPrevious()
	if err != nil {
		return err
	}
	now, err := kubelet.ReadRelease()
	if err != nil {
		return err
	}
	if before.Version == now.Version {
		return fmt.Errorf("both versions are %s: commit first, or name another version before", now.Version)
	}
	c := kubelet.Start(t, kubelet.Settings{Images: append(before.Images, now.Images...)})
	u := &upgrade{t: t, c: c, before: c.Administrator(before, chartValues), now: c.Administrator(now, chartValues+keepServices)}
	if err := c.Router.Replace(router.Any.OrBest(), router.Settings{V6: true}); err != nil {
		return fmt.Errorf("have the router take IPv6 routes, too: %w", err)
	}
	u.offer()
	for _, part := range []func(){u.freshInstall, u.byChart, u.byManifests} {
		u.wrong = errors.Join(u.wrong, t.tell(func() error { part(); return nil }))
	}
	head := fmt.Sprintf("%s, Daymark %s and before it %s, Linux %s.\n\n", time.Now().UTC().Format("2006-01-02"), now.Version, before.Version, kernel())
	text := head + u.facts.String() + "\n| what happens | took | BGP: new failed, IPv4 and IPv6 | held broken | layer 2: new failed, IPv4 and IPv6 | held broken | " +
		"addresses changed | two answered, nobody answered |\n|---|---|---|---|---|---|---|---|\n" + u.table.String()
	return errors.Join(u.wrong, replaceSection(file, "upgrade", text))
}

// offer makes pods and Services, which have no addresses as long as nobody gives them some.
func (u *upgrade) offer() {
	u.c.Apply(kubelet.Web)
	const more = `apiVersion: v1
kind: Service
metadata: {name: %s, annotations: {daymark.io/address-pool: %s}}
spec: {type: LoadBalancer, ipFamilies: [%s], selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
`
	for _, way := range []string{"lan", "wan"} {
		for _, suffix := range moreServices {
			u.c.Apply(fmt.Sprintf(more, way+suffix, way, "IPv4"))
		}
		for _, suffix := range ipv6Services {
			u.c.Apply(fmt.Sprintf(more, way+suffix, way+"-ipv6", "IPv6"))
		}
	}
	u.c.Apply(stranger)
	u.c.Kubectl("rollout", "status", "daemonset/web", "--timeout=60s")
}

// ready waits for the programs, as a page says to.
func (u *upgrade) ready(a kubelet.Administrator) {
	do(a, speakersReady)
	do(a, controllerReady)
}

// served waits until every Service has an address that is reached, those of wan by way of all nodes, and says when that was so by ARP and
// when by BGP.
func (u *upgrade) served() (byARP, byBGP time.Time) {
	u.lan, u.wan = nil, nil
	for _, pool := range []string{"lan", "wan"} {
		for _, suffix := range suffixes() {
			address, _ := u.c.Service(u.t, pool+suffix).AwaitAddress()
			if pool == "lan" {
				u.lan = append(u.lan, address)
			} else {
				u.wan = append(u.wan, address)
			}
		}
	}
	for _, address := range u.lan {
		u.c.Await("the client reaches "+address.String(), func() error { _, err := u.c.Client().Get(kubelet.URL(address)); return err })
	}
	byARP = time.Now()
	for _, address := range u.wan {
		u.c.Await("the far client reaches "+address.String(), func() error { _, err := u.c.FarClient().Get(kubelet.URL(address)); return err })
	}
	byBGP = time.Now()
	for _, address := range u.wan {
		u.c.Await("the router forwards to every node", func() error {
			hops, err := u.c.Router.NextHops(segment.Single(address))
			if err == nil && len(hops) != len(u.c.Nodes) {
				err = fmt.Errorf("it forwards %s to %v", address, hops)
			}
			return err
		})
	}
	return byARP, byBGP
}

// suffixes are those of all Services of a way to announce.
func suffixes() []string { return slices.Concat([]string{""}, moreServices, ipv6Services) }

// freshInstall measures how long the chart takes from nothing to all being ready and served. It then has the speakers gossip by another
// port, and takes all off again.
func (u *upgrade) freshInstall() {
	began := time.Now()
	do(u.now, helmInstallFile, "daymark-1.2.3.tgz", u.now.Chart)
	byARP, byBGP := u.served()
	u.ready(u.now)
	all := time.Since(began)
	do(u.now, poolsReady)
	u.fact("Chart install with pools, a peer and advertisements in its values, images not on the nodes yet:\n  all %d addresses of layer 2 reached after %.1f s, "+
		"all %d by BGP after %.1f s, all Pods ready after %.1f s.", len(u.lan), byARP.Sub(began).Seconds(), len(u.wan), byBGP.Sub(began).Seconds(), all.Seconds())
	if all > time.Minute {
		u.wrong = errors.Join(u.wrong, fmt.Errorf("the chart took %s to be ready and served, and may take 60 s", all))
	}
	u.expect("Services have Daymark's finalizer while it runs", strings.Contains(u.finalizers(), "load-balancer-cleanup"), true)
	u.changeOfOne("`ports.gossip` changed by `helm upgrade`", func() { do(u.now, changePort); u.ready(u.now) })
	u.uninstallByHelm(false)
}

func (u *upgrade) fact(format string, a ...any) {
	text := fmt.Sprintf(format, a...)
	u.t.Logf("%s", strings.ReplaceAll(text, "\n ", ""))
	fmt.Fprintf(&u.facts, "- %s\n", text)
}

// byChart goes from the version before to this one and back.
func (u *upgrade) byChart() {
	do(u.now, createNamespace) // as a cluster wants it that enforces a level by default
	do(u.now, labelNamespace)
	do(u.before, helmInstall)
	u.served()
	u.ready(u.before)
	u.change("`helm upgrade`", func() { do(u.now, helmUpgrade); u.ready(u.now) })
	u.change("`helm rollback`", func() { do(u.now, helmRollback); u.ready(u.now) })
	u.uninstallByHelm(true)
}

// byManifests does the same with the files that kubectl applies.
func (u *upgrade) byManifests() {
	do(u.before, applyFirst)
	u.c.Apply(kubelet.Network)
	u.c.Apply(networkV6)
	u.served()
	u.ready(u.before)
	u.change("`kubectl apply` of this version", func() { do(u.now, applyNext); u.ready(u.now) })
	u.changeBack("`kubectl apply` of the version before", func() { do(u.before, applyNext); u.ready(u.before) })
	do(u.now, applyNext) // What is uninstalled is this version.
	u.ready(u.now)
	u.served()
	u.uninstallByManifests()
	u.forget()
}

// change does something between two versions that nobody may see, and that leaves all objects valid.
func (u *upgrade) change(what string, do func()) { u.watched(what, false, u.c.StillValid, do) }

// changeBack does the same to the definitions of the version before, which do not know all fields.
func (u *upgrade) changeBack(what string, do func()) { u.watched(what, false, u.c.Taken, do) }

// changeOfOne does something to this version alone: open connections survive it, too.
func (u *upgrade) changeOfOne(what string, do func()) { u.watched(what, true, u.c.StillValid, do) }

// watched does it and writes its line. All speakers pass on open connections, or not all; valid judges the objects that there were.
func (u *upgrade) watched(what string, passOn bool, valid func([]unstructured.Unstructured) error, do func()) {
	objects := u.c.Objects()
	u.expect(what+": there are objects to compare", len(objects) > 0, true)
	holders := u.c.Client().Holders(u.lan...)
	w := watch(u.c, u.lan, u.wan)
	do()
	took := time.Since(w.began)
	time.Sleep(afterwards)
	cells, err := w.stop(passOn)
	if err == nil {
		err = valid(objects)
	}
	line := fmt.Sprintf("| %s | %.1f s | %s", what, took.Seconds(), cells)
	u.t.Logf("%s", line)
	fmt.Fprintln(&u.table, line)
	if err != nil {
		u.t.Logf("%s: %v", what, err)
		u.wrong = errors.Join(u.wrong, fmt.Errorf("%s: %w", what, err))
	}
	after := u.c.Client().Holders(u.lan...)
	for _, address := range u.lan {
		if len(after[address]) != 1 {
			u.wrong = errors.Join(u.wrong, fmt.Errorf("%s: %s is answered for by %v, and was by %v", what, address, after[address], holders[address]))
		}
	}
}

// gone waits until an address of each pool is reached by nobody any more. Routers would keep the routes of a speaker that restarts for 30 s.
func (u *upgrade) gone() {
	check.Eventually(u.t, 20*time.Second, "nobody answers any more", func() error {
		if holders := u.c.Client().Holders(u.lan...); len(holders) > 0 {
			return fmt.Errorf("%v", holders)
		}
		return nil
	})
	check.Eventually(u.t, 20*time.Second, "the router has no route any more", func() error {
		for _, address := range u.wan {
			if hops, err := u.c.Router.NextHops(segment.Single(address)); err != nil || len(hops) > 0 {
				return errors.Join(err, fmt.Errorf("it forwards %s to %v", address, hops))
			}
		}
		return nil
	})
}

// addressesNow are those in the status of all Services, sorted.
func (u *upgrade) addressesNow() (all []string) {
	for _, pool := range []string{"lan", "wan"} {
		for _, suffix := range suffixes() {
			addresses, err := u.c.Service(u.t, pool+suffix).Addresses()
			must(err)
			for _, a := range addresses {
				all = append(all, a.String())
			}
		}
	}
	slices.Sort(all)
	return all
}
