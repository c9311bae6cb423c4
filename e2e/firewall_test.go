package e2e_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// gossipPort is where speakers gossip, by UDP and TCP.
const gossipPort = 7946

// Promise: when the gossip is cut and the segment is not, each address keeps its one holder, and somebody says what is cut.

func TestLayer2_FirewallOnTheGossipMovesNothing(t *testing.T) {
	for _, protocols := range [][]string{{"udp"}, {"tcp"}, {"udp", "tcp"}} {
		t.Run(strings.Join(protocols, "+"), func(t *testing.T) {
			cluster := daymark(t)
			awaitMembers(t, cluster)
			addresses := manyServices(t, cluster, 6, "192.0.2.210-192.0.2.219")
			before := map[netip.Addr]string{}
			awaitHolders(t, cluster, "each address has one holder", addresses, func(holders map[netip.Addr]string) error {
				before = holders
				return nil
			})
			watch := cluster.Client().Watch(addresses...)
			began := time.Now()
			cluster.Node("n1").Firewall([]uint16{gossipPort}, protocols...)
			awaitBlockedGossip(t, cluster)
			hold(3 * time.Second) // Longer than any time-out after which an address would be taken.
			cut := watch.Seen()
			mustHaveStayed(t, cut, began, before)

			// A holder that fails meanwhile is replaced all the same.
			victim := "n2"
			cluster.Node(victim).Speaker().Kill()
			awaitHolders(t, cluster, "the addresses of "+victim+" have other holders", addresses, func(holders map[netip.Addr]string) error {
				if counts(holders)[victim] > 0 {
					return fmt.Errorf("it is %v", holders)
				}
				return nil
			})
			cluster.Node(victim).Speaker().Start()
			cluster.Node("n1").RemoveFirewall()
			awaitMembers(t, cluster)
			awaitHolders(t, cluster, "each address has one holder", addresses, nil)
		})
	}
}

// Promise: a speaker that starts behind a firewall on the gossip, whatever that answers, makes no second holder of an address, takes part if
// one of UDP and TCP passes, and somebody says what is blocked.

func TestLayer2_ASpeakerStartsBehindAFirewallOnTheGossip(t *testing.T) {
	const drop, reset, icmp = "drop", "reject with tcp reset", "reject with icmpx type port-unreachable"
	cluster := daymark(t)
	awaitMembers(t, cluster)
	addresses := manyServices(t, cluster, 6, "192.0.2.210-192.0.2.219")
	n1 := cluster.Node("n1")
	for _, firewall := range []struct{ name, tcp, udp string }{
		{"TCP is dropped", drop, ""},
		{"TCP is reset", reset, ""},
		{"UDP is rejected by ICMP", "", icmp},
		{"TCP is reset and UDP is dropped", reset, drop},
		{"both are rejected by ICMP", icmp, icmp},
		{"both are closed as a host without a speaker closes them", reset, icmp},
	} {
		t.Run(firewall.name, func(t *testing.T) {
			awaitHolders(t, cluster, "each address has one holder", addresses, nil)
			n1.Speaker().Kill()
			awaitHolders(t, cluster, "n1 holds nothing", addresses, func(holders map[netip.Addr]string) error {
				if counts(holders)["n1"] > 0 {
					return fmt.Errorf("it is %v", holders)
				}
				return nil
			})
			watch := cluster.Client().Watch(addresses...)
			began := time.Now()
			n1.FirewallRejecting(gossipPort, firewall.tcp, firewall.udp)
			n1.Speaker().Start()
			awaitBlockedGossip(t, cluster)
			hold(8 * time.Second) // Longer than a speaker waits for others that are gone.
			seen := watch.Seen()
			if shared, unheld := seen.Shared(began), seen.Unheld(began); shared > maxWrong || unheld > maxWrong {
				t.Errorf("two answered for %s, nobody for %s:\n%s", ms(shared), ms(unheld), seen.Story(began))
			}
			if firewall.tcp == "" || firewall.udp == "" {
				awaitMembers(t, cluster)
			}
			for _, node := range cluster.NodeNames() {
				o, err := cluster.Look("daymark.io/v1beta1", "Speaker", node)
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%s: %s", node, lab.Condition(o, "MembershipKnown"))
			}
			opened := time.Now()
			n1.RemoveFirewall()
			awaitMembers(t, cluster)
			hold(3 * time.Second)
			seen = watch.Seen()
			t.Logf("after it is opened two answer for %s, nobody for %s", ms(seen.Shared(opened)), ms(seen.Unheld(opened)))
		})
	}
}

// awaitBlockedGossip waits until a Speaker object says which port does not let the gossip through.
func awaitBlockedGossip(t *testing.T, cluster *lab.Cluster) {
	t.Helper()
	lab.Eventually(t, waitTimeout, "a Speaker object names the port", func() error {
		var all []string
		for _, node := range cluster.NodeNames() {
			o, err := cluster.Look("daymark.io/v1beta1", "Speaker", node)
			if err != nil {
				return err
			}
			for _, condition := range []string{"Ready", "MembershipKnown"} {
				words := lab.Condition(o, condition)
				if strings.Contains(words, fmt.Sprint(gossipPort)) {
					return nil
				}
				all = append(all, node+": "+words)
			}
		}
		return fmt.Errorf("they say %q", all)
	})
}

// maxWrong is how long two or nobody may seem to answer behind a firewall. A speaker that is misled by it stays so as long as it stands, for
// seconds; on a busy machine a hand-over or an answer may take some tenths of one.
const maxWrong = time.Second

// mustHaveStayed fails if an address was without its holder, or had another one as well, for longer than that.
func mustHaveStayed(t *testing.T, seen lab.Observations, since time.Time, before map[netip.Addr]string) {
	t.Helper()
	if shared, unheld := seen.Shared(since), seen.Unheld(since); shared > maxWrong || unheld > maxWrong {
		t.Errorf("two answered for %s, nobody for %s", ms(shared), ms(unheld))
	}
	for address, holder := range before {
		if story := seen.Holders(address, since); len(story) != 1 || story[0] != holder {
			t.Errorf("%s was held by %s and then by %v", address, holder, story)
		}
	}
}
