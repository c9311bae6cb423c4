package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/internal/core/announce"
)

// Promise: with holdDown, a path on which BFD has failed has no traffic before BFD has been up for so long, and the session is up meanwhile.

func TestBFD_HoldDownKeepsRoutesFromAPathThatFlaps(t *testing.T) {
	const holdDown, bgpPort, bfdPort = 15 * time.Second, 179, 3784
	lab.Need(t, lab.FRR)
	cluster := daymark(t)
	address := underBFD(t, cluster, lab.FRR, bfdInterval, "flaps", "198.19.34.0/24")
	cluster.Kubectl("patch", "bfdprofile", "flaps", "--type", "merge", "-p", fmt.Sprintf(`{"spec":{"holdDown":%q}}`, holdDown))
	node := cluster.Node("n2")
	lab.Eventually(t, waitTimeout, "the session is established for so long that BFD which fails means the path", func() error {
		session, err := sessionOf(cluster, "n2", "flaps")
		if up := time.Since(session.Since.Time); err == nil && (session.State != v1beta1.BGPEstablished || up < announce.BFDRestart+2*time.Second) {
			err = fmt.Errorf("it says %+v", session)
		}
		return err
	})
	// BGP, too, so that nothing of holdDown passes before the path is mended.
	node.Firewall([]uint16{bgpPort, bfdPort}, "tcp", "udp")
	awaitNextHops(t, cluster, address.String(), "n1", "n3")
	lab.Eventually(t, waitTimeout, "the node has ended the session, too", func() error {
		session, err := sessionOf(cluster, "n2", "flaps")
		if err == nil && session.State == v1beta1.BGPEstablished {
			err = fmt.Errorf("it says %+v", session)
		}
		return err
	})
	watch := cluster.Router().Watch(address.String())
	mended := time.Now()
	node.RemoveFirewall()
	lab.Eventually(t, waitTimeout, "the session is up, and says why it has no routes", func() error {
		session, err := sessionOf(cluster, "n2", "flaps")
		if err == nil && (session.BFD != "Up" || session.IPv4 > 0 || !strings.Contains(session.Warning, "(holdDown)")) {
			err = fmt.Errorf("it says %+v", session)
		}
		return err
	})
	lab.Eventually(t, holdDown+waitTimeout, "the routes are back", func() error {
		if got := cluster.Router().NextHopNodes(address.String()); !slices.Equal(got, cluster.NodeNames()) {
			return fmt.Errorf("it forwards to %v", got)
		}
		return nil
	})
	changes := watch.Stop()
	back := changes[len(changes)-1].At
	t.Logf("the routes are back %s after the path was mended", back.Sub(mended))
	if back.Sub(mended) < holdDown || len(changes) != 2 {
		t.Errorf("mended at %s, the next hops were %v", mended, changes)
	}
}
