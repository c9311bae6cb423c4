package unnumbered

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/netnstest"
)

// frr is FRR's zebra and bgpd in a namespace of their own.
type frr struct{ *netnstest.FRR }

// startFRR runs zebra and bgpd with configuration lines for bgpd.
func startFRR(t *testing.T, space *netnstest.Namespace, lines ...string) *frr {
	t.Helper()
	f := &frr{netnstest.NewFRR(t, space)}
	f.Start("zebra", "")
	f.Start("bgpd", strings.Join(lines, "\n")+"\n", "-n", "-p", "179")
	return f
}

// bgpNeighbor is a peer as bgpd shows it.
type bgpNeighbor struct {
	Address string `json:"bgpNeighborAddr"`
	State   string `json:"bgpState"`
	Reset   string `json:"lastResetDueTo"`
}

func (f *frr) neighbor() (bgpNeighbor, error) {
	output, err := f.Ask("bgpd", "show bgp neighbors far0 json")
	all := map[string]bgpNeighbor{}
	if err == nil {
		err = json.Unmarshal([]byte(output), &all)
	}
	return all["far0"], err
}

// TestDiscovery_FRR: an FRR that is configured with only the name of its interface finds us, is found, and accepts the
// connection.
func TestDiscovery_FRR(t *testing.T) {
	disableDAD(t)
	space := netnstest.New(t)
	netnstest.Veth(t, "frr0", space, "far0")
	f := startFRR(t, space, "router bgp 64513", "bgp router-id 192.0.2.1", "neighbor far0 interface remote-as external")
	ours := linkLocalOf(t, "frr0")

	before, err := f.neighbor()
	t.Logf("before: %+v", before)
	if err != nil || before.State != "Idle" || before.Address == ours.String() {
		t.Fatalf("FRR has found us before we sent anything: %+v, %v", before, err)
	}
	d := start(t)
	began := time.Now()
	d.mustSet("frr0")
	d.await("FRR is found", func() error {
		if !d.Routers()["frr0"].IsValid() {
			return fmt.Errorf("routers: %v", d.Routers())
		}
		return nil
	})
	t.Logf("FRR was found after %v", time.Since(began))

	netnstest.Eventually(t, "zebra has found us", func() error {
		output, err := f.Ask("zebra", "show interface far0")
		if err == nil && !strings.Contains(output, "inet6 "+ours.String()) {
			err = fmt.Errorf("it shows %s", output)
		}
		return err
	})
	t.Logf("zebra had found us after %v", time.Since(began))
	netnstest.Eventually(t, "bgpd tries to reach us", func() error {
		n, err := f.neighbor()
		if err == nil && (n.Address != ours.String() || n.State == "Idle" && n.Reset == before.Reset) {
			err = fmt.Errorf("it shows %+v", n)
		}
		return err
	})
	after, _ := f.neighbor()
	t.Logf("bgpd tried to reach us after %v: %+v", time.Since(began), after)

	// For a neighbor by interface, FRR accepts a connection only from the host that it has found there: it then sends
	// an OPEN.
	router := netip.AddrPortFrom(d.Routers()["frr0"], 179)
	netnstest.Eventually(t, "FRR takes our connection", func() error { return opened(router) })
	t.Logf("FRR spoke BGP with us after %v", time.Since(began))
}

// opened connects to a router and waits for its OPEN (RFC 4271 section 4.2).
func opened(router netip.AddrPort) error {
	connection, err := net.DialTimeout("tcp", router.String(), time.Second)
	if err != nil {
		return err
	}
	defer connection.Close()
	_ = connection.SetDeadline(time.Now().Add(time.Second))
	header := make([]byte, 19)
	if _, err := io.ReadFull(connection, header); err != nil {
		return err
	}
	if kind := header[18]; kind != 1 {
		return fmt.Errorf("a message of type %d", kind)
	}
	return nil
}
