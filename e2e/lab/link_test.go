package lab_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
)

func TestLink_ReturnsWithItsRoutes(t *testing.T) {
	cluster := lab.Shared(t)
	n1 := cluster.Node("n1")
	pod := cluster.Pod("routed", "n2")
	before := routes(t, n1)
	for what, do := range map[string]func(l *lab.Link) (undo func()){
		"down":      func(l *lab.Link) func() { l.Down(); return l.Up },
		"unplugged": func(l *lab.Link) func() { l.Unplug(); return l.Plug },
		"renamed":   func(l *lab.Link) func() { l.Rename("lan0"); return func() { l.Rename("eth0") } },
	} {
		undo := do(n1.Link("eth0"))
		if got := cluster.Client().WhoHas(n1.V4); what != "renamed" && len(got) != 0 {
			t.Errorf("n1, whose link is %s, is answered for by %v", what, got)
		}
		undo()
		if after := routes(t, n1); after != before {
			t.Errorf("routes after it was %s:\n%s\nwere:\n%s", what, after, before)
		}
		for _, address := range []netip.Addr{n1.V4, n1.V6} {
			awaitHost(t, cluster, address, "n1")
		}
		if _, err := n1.Run(context.Background(), "", "ip", "route", "get", pod.V4.String()); err != nil {
			t.Error(err)
		}
	}
}

func TestCluster_SecondSegmentFailsAlone(t *testing.T) {
	cluster := lab.Shared(t)
	cluster.SecondSegment()
	n2, second := cluster.Node("n2"), netip.MustParseAddr("198.51.100.76")
	awaitHost(t, cluster, second, "n2")
	link := n2.Link("eth1")
	for _, fail := range []struct{ do, undo func() }{{link.Down, link.Up}, {link.Unplug, link.Plug}} {
		fail.do()
		if got := cluster.Client().WhoHas(second); len(got) != 0 {
			t.Errorf("%s is answered for by %v", second, got)
		}
		awaitHost(t, cluster, n2.V4, "n2")
		fail.undo()
		awaitHost(t, cluster, second, "n2")
	}
}

func TestForeignHost_TakesAnAddressAndLeavesIt(t *testing.T) {
	cluster := lab.Shared(t)
	for _, address := range []netip.Addr{vip, netip.MustParseAddr("2001:db8::200")} {
		cluster.ForeignHost().Take(address)
		awaitHost(t, cluster, address, "foreign")
		cluster.ForeignHost().Leave(address)
		if got := cluster.Client().WhoHas(address); len(got) != 0 {
			t.Errorf("%s is answered for by %v", address, got)
		}
	}
}

func TestNode_IsUnregisteredUntilTheTestEnds(t *testing.T) {
	cluster := lab.Shared(t)
	if _, err := cluster.Look("v1", "Node", "n3"); err != nil {
		t.Fatal(err)
	}
	t.Run("gone", func(t *testing.T) {
		lab.Shared(t).Node("n3").Unregister()
		if _, err := cluster.Look("v1", "Node", "n3"); err == nil {
			t.Error("it is still there")
		}
	})
	cluster.Get("v1", "Node", "n3")
	lab.Eventually(t, 20*time.Second, "its service proxy serves", func() error {
		status, body, err := cluster.Node("n3").Get(10256, "/healthz")
		if err == nil && status != 200 {
			err = errors.New(body)
		}
		return err
	})
}

func awaitHost(t *testing.T, cluster *lab.Cluster, address netip.Addr, name string) {
	t.Helper()
	lab.Eventually(t, 5*time.Second, fmt.Sprintf("%s is at %s", address, name), func() error {
		if got := cluster.Client().WhoHas(address); !slices.Equal(got, []string{name}) {
			return fmt.Errorf("it is at %v", got)
		}
		return nil
	})
}

// routes of both families, as `ip` prints them.
func routes(t *testing.T, node lab.Node) (all string) {
	t.Helper()
	for _, family := range []string{"-4", "-6"} {
		out, err := node.Run(context.Background(), "", "ip", family, "route", "show", "dev", "eth0")
		if err != nil {
			t.Fatal(err)
		}
		all += out
	}
	return all
}

func TestCrowd_BeginsWithoutWhatAnEarlierTestMadeItLearn(t *testing.T) {
	cluster := lab.Shared(t)
	n1, crowd := cluster.Node("n1"), cluster.Crowd()
	lab.Eventually(t, 10*time.Second, "each client knows n1", func() error {
		crowd.Ask(n1.V4, n1.V6)
		if known := len(crowd.Entries(n1.V4, n1.V6)); known != len(crowd.Members) {
			return fmt.Errorf("%d do", known)
		}
		return nil
	})
	if known := cluster.Crowd().Entries(n1.V4, n1.V6); len(known) != 0 {
		t.Errorf("it knows %v", known)
	}
}
