package bgp

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/daymark-lb/daymark/internal/netnstest"
)

const bgpd = "/usr/lib/frr/bgpd"

// frr is FRR's bgpd at the other end of a cable, without the rest of FRR.
type frr struct {
	t       *testing.T
	cable   *cable
	dir     string
	process *exec.Cmd
	ended   chan struct{}
}

// startFRR runs bgpd as AS 64513 with our address as a passive neighbor in AS 64512, and further configuration lines
// in which OURS and OURS6 stand for our addresses.
func startFRR(t *testing.T, c *cable, asn int, lines ...string) *frr {
	t.Helper()
	netnstest.NeedProgram(t, bgpd)
	netnstest.NeedProgram(t, "vtysh")
	f := &frr{t: t, cable: c, dir: t.TempDir()}
	config := append([]string{
		"log file " + filepath.Join(f.dir, "log"),
		fmt.Sprintf("router bgp %d", asn),
		"bgp router-id " + c.theirs.String(),
		"no bgp ebgp-requires-policy", "no bgp network import-check", "bgp graceful-restart",
	}, lines...)
	text := strings.NewReplacer("OURS6", c.ours6.String(), "OURS", c.ours.String()).Replace(strings.Join(config, "\n") + "\n")
	for name, content := range map[string]string{"bgpd.conf": text, "vtysh.conf": ""} {
		if err := os.WriteFile(filepath.Join(f.dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f.start()
	t.Cleanup(f.stop)
	return f
}

func (f *frr) start() {
	f.t.Helper()
	f.process = exec.Command(bgpd, "-S", "-n", "-Z", "-f", filepath.Join(f.dir, "bgpd.conf"),
		"-i", filepath.Join(f.dir, "pid"), "--vty_socket", f.dir, "-P", "0")
	f.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	begun := make(chan error)
	f.ended = make(chan struct{})
	process, ended := f.process, f.ended
	go f.cable.router.Do(f.t, func() { // The thread must live as long as its child.
		defer close(ended)
		begun <- process.Start()
		_ = process.Wait()
	})
	if err := <-begun; err != nil {
		f.t.Fatalf("start bgpd: %v", err)
	}
	eventually(f.t, "bgpd answers", func() error { _, err := f.try("show version"); return err })
}

// stop kills bgpd, as a crash would.
func (f *frr) stop() {
	_ = f.process.Process.Kill()
	<-f.ended
}

func (f *frr) try(command string) (string, error) {
	output, err := exec.Command("vtysh", "--vty_socket", f.dir, "--config_dir", f.dir, "-d", "bgpd", "-c", command).Output()
	return string(output), err
}

// show reads the answer to a command in JSON.
func (f *frr) show(command string, into any) error {
	output, err := f.try("show " + command + " json")
	if err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	if err := json.Unmarshal([]byte(output), into); err != nil {
		return fmt.Errorf("%s: %w: %s", command, err, output)
	}
	return nil
}

// route is a path as FRR shows it.
type route struct {
	ASPath    struct{ String string } `json:"aspath"`
	Metric    *uint32                 `json:"metric"`
	LocalPref *uint32                 `json:"locPrf"`
	Valid     bool                    `json:"valid"`
	Stale     bool                    `json:"stale"`
	Community struct{ String string } `json:"community"`
	Large     struct{ String string } `json:"largeCommunity"`
	Nexthops  []struct{ IP string }   `json:"nexthops"`
}

// route finds the one path to a prefix.
func (f *frr) route(prefix string) (*route, error) {
	family := "ipv4"
	if netip.MustParsePrefix(prefix).Addr().Is6() {
		family = "ipv6"
	}
	var answer struct{ Paths []route }
	if err := f.show("bgp "+family+" unicast "+prefix, &answer); err != nil {
		return nil, err
	}
	if len(answer.Paths) != 1 {
		return nil, fmt.Errorf("%s has %d paths", prefix, len(answer.Paths))
	}
	return &answer.Paths[0], nil
}

// has waits for a route that is as asked for.
func (f *frr) has(prefix string, is func(*route) error) {
	f.t.Helper()
	eventually(f.t, "FRR has "+prefix, func() error {
		found, err := f.route(prefix)
		if err == nil && is != nil {
			err = is(found)
		}
		return err
	})
}

// lacks waits until there is no route.
func (f *frr) lacks(prefix string) {
	f.t.Helper()
	eventually(f.t, "FRR has no "+prefix, func() error {
		if found, err := f.route(prefix); err == nil {
			return fmt.Errorf("it has %+v", *found)
		}
		return nil
	})
}

// neighbor is our session as FRR shows it.
type neighbor struct {
	State       string `json:"bgpState"`
	Established int    `json:"connectionsEstablished"`
	Dropped     int    `json:"connectionsDropped"`
}

func (f *frr) neighbor(addr netip.Addr) neighbor {
	f.t.Helper()
	answer := map[string]neighbor{}
	if err := f.show("bgp neighbors "+addr.String(), &answer); err != nil {
		f.t.Fatal(err)
	}
	return answer[addr.String()]
}
