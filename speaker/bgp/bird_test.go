package bgp

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/daymark-lb/daymark/internal/lb"
	"github.com/daymark-lb/daymark/internal/netnstest"
	"github.com/daymark-lb/daymark/speaker/announce"
)

// bird is BIRD 2 at the other end of a cable.
type bird struct {
	t      *testing.T
	socket string
}

// startBIRD runs BIRD as AS 64513, which waits at one address for a neighbor in AS 64512 at another, with further options.
// Those of a channel come after "ipv4 {"; BIRD's grammar has no other that the tests need.
func startBIRD(t *testing.T, c *cable, at, neighbor netip.Addr, options string) *bird {
	t.Helper()
	const program = "/usr/sbin/bird"
	netnstest.NeedProgram(t, program)
	netnstest.NeedProgram(t, "birdc")
	dir := t.TempDir()
	channel := ""
	if strings.Contains(options, "next hop") {
		channel, options = options, ""
	}
	config := fmt.Sprintf(`router id %s;
protocol device {}
protocol bgp node {
	local %s as 64513;
	neighbor %s as 64512;
	passive;
	%s
	ipv4 { import all; export none; %s };
	ipv6 { import all; export none; };
}
`, c.theirs, at, neighbor, options, channel)
	if err := os.WriteFile(filepath.Join(dir, "bird.conf"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	b := &bird{t: t, socket: filepath.Join(dir, "ctl")}
	var output bytes.Buffer
	process := exec.Command(program, "-f", "-c", filepath.Join(dir, "bird.conf"), "-s", b.socket,
		"-P", filepath.Join(dir, "pid"))
	process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	process.Stdout, process.Stderr = &output, &output
	begun, ended := make(chan error), make(chan struct{})
	go c.router.Do(t, func() { // The thread must live as long as its child.
		defer close(ended)
		begun <- process.Start()
		_ = process.Wait()
	})
	if err := <-begun; err != nil {
		t.Fatalf("start BIRD: %v", err)
	}
	t.Cleanup(func() {
		_ = process.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("BIRD said: %s", output.String())
		}
	})
	return b
}

// has waits until what BIRD shows of a route has all the words.
func (b *bird) has(prefix string, words ...string) {
	b.t.Helper()
	eventually(b.t, "BIRD has "+prefix, func() error {
		output, err := exec.Command("birdc", "-s", b.socket, "show", "route", "for", prefix, "all").CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, output)
		}
		for _, word := range append(words, netip.MustParsePrefix(prefix).String()) {
			if !strings.Contains(string(output), word) {
				return fmt.Errorf("no %q in %s", word, output)
			}
		}
		return nil
	})
}

// lacks waits until there is no route.
func (b *bird) lacks(prefix string) {
	b.t.Helper()
	eventually(b.t, "BIRD has no "+prefix, func() error {
		output, _ := exec.Command("birdc", "-s", b.socket, "show", "route", "for", prefix, "all").CombinedOutput()
		if strings.Contains(string(output), "BGP.as_path") {
			return fmt.Errorf("it has %s", output)
		}
		return nil
	})
}

func TestBIRDSeesAttributesAsGiven(t *testing.T) {
	t.Parallel()
	c := newCable(t)
	router := startBIRD(t, c, c.theirs, c.ours, "")
	attributes := &announce.Attributes{
		MED: ptr(uint32(42)), Prepend: 1,
		Communities: []lb.Community{community(t, "64512:100"), community(t, "64512:1:2")},
	}
	start(t, c.session(nil, path("198.19.0.1/32", attributes), path("2001:db8:ffff::1/128", attributes)))
	seen := []string{"BGP.as_path: 64512 64512", "BGP.med: 42", "BGP.community: (64512,100)", "BGP.large_community: (64512, 1, 2)"}
	router.has("198.19.0.1/32", append(seen, "BGP.next_hop: "+c.ours.String())...)
	router.has("2001:db8:ffff::1/128", append(seen, "BGP.next_hop: "+c.ours6.String())...)
}
