package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// Bad input: a condition on that object in words, and everything else goes on.

func TestBadInput_UnparsablePoolIsRejected(t *testing.T) {
	cluster := daymark(t)
	for _, addresses := range []string{"192.0.2.300-192.0.2.310", "192.0.2.0/33", "here", ""} {
		err := cluster.TryApply(pool("wrong", addresses))
		if err == nil {
			cluster.Delete(pool("wrong", addresses))
			t.Errorf("the API server took the addresses %q", addresses)
		}
		t.Log(err)
	}
}

// What the API server's rules cannot see, the controller does.
func TestBadInput_ReversedRangeHarmsNoOtherPool(t *testing.T) {
	cluster := daymark(t)
	cluster.Apply(pool("backwards", "192.0.2.250-192.0.2.240"))
	awaitObjectCondition(t, cluster, "IPAddressPool", "backwards", "Ready", "False", "192.0.2.250-192.0.2.240")
	cluster.Apply(segmentPool("forwards", "192.0.2.240-192.0.2.242"))
	cluster.Apply(service("forwards", "forwards"))
	cluster.Service("forwards").AwaitAddress()
}

func TestBadInput_OverlappingPoolsNameEachOther(t *testing.T) {
	cluster := daymark(t)
	cluster.Apply(pool("older", "192.0.2.240-192.0.2.245"))
	cluster.Apply(pool("newer", "192.0.2.245-192.0.2.250"))
	awaitObjectCondition(t, cluster, "IPAddressPool", "older", "Overlap", "True", "newer")
	awaitObjectCondition(t, cluster, "IPAddressPool", "newer", "Overlap", "True", "older")
	cluster.Delete(pool("newer", "192.0.2.245-192.0.2.250"))
	lab.Eventually(t, waitTimeout, "the overlap is over", func() error {
		if words := lab.Condition(cluster.Get("daymark.io/v1beta1", "IPAddressPool", "older"), "Overlap"); strings.HasPrefix(words, "True") {
			return fmt.Errorf("%s", words)
		}
		return nil
	})
}

func TestBadInput_NodeAddressInAPoolIsNeverGiven(t *testing.T) {
	cluster := daymark(t)
	cluster.Apply(segmentPool("nodes", "192.0.2.12-192.0.2.13")) // n2 and n3
	awaitObjectCondition(t, cluster, "IPAddressPool", "nodes", "Ready", "", "192.0.2.12")
	cluster.Apply(service("nodes", "nodes"))
	awaitCondition(t, cluster.Service("nodes"), "daymark.io/AddressAssigned", "False")
}

func TestBadInput_RefusingPeerHarmsNoOtherPeer(t *testing.T) {
	cluster := daymark(t)
	cluster.Pod("refused", "n1")
	cluster.Apply(peer("refuses", "peerPort: 1790")) // where nobody listens
	cluster.Apply(peer("serves"))
	cluster.Apply(routedPool("refused", "198.19.4.0/24"))
	cluster.Apply(service("refused", "refused"))
	address, _ := cluster.Service("refused").AwaitAddress()
	awaitNextHops(t, cluster, address.String(), "n1", "n2", "n3")
	awaitObjectCondition(t, cluster, "BGPPeer", "serves", "SessionsEstablished", "True")
	awaitObjectCondition(t, cluster, "BGPPeer", "refuses", "SessionsEstablished", "False", "refused")
}

func TestBadInput_PeerOfAnotherASIsReported(t *testing.T) {
	cluster := daymark(t)
	cluster.Apply(strings.ReplaceAll(peer("wrong-asn"), "peerASN: 64513", "peerASN: 64999"))
	awaitObjectCondition(t, cluster, "BGPPeer", "wrong-asn", "SessionsEstablished", "False", "AS")
}

func TestBadInput_MissingSecretIsNamed(t *testing.T) {
	cluster := daymark(t)
	cluster.Apply(peer("secretive", "passwordSecret: {name: not-there}"))
	awaitObjectCondition(t, cluster, "BGPPeer", "secretive", "Ready", "False", "not-there")
}

func TestAPIServer_SpeakersAnnounceAndFailOverWithoutIt(t *testing.T) {
	cluster := daymark(t)
	pod := cluster.Pod("silent", "n1")
	cluster.Apply(peer("silent") + "\n---" + strings.ReplaceAll(bothWays, "near", "silent"))
	cluster.Apply(segmentPool("silent", "192.0.2.246-192.0.2.249"))
	cluster.Apply(service("silent", "silent"))
	address, _ := cluster.Service("silent").AwaitAddress()
	holder := awaitHolder(t, cluster, address)
	awaitNextHops(t, cluster, address.String(), "n1", "n2", "n3")
	moveAway(t, cluster, pod, holder, address)

	t.Cleanup(cluster.StartAPIServer)
	cluster.StopAPIServer()
	lab.Always(t, 5*time.Second, "everything stays", func() error {
		if all := cluster.Client().WhoHas(address); !slices.Equal(all, []string{holder}) {
			return fmt.Errorf("ARP for %s is answered by %v", address, all)
		}
		if hops := cluster.Router().NextHopNodes(address.String()); len(hops) != 3 {
			return fmt.Errorf("the router forwards to %v", hops)
		}
		_, err := cluster.Client().Get(url(address))
		return err
	})

	cluster.Node(holder).Crash()
	lab.Eventually(t, 30*time.Second, "another node holds it", func() error {
		if now := cluster.Client().Holder(address); now == "" || now == holder {
			return fmt.Errorf("%q does", now)
		}
		return nil
	})
	cluster.Node(holder).Return()
	for _, node := range cluster.Nodes() {
		if !node.Speaker().Running() {
			t.Errorf("the speaker of %s has ended", node.Name)
		}
	}

	if !cluster.Controller().Running() {
		t.Error("the controller has ended")
	}

	cluster.StartAPIServer()
	cluster.Apply(strings.ReplaceAll(service("silent-2", "silent"), "app: silent-2", "app: silent"))
	again, _ := cluster.Service("silent-2").AwaitAddress()
	awaitNextHops(t, cluster, again.String(), "n1", "n2", "n3") // all speakers follow the API server again
}

func TestAPIServer_SpeakerWaitsForIt(t *testing.T) {
	cluster := daymark(t)
	cluster.Pod("early", "n1")
	cluster.Apply(peer("early") + "\n---" + routedPool("early", "198.19.5.0/24"))
	cluster.Apply(service("early", "early"))
	address, _ := cluster.Service("early").AwaitAddress()
	awaitNextHops(t, cluster, address.String(), "n1", "n2", "n3")

	speaker := cluster.Node("n2").Speaker()
	speaker.Stop()
	t.Cleanup(cluster.StartAPIServer)
	cluster.StopAPIServer()
	speaker.Start()
	lab.Always(t, 3*time.Second, "it waits", func() error {
		if !speaker.Running() {
			return errors.New("it has ended")
		}
		return nil
	})
	cluster.StartAPIServer()
	lab.Eventually(t, time.Minute, "it announces", func() error {
		if got := cluster.Router().Sessions()["n2"]; got != "Established" {
			return fmt.Errorf("its session is %s", got)
		}
		return nil
	})
	awaitNextHops(t, cluster, address.String(), "n1", "n2", "n3")
}

func TestPrograms_WrongFlagIsOneLineAndExitStatus2(t *testing.T) {
	cluster := daymark(t)
	for _, program := range []string{"controller", "speaker"} {
		for _, arguments := range [][]string{{"--nonsense"}, {"--metrics-bind-address", "nonsense"}, {"argument"}} {
			t.Run(program+" "+strings.Join(arguments, " "), func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), waitTimeout)
				defer cancel()
				out, diagnosis, status := cluster.RunDaymark(ctx, program, arguments...)
				if status != 2 || out != "" || strings.Count(diagnosis, "\n") != 1 {
					t.Errorf("exit status %d, stdout %q, stderr %q; want 2, nothing, one line", status, out, diagnosis)
				}
			})
		}
	}
}
