package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"testing"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// What the plugin says routers are told is what a router has, and the digests of the speakers agree; again after an advertisement is edited,
// by which no route comes or goes and only attributes change.
func TestPlugin_RoutesAreThoseThatWereSent(t *testing.T) {
	lab.Need(t, lab.FRR)
	cluster := daymark(t)
	cluster.Router().Configure(lab.FRR, lab.RouterSettings{})
	p := buildPlugin(t, cluster)
	cluster.Pod("told", "n1")
	cluster.Apply(peer("told"))
	cluster.Apply(pool("told", "198.19.31.0/24"))
	for i, edit := range []struct {
		community string
		med       int
	}{{"64512:31", 0}, {"64512:32", 7}} {
		cluster.Apply(toldAs(edit.community, edit.med))
		if i == 0 {
			cluster.Apply(service("told", "told"))
		}
		address, _ := cluster.Service("told").AwaitAddress()
		awaitNextHops(t, cluster, address.String(), "n1", "n2", "n3")
		p.says("routes --service told", 0, address.String()+"/32", fmt.Sprintf("med %d, communities %s", edit.med, edit.community))
		p.says("explain peer told", 0, "1 IPv4 and 0 IPv6 prefixes told, as the objects ask for")
		awaitAttributes(t, cluster, address, edit.community, edit.med)
		toldOf(t, p, cluster)
	}
}

// toldAs is the advertisement of the pool told.
func toldAs(community string, med int) string {
	return fmt.Sprintf(`
apiVersion: daymark.io/v1beta1
kind: BGPAdvertisement
metadata: {name: told}
spec: {ipAddressPools: [told], communities: ["%s"], med: %d}
`, community, med)
}

// toldOf checks that the plugin names three sessions whose digests agree, each with the address of its node as the next hop.
func toldOf(t *testing.T, p *plugin, cluster *lab.Cluster) {
	t.Helper()
	var list struct {
		Items []struct {
			Node   string
			Sent   struct{ Result string }
			Routes []struct{ NextHops []netip.Addr }
		}
	}
	stdout, stderr, _ := p.run("routes --peer told -o json")
	if err := json.Unmarshal([]byte(stdout), &list); err != nil || len(list.Items) != 3 {
		t.Fatalf("error %v, it says %s%s", err, stdout, stderr)
	}
	for _, s := range list.Items {
		if s.Sent.Result != "Agrees" || len(s.Routes) != 1 || len(s.Routes[0].NextHops) != 1 || cluster.NodeAt(s.Routes[0].NextHops[0]) != s.Node {
			t.Errorf("of %s it says %+v", s.Node, s)
		}
	}
}

// awaitAttributes waits until the router has three routes to an address with a community and a MED.
func awaitAttributes(t *testing.T, cluster *lab.Cluster, address netip.Addr, community string, med int) {
	t.Helper()
	lab.Eventually(t, waitTimeout, "the router has the attributes", func() error {
		var shown struct {
			Paths []struct {
				Metric    int
				Community struct{ String string }
			}
		}
		if err := cluster.Router().Show("bgp ipv4 unicast "+address.String()+"/32", &shown); err != nil {
			return err
		}
		for _, path := range shown.Paths {
			if path.Community.String != community || path.Metric != med {
				return fmt.Errorf("it has %+v", shown.Paths)
			}
		}
		if len(shown.Paths) != 3 {
			return fmt.Errorf("it has %+v", shown.Paths)
		}
		return nil
	})
}
