package layer2

import (
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/internal/netnstest"
)

// arping describes one of the two programs of that name: its arguments for far0 and its exit statuses.
type arping struct {
	// ask sends one request, with a timeout in seconds and an address; the status is 0 if it was answered.
	ask string
	// probe sends one probe (RFC 5227 section 1.1), with a timeout in seconds and an address.
	probe           string
	duplicate, free int
	// request and reply send the two forms of a gratuitous ARP for an address.
	request, reply string
	gratuitous     int
}

// arpings by a text in the version they print: Debian's packages iputils-arping and arping, which conflict.
var arpings = map[string]arping{
	"arping from iputils": {
		ask:   "-c 1 -w %d -I far0 %v",
		probe: "-D -c 1 -w %d -I far0 %v", duplicate: 1, free: 0,
		request: "-U -c 1 -I far0 -s %[1]v %[1]v", reply: "-A -c 1 -I far0 -s %[1]v %[1]v", gratuitous: 0,
	},
	"by Thomas Habets": {
		ask:   "-c 1 -w %d -i far0 %v",
		probe: "-0 -c 1 -w %d -i far0 %v", duplicate: 0, free: 1,
		request: "-U -c 1 -w 1 -i far0 -S %[1]v %[1]v", reply: "-U -P -c 1 -w 1 -i far0 -S %[1]v %[1]v", gratuitous: 1,
	},
}

// needArping returns the arping that is installed, and skips the test if there is none.
func needArping(t *testing.T) arping {
	t.Helper()
	return arpings[netnstest.NeedVersion(t, "arping", "-V", "arping from iputils", "by Thomas Habets")]
}

// arping runs arping at the far end, and checks its exit status.
func (s *segment) arping(t *testing.T, want int, format string, args ...any) string {
	t.Helper()
	line := fmt.Sprintf(format, args...)
	out, err := s.host.Output(t, "arping", strings.Fields(line)...)
	status, exit := 0, (*exec.ExitError)(nil)
	switch {
	case errors.As(err, &exit):
		status = exit.ExitCode()
	case err != nil:
		t.Fatalf("arping %s: %v", line, err)
	}
	if status != want {
		t.Errorf("arping %s: exit status %d, want %d: %s", line, status, want, out)
	}
	return out
}

func TestARP_AnswersArping(t *testing.T) {
	arping := needArping(t)
	s := newSegment(t, "near0")
	r := begin(t, Config{})
	mustSet(t, r, on([]string{"near0"}, vip4))
	if out := s.arping(t, 0, arping.ask, 5, vip4); !strings.Contains(strings.ToLower(out), s.mac(t).slice().String()) {
		t.Errorf("arping: %s", out)
	}
	s.arping(t, arping.duplicate, arping.probe, 5, vip4)
	s.arping(t, arping.free, arping.probe, 1, vip4b)
}

func TestARP_ArpingAnnouncesAConflict(t *testing.T) {
	arping := needArping(t)
	s := newSegment(t, "near0")
	r := begin(t, Config{})
	mustSet(t, r, on([]string{"near0"}, vip4, vip4b))
	s.host.Run(t, "ip", "addr", "add", vip4.String()+"/24", "dev", "far0")
	s.host.Run(t, "ip", "addr", "add", vip4b.String()+"/24", "dev", "far0")
	s.arping(t, arping.gratuitous, arping.request, vip4)
	s.arping(t, arping.gratuitous, arping.reply, vip4b)
	by := s.farMAC(t).String()
	wantConflicts(t, r, []netip.Addr{vip4, vip4b},
		Conflict{Addr: vip4, MAC: by, Interface: "near0", Announced: true},
		Conflict{Addr: vip4b, MAC: by, Interface: "near0", Announced: true})
}
