package connections

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/handover"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

// lastRule is shell for what another program names the last rule of the chain hops1 by.
const lastRule = "$(nft -a list chain ip daymark hops1 | grep -o 'handle [0-9]*' | tail -n 1)"

// Who loads a firewall anew begins with "flush ruleset". The next renewal would come after up to half a minute, in which every packet of
// a connection that moved would be reset.
func TestRelay_MendsAtOnceWhatOthersChange(t *testing.T) {
	r := newRig(t, 2, modeIPTables, false)
	n := r.nodes[1]
	talks := append(r.dial(vip4, 3), r.dial(vip6, 3)...)
	r.start(1)
	r.set(1, pass(0, 1))
	r.move(1)
	r.expect("pod1", talks)
	r.untilWatched(1, true)
	for _, do := range []string{
		"flush ruleset", "delete table ip daymark", "flush chain ip6 daymark prerouting", "flush map ip daymark hops",
		"delete element ip6 daymark next { 2001:db8::200 }", "insert rule ip daymark prerouting tcp dport 80 drop",
		"add element ip daymark moved { 192.0.2.201 }", "add element ip6 daymark next { 2001:db8::201 : 2001:db8::11 }",
		"replace rule ip daymark hops1 " + lastRule + " drop", "chain ip daymark prerouting { policy drop; }", "add table ip daymark { flags dormant; }",
	} {
		sh(t, n.ns, `nft "`+do+`"`)
		r.untilIntact(1, pass(0, 1))
		r.expect("pod1", talks)
	}
	r.set(1, handover.Plan{})
	r.untilWatched(1, false) // It costs nothing while nothing moves.
}

// What others do between the first rules and the moment that the speaker begins to listen is not told by the kernel.
func TestRelay_MendsWhatOthersChangedBeforeItListened(t *testing.T) {
	r := newRig(t, 2, modeNFTables, false)
	r.set(1, pass(0, 1))
	sh(t, r.nodes[1].ns, "nft flush ruleset", "nft 'table ip kube-proxy {}'")
	r.start(1)
	r.untilIntact(1, pass(0, 1))
}

// kube-proxy changes its own tables all the time, and this program its own.
func TestWatch_HearsOfChangesByOthersAlone(t *testing.T) {
	r := newRig(t, 2, modeNFTables, false)
	n := r.nodes[1]
	var changes atomic.Int32
	n.ns.Do(t, func() {
		w, err := startWatch(n.relay.ports, func(bool) { changes.Add(1) })
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(w.stop)
	})
	for hops := range 5 {
		r.set(1, pass(0, 1+hops))
		sh(t, n.ns, fmt.Sprintf("nft 'add chain ip kube-proxy c%d; add table inet daymark; delete table inet daymark'", hops))
	}
	r.set(1, handover.Plan{})
	r.set(1, pass(0, 1))
	if got := changes.Load(); got != 0 {
		t.Errorf("it heard of %d changes", got)
	}
	sh(t, n.ns, "nft flush chain ip6 daymark pass")
	netnstest.Eventually(t, "it hears of one", func() error {
		if changes.Load() == 0 {
			return errors.New("it has not")
		}
		return nil
	})
}

// Another program may undo it each time.
func TestMending_TakesItsTime(t *testing.T) {
	r := newRig(t, 1, modeNFTables, false)
	n := r.nodes[0]
	if n.relay.mending.wait() > 0 {
		t.Error("the first change waits")
	}
	n.ns.Do(t, n.relay.mend)
	if wait := n.relay.mending.wait(); wait <= 0 || wait > time.Minute {
		t.Errorf("the next change waits %v", wait)
	}
}

// kube-proxy may change so much at once that some of it cannot be read. Nobody is accused of that, and all is looked at.
func TestMending_AccusesNobodyOfWhatWasNotSeen(t *testing.T) {
	r := newRig(t, 2, modeNFTables, false)
	n := r.nodes[1]
	var said bytes.Buffer
	n.relay.log = slog.New(slog.NewTextHandler(&said, nil))
	r.set(1, pass(0, 1))
	for _, seen := range []bool{false, true} {
		sh(t, n.ns, "nft 'add element ip daymark moved { 192.0.2.201 }'")
		n.relay.mending.seen.Store(seen)
		n.ns.Do(t, n.relay.mend)
		r.untilIntact(1, pass(0, 1))
		if warns := strings.Contains(said.String(), "another program has changed"); warns != seen {
			t.Errorf("seen: %t, and it says %q", seen, said.String())
		}
	}
}

// untilWatched waits until a node listens to changes of nftables, or does not.
func (r *rig) untilWatched(node int, want bool) {
	r.t.Helper()
	netnstest.Eventually(r.t, fmt.Sprintf("changes are watched: %v", want), func() error {
		watched := false
		for line := range strings.Lines(r.nodes[node].ns.Run(r.t, "cat", "/proc/self/net/netlink")) {
			fields := strings.Fields(line)
			watched = watched || len(fields) > 3 && fields[1] == "12" && fields[3] == "00000040"
		}
		if watched != want {
			return errors.New("not yet")
		}
		return nil
	})
}

// untilIntact waits until the kernel of a node does all of a plan.
func (r *rig) untilIntact(node int, plan handover.Plan) {
	r.t.Helper()
	netnstest.Eventually(r.t, "the tables are whole", func() (err error) {
		r.nodes[node].ns.Do(r.t, func() {
			other := New(Config{})
			kept, failed := other.Kept()
			for _, t := range other.tables {
				if !t.intact() {
					failed = errors.Join(failed, fmt.Errorf("%s has other rules", t.family))
				}
			}
			if !slices.Equal(kept.Passages, plan.Passages) {
				failed = errors.Join(failed, fmt.Errorf("passages are %v", kept.Passages))
			}
			if len(kept.Counted) != len(plan.Counted) {
				failed = errors.Join(failed, fmt.Errorf("counted are %v", kept.Counted))
			}
			err = failed
		})
		return err
	})
}
