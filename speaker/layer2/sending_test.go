package layer2

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

// refuseFrames makes the kernel drop all that is sent on an interface, as a firewall may, and tell the sender (ENOBUFS).
func refuseFrames(t *testing.T, name string) {
	t.Helper()
	netnstest.NeedProgram(t, "tc")
	tc(t, "qdisc", "replace", "dev", name, "root", "pfifo", "limit", "0")
}

func TestResponder_SaysThatItCannotSend(t *testing.T) {
	s := newSegment(t, "near0")
	r := begin(t, Config{})
	mustSet(t, r, on([]string{"near0"}, vip4, vip6))
	conn, ours := s.listen(t, unix.ETH_P_ARP), s.mac(t)
	send(t, conn, request(ours, client4, vip4))
	receive(t, conn, "an answer", equalTo(arpAnswer(ours)))
	refuseFrames(t, "near0")
	began := time.Now()
	send(t, conn, request(ours, client4, vip4))
	netnstest.Eventually(t, "it says so", func() error {
		for _, u := range r.Unable() {
			if u.Interface == "near0" && u.Family == lb.IPv4 && strings.Contains(u.Why, "frames cannot be sent: ") {
				return nil
			}
		}
		return fmt.Errorf("it says %v", r.Unable())
	})
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %v", took)
	}
	select {
	case <-r.Urgent():
	default:
		t.Error("the election is not woken")
	}

	tc(t, "qdisc", "del", "dev", "near0", "root")
	netnstest.Eventually(t, "it finds out that it is able", func() error {
		if got := r.Unable(); len(got) > 0 {
			return fmt.Errorf("it says %v", got)
		}
		return nil
	})
}

// A frame that is refused while others get through is none of it.
func TestResponder_AShortRefusalIsNoReasonToLetGo(t *testing.T) {
	newSegment(t, "near0")
	r := begin(t, Config{})
	mustSet(t, r, on([]string{"near0"}, vip4))
	s := (*r.live.Load())[0]
	s.noteSent(errors.New("no buffer space available"))
	netnstest.Eventually(t, "the next frame gets through", func() error {
		if s.trouble.Load() != nil {
			return errors.New("it is still in trouble")
		}
		return nil
	})
	if r.trySockets(time.Now().Add(time.Hour)); len(r.Unable()) > 0 {
		t.Errorf("it says %v", r.Unable())
	}
}

func tc(t *testing.T, args ...string) {
	t.Helper()
	if output, err := exec.CommandContext(t.Context(), "tc", args...).CombinedOutput(); err != nil {
		t.Fatalf("tc %v: %v: %s", args, err, output)
	}
}
