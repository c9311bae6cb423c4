package netnstest

import (
	"net"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

// TestMain_NamespaceIsOurs: we start with nothing but a loopback, and what is laid by a test is gone with it.
func TestMain_NamespaceIsOurs(t *testing.T) {
	names := func() []string {
		interfaces, err := net.Interfaces()
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, i := range interfaces {
			if i.Flags&net.FlagLoopback != 0 || strings.HasPrefix(i.Name, "near") {
				all = append(all, i.Name)
			}
		}
		return all
	}
	t.Run("a cable reaches the other namespace", func(t *testing.T) {
		far := New(t)
		Veth(t, "near0", far, "far0")
		if got := names(); !slices.Equal(got, []string{"lo", "near0"}) {
			t.Errorf("here is %v", got)
		}
		if out := far.Run(t, "ip", "-o", "link"); !strings.Contains(out, "far0") || strings.Contains(out, "near0") {
			t.Errorf("there is %s", out)
		}
		far.Sysctl(t, "ipv4/conf/far0/forwarding", "1")
		if out := far.Run(t, "cat", "/proc/thread-self/net/dev"); !strings.Contains(out, "far0") {
			t.Errorf("a program there sees %s", out)
		}
	})
	if got := names(); !slices.Equal(got, []string{"lo"}) {
		t.Errorf("left over: %v", got)
	}
}
