package e2e_test

import (
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// Promise 3: every node announces the address by BGP; the router has as many next hops, and the client behind it is answered.

func TestBGP_EveryNodeIsANextHop(t *testing.T) {
	for _, kind := range []lab.RouterKind{lab.FRR, lab.BIRD, lab.GoBGP} {
		t.Run(string(kind), func(t *testing.T) {
			lab.Need(t, kind)
			cluster := daymark(t)
			cluster.Router().Configure(kind, lab.RouterSettings{Password: "lighthouse"})
			cluster.Apply(`
apiVersion: v1
kind: Secret
metadata: {name: router, namespace: daymark-system}
type: kubernetes.io/basic-auth
stringData: {password: lighthouse}
`)
			cluster.Apply(peer("router", "passwordSecret: {name: router}"))
			cluster.Pod("shop", "n2")
			cluster.Apply(routedPool("routed", "198.19.0.0/24"))
			awaitSessions(t, cluster)

			began := time.Now()
			cluster.Apply(service("shop", "routed"))
			address, _ := cluster.Service("shop").AwaitAddress()
			awaitNextHops(t, cluster, address.String(), "n1", "n2", "n3")
			t.Logf("from the Service to three next hops: %s", time.Since(began))
			if answer := cluster.FarClient().MustGet(url(address)); answer.Pod != "shop" {
				t.Errorf("the far client was answered %q", answer)
			}
			if all := cluster.Client().WhoHas(address); len(all) > 0 {
				t.Errorf("ARP for an address that is announced by BGP alone is answered by %v", all)
			}
			awaitObjectCondition(t, cluster, "BGPPeer", "router", "SessionsEstablished", "True")

			cluster.Delete(service("shop", "routed"))
			awaitNextHops(t, cluster, address.String())
		})
	}
}

func TestBGP_NodeThatDoesNotPeerIsNoNextHop(t *testing.T) {
	cluster := daymark(t)
	cluster.Pod("two", "n2")
	cluster.Apply(peer("two", "nodeSelectors: [{matchExpressions: [{key: kubernetes.io/hostname, operator: NotIn, values: [n2]}]}]"))
	cluster.Apply(routedPool("two", "198.19.1.0/24"))
	cluster.Apply(service("two", "two"))
	address, _ := cluster.Service("two").AwaitAddress()
	awaitNextHops(t, cluster, address.String(), "n1", "n3")
	if state := cluster.Router().Sessions()["n2"]; state == "Established" {
		t.Errorf("the session with n2 is %s", state)
	}
	if answer := cluster.FarClient().MustGet(url(address)); answer.Node != "n2" {
		t.Errorf("the far client was answered %q, want the pod on n2", answer)
	}
}

func TestBGP_RoutesReturnAfterASpeakerIsKilled(t *testing.T) {
	cluster := daymark(t)
	cluster.Pod("again", "n1")
	cluster.Apply(peer("again", "gracefulRestart: {enabled: false}"))
	cluster.Apply(routedPool("again", "198.19.2.0/24"))
	cluster.Apply(service("again", "again"))
	address, _ := cluster.Service("again").AwaitAddress()
	awaitNextHops(t, cluster, address.String(), "n1", "n2", "n3")
	cluster.Node("n3").Speaker().Kill()
	awaitNextHops(t, cluster, address.String(), "n1", "n2")
	cluster.Node("n3").Speaker().Start()
	awaitNextHops(t, cluster, address.String(), "n1", "n2", "n3")
}

func TestBGP_CommunitiesAndLocalPrefReachTheRouter(t *testing.T) {
	lab.Need(t, lab.BIRD)
	cluster := daymark(t)
	cluster.Router().Configure(lab.BIRD, lab.RouterSettings{})
	cluster.Pod("tagged", "n1")
	cluster.Apply(peer("tagged"))
	cluster.Apply(pool("tagged", "198.19.3.0/24") + `
---
apiVersion: daymark.io/v1beta1
kind: BGPAdvertisement
metadata: {name: tagged}
spec:
  ipAddressPools: [tagged]
  communities: ["64512:100", no-export]
`)
	cluster.Apply(service("tagged", "tagged"))
	address, _ := cluster.Service("tagged").AwaitAddress()
	awaitNextHops(t, cluster, address.String(), "n1", "n2", "n3")
	view := cluster.Router().View()
	for _, want := range []string{"(64512,100)", "(65535,65281)"} {
		if !strings.Contains(view, want) {
			t.Errorf("the router does not see the community %s:\n%s", want, view)
		}
	}
}
