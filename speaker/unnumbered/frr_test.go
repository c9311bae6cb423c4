package unnumbered

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/netnstest"
)

const frrDir = "/usr/lib/frr"

// frr is FRR's zebra and bgpd in a namespace of their own.
type frr struct {
	t     *testing.T
	space *netnstest.Namespace
	dir   string
}

// startFRR runs zebra and bgpd with the lines given for bgpd.
func startFRR(t *testing.T, space *netnstest.Namespace, lines ...string) *frr {
	t.Helper()
	for _, program := range []string{frrDir + "/zebra", frrDir + "/bgpd", "vtysh"} {
		netnstest.NeedProgram(t, program)
	}
	f := &frr{t: t, space: space, dir: t.TempDir()}
	for name, content := range map[string]string{
		"group":      "root:x:0:\nfrr:x:0:\nfrrvty:x:0:\n",
		"zebra.conf": "log file " + filepath.Join(f.dir, "zebra.log") + "\n", "vtysh.conf": "",
		"bgpd.conf": "log file " + filepath.Join(f.dir, "bgpd.log") + "\n" + strings.Join(lines, "\n") + "\n",
	} {
		if err := os.WriteFile(filepath.Join(f.dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f.start("zebra")
	f.start("bgpd", "-n", "-p", "179")
	return f
}

// start starts a daemon, until the end of the test, and waits until it answers. A daemon insists on a group of its own,
// of which root of our user namespace is no member; so it is shown another list of groups.
func (f *frr) start(name string, args ...string) {
	f.t.Helper()
	args = append([]string{
		"--mount", "sh", "-c", `mount --bind "$0" /etc/group && exec "$@"`, filepath.Join(f.dir, "group"), filepath.Join(frrDir, name),
		"-u", "root", "-g", "root", "-f", filepath.Join(f.dir, name+".conf"), "-i", filepath.Join(f.dir, name+".pid"),
		"-z", filepath.Join(f.dir, "zserv.api"), "--vty_socket", f.dir, "-P", "0",
	}, args...)
	daemon := exec.Command("unshare", args...)
	daemon.Stderr = f.t.Output()
	daemon.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	begun, ended := make(chan error), make(chan struct{})
	go f.space.Do(f.t, func() { // The thread must live as long as its child.
		defer close(ended)
		begun <- daemon.Start()
		_ = daemon.Wait()
	})
	if err := <-begun; err != nil {
		f.t.Fatalf("start %s: %v", name, err)
	}
	f.t.Cleanup(func() {
		_ = daemon.Process.Kill()
		<-ended
	})
	netnstest.Eventually(f.t, name+" answers", func() error {
		_, err := f.show(name, "show version")
		return err
	})
}

func (f *frr) show(daemon, command string) (string, error) {
	output, err := exec.Command("vtysh", "--vty_socket", f.dir, "--config_dir", f.dir, "-d", daemon, "-c", command).CombinedOutput()
	return string(output), err
}

// neighbor is a peer as bgpd shows it.
type bgpNeighbor struct {
	Address string `json:"bgpNeighborAddr"`
	State   string `json:"bgpState"`
	Reset   string `json:"lastResetDueTo"`
}

func (f *frr) neighbor() (bgpNeighbor, error) {
	output, err := f.show("bgpd", "show bgp neighbors far0 json")
	all := map[string]bgpNeighbor{}
	if err == nil {
		err = json.Unmarshal([]byte(output), &all)
	}
	return all["far0"], err
}

// TestFRR: an FRR that is told nothing but the name of its interface finds us and is found, and takes the connection.
func TestFRR(t *testing.T) {
	quick(t)
	space := netnstest.New(t)
	netnstest.Veth(t, "frr0", space, "far0")
	f := startFRR(t, space, "router bgp 64513", "bgp router-id 192.0.2.1", "neighbor far0 interface remote-as external")
	ours := linkLocalOf(t, "frr0")

	before, err := f.neighbor()
	t.Logf("before: %+v", before)
	if err != nil || before.State != "Idle" || before.Address == ours.String() {
		t.Fatalf("FRR has found us before we said a word: %+v, %v", before, err)
	}
	d := start(t)
	began := time.Now()
	d.set("frr0")
	d.await("FRR is found", func() error {
		if !d.Routers()["frr0"].IsValid() {
			return fmt.Errorf("routers: %v", d.Routers())
		}
		return nil
	})
	t.Logf("FRR was found after %v", time.Since(began))

	netnstest.Eventually(t, "zebra has found us", func() error {
		output, err := f.show("zebra", "show interface far0")
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

	// A neighbor of an interface takes a connection from nobody but the host it has found there: with us it begins to speak.
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
