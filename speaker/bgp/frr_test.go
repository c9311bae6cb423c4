package bgp

import (
	"encoding/json"
	"fmt"
	"net"
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

// frr is FRR's bgpd at the other end of a cable, without the rest of FRR unless zebra is asked for.
type frr struct {
	t       *testing.T
	cable   *cable
	dir     string
	process *exec.Cmd
	ended   chan struct{}
	// kernel is how bgpd is told to do without zebra, or where to find it.
	kernel []string
}

// startFRR runs bgpd as AS 64513 with our address as a passive neighbor in AS 64512, and further configuration lines
// in which OURS and OURS6 stand for our addresses.
func startFRR(t *testing.T, c *cable, asn int, lines ...string) *frr {
	t.Helper()
	f := newFRR(t, c, asn, lines...)
	f.start()
	t.Cleanup(f.stop)
	return f
}

func newFRR(t *testing.T, c *cable, asn int, lines ...string) *frr {
	t.Helper()
	netnstest.NeedProgram(t, bgpd)
	netnstest.NeedProgram(t, "vtysh")
	f := &frr{t: t, cable: c, dir: t.TempDir(), kernel: []string{"-Z"}}
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
	return f
}

// zebra runs FRR's zebra for bgpd, which must not have started yet: it knows the interfaces. It insists on a group that
// owns its sockets, and is shown one.
func (f *frr) zebra() {
	f.t.Helper()
	const program = "/usr/lib/frr/zebra"
	netnstest.NeedProgram(f.t, program)
	group, socket := filepath.Join(f.dir, "group"), filepath.Join(f.dir, "zserv")
	if err := os.WriteFile(group, []byte("root:x:0:\nfrrvty:x:0:root\n"), 0o600); err != nil {
		f.t.Fatal(err)
	}
	process, ended := f.run("unshare", "--mount", "sh", "-c", "mount --bind "+group+` /etc/group && exec "$0" "$@"`, program,
		"-u", "root", "-g", "root", "-f", filepath.Join(f.dir, "vtysh.conf"), "-i", filepath.Join(f.dir, "zpid"),
		"-z", socket, "--vty_socket", f.dir, "-P", "0")
	f.t.Cleanup(func() {
		_ = process.Process.Kill()
		<-ended
	})
	f.kernel = []string{"-z", socket}
	// That there is a socket does not say that zebra listens yet.
	eventually(f.t, "zebra answers", func() error {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			err = conn.Close()
		}
		return err
	})
}

func (f *frr) start() {
	f.t.Helper()
	f.process, f.ended = f.run(bgpd, append([]string{
		"-S", "-n", "-f", filepath.Join(f.dir, "bgpd.conf"),
		"-i", filepath.Join(f.dir, "pid"), "--vty_socket", f.dir, "-P", "0",
	}, f.kernel...)...)
	eventually(f.t, "bgpd answers", func() error { _, err := f.try("show version"); return err })
}

// run starts a program at the router's end, and tells when it has ended.
func (f *frr) run(name string, args ...string) (*exec.Cmd, chan struct{}) {
	f.t.Helper()
	process := exec.Command(name, args...)
	process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	begun, ended := make(chan error), make(chan struct{})
	go f.cable.router.Do(f.t, func() { // The thread must live as long as its child.
		defer close(ended)
		begun <- process.Start()
		_ = process.Wait()
	})
	if err := <-begun; err != nil {
		f.t.Fatalf("start %s: %v", name, err)
	}
	return process, ended
}

// configure changes bgpd's configuration, below "router bgp".
func (f *frr) configure(asn int, lines ...string) {
	f.t.Helper()
	text := fmt.Sprintf("configure terminal\nrouter bgp %d\n%s\n", asn, strings.Join(lines, "\n"))
	text = strings.NewReplacer("OURS6", f.cable.ours6.String(), "OURS", f.cable.ours.String()).Replace(text)
	if output, err := f.try(text); err != nil || strings.Contains(output, "%") {
		f.t.Fatalf("configure FRR: %v: %s", err, output)
	}
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
	Nexthops  []struct {
		IP    string
		Scope string
		Used  bool
	} `json:"nexthops"`
}

// hop is the next hop that FRR uses.
func (r *route) hop() string {
	for _, hop := range r.Nexthops {
		if hop.Used {
			return hop.IP
		}
	}
	return ""
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
	Messages    struct {
		UpdatesRecv int `json:"updatesRecv"`
	} `json:"messageStats"`
}

func (f *frr) neighbor(addr netip.Addr) neighbor {
	f.t.Helper()
	answer := map[string]neighbor{}
	if err := f.show("bgp neighbors "+addr.String(), &answer); err != nil {
		f.t.Fatal(err)
	}
	return answer[addr.String()]
}
