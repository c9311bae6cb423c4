package e2e_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// Promise 6: the node that holds the address drops off the network, or its speaker dies, and another takes over.

func TestLayer2_CrashedHolderIsReplaced(t *testing.T) {
	cluster := daymark(t)
	address, pod := heldAddress(t, cluster, "crash")
	s := observe(t, cluster, pod, address)
	crashed := time.Now()
	cluster.Node(s.holder).Crash()
	s.awaitHeir(crashed)
	report, observations := s.end(crashed)
	mustBeUnder(t, "the outage", max(report.Outage(), observations.Unheld(crashed)))
}

// Without heartbeats memberlist alone finds the crash, in about a second.
func TestLayer2_CrashedHolderIsReplacedWithoutHeartbeats(t *testing.T) {
	cluster := daymark(t)
	cluster.UseSpeakerFlags("--heartbeat-interval=0")
	awaitMembers(t, cluster)
	address, pod := heldAddress(t, cluster, "memberlist")
	s := observe(t, cluster, pod, address)
	crashed := time.Now()
	cluster.Node(s.holder).Crash()
	s.awaitHeir(crashed)
	report, _ := s.end(crashed)
	if outage := report.Outage(); outage < 500*time.Millisecond || outage > 5*time.Second {
		t.Errorf("the outage was %v: sooner than memberlist can know, or later than it should", outage)
	}
}

func TestLayer2_ReturningNodeTakesNothingBack(t *testing.T) {
	cluster := daymark(t)
	address, pod := heldAddress(t, cluster, "returns")
	s := observe(t, cluster, pod, address)
	crashed := time.Now()
	cluster.Node(s.holder).Crash()
	heir := s.awaitHeir(crashed)

	returned := time.Now()
	cluster.Node(s.holder).Return()
	awaitMembers(t, cluster)
	met := time.Now()
	lab.Eventually(t, waitTimeout, "there is one holder", func() error {
		_, err := s.watch.Seen().Settled(met, 2*time.Second)
		return err
	})
	_, observations := s.end(returned)
	story := observations.Holders(address, returned)
	if last := story[len(story)-1]; last != heir {
		t.Errorf("%s had it; after %s is back %v do", heir, s.holder, story)
	}
	settled, err := observations.Settled(returned, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	mustBeUnder(t, "settling on one holder", settled)
}

func TestLayer2_KilledSpeakerIsReplaced(t *testing.T) {
	cluster := daymark(t)
	address, pod := heldAddress(t, cluster, "killed")
	s := observe(t, cluster, pod, address)
	speaker := cluster.Node(s.holder).Speaker()
	t.Cleanup(func() { speaker.Start() })
	killed := time.Now()
	speaker.Kill()
	s.awaitHeir(killed)
	_, observations := s.end(killed)
	mustBeUnder(t, "the time without a holder", observations.Unheld(killed))
}

func TestLayer2_FiftyAddressesAreTakenOver(t *testing.T) {
	const count = 50
	cluster := daymark(t)
	awaitMembers(t, cluster)
	addresses := manyServices(t, cluster, count, "192.0.2.200-192.0.2.249")
	before := map[netip.Addr]string{}
	awaitHolders(t, cluster, "each address has one holder", addresses, func(holders map[netip.Addr]string) error {
		before = holders
		return nil
	})
	crashes := before[addresses[0]]
	watch := cluster.Client().Watch(addresses...)
	crashed := time.Now()
	cluster.Node(crashes).Crash()
	awaitHolders(t, cluster, "the others hold all", addresses, func(holders map[netip.Addr]string) error {
		for address, node := range holders {
			if node == crashes || before[address] != crashes && node != before[address] {
				return fmt.Errorf("%s held %s, and %s does", before[address], address, node)
			}
		}
		return nil
	})
	observations := watch.Stop()
	t.Logf("%s held %d of %d; nobody answered for one of them for %s, two for %s", crashes, counts(before)[crashes], count,
		ms(observations.Unheld(crashed)), ms(observations.Shared(crashed)))
	mustBeUnder(t, "the time without a holder", observations.Unheld(crashed))
}

const bothFamilies = `
apiVersion: daymark.io/v1beta1
kind: IPAddressPool
metadata: {name: both}
spec: {addresses: [192.0.2.230-192.0.2.239, "2001:db8::5:0/112"], autoAssign: false}
---
apiVersion: daymark.io/v1beta1
kind: L2Advertisement
metadata: {name: both}
spec: {ipAddressPools: [both]}
`

func TestLayer2_IPv6AddressIsTakenOver(t *testing.T) {
	cluster := daymark(t)
	cluster.Apply(bothFamilies)
	pod := cluster.Pod("six", "n1")
	cluster.Apply(service("six", "both", "ipFamilyPolicy: SingleStack", "ipFamilies: [IPv6]"))
	address, _ := cluster.Service("six").AwaitAddress()
	if !address.Is6() {
		t.Fatalf("the address is %s", address)
	}
	s := observe(t, cluster, pod, address)
	crashed := time.Now()
	cluster.Node(s.holder).Crash()
	s.awaitHeir(crashed)
	report, observations := s.end(crashed)
	mustBeUnder(t, "the outage", max(report.Outage(), observations.Unheld(crashed)))
}

func TestLayer2_DualStackAddressesAreTakenOver(t *testing.T) {
	cluster := daymark(t)
	cluster.Apply(bothFamilies)
	pod := cluster.Pod("dual", "n1")
	cluster.Apply(service("dual", "both", "ipFamilyPolicy: RequireDualStack"))
	cluster.Service("dual").AwaitAddress()
	addresses, err := cluster.Service("dual").Addresses()
	if err != nil || len(addresses) != 2 {
		t.Fatalf("it has %v, %v", addresses, err)
	}
	s := observe(t, cluster, pod, addresses...)
	crashed := time.Now()
	cluster.Node(s.holder).Crash()
	s.awaitHeir(crashed)
	report, observations := s.end(crashed)
	for _, address := range addresses {
		story := observations.Holders(address, crashed)
		if last := story[len(story)-1]; last == s.holder {
			t.Errorf("%s, which crashed, still holds %s", last, address)
		}
	}
	mustBeUnder(t, "the outage", max(report.Outage(), observations.Unheld(crashed)))
}
