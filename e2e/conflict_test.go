package e2e_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/daymark-lb/daymark/e2e/lab"
)

// foreignReboot is for how long a foreign host is away that comes back.
const foreignReboot = 15 * time.Second

// Promise: a host that is none of the cluster's and has the address is noticed, before it is announced and while it is held.

func TestLayer2_ConflictingAddressWaitsUntilItIsFree(t *testing.T) {
	cluster := daymark(t)
	address := netip.MustParseAddr("192.0.2.204")
	taken := conflictingService(t, cluster, "taken", address)
	awaitConflictEvent(t, taken)
	awaitConflict(t, cluster, address)
	lab.Always(t, 500*time.Millisecond, "the foreign host alone answers", func() error {
		if all := cluster.Client().WhoHas(address); !slices.Equal(all, []string{"foreign"}) {
			return fmt.Errorf("%v do", all)
		}
		return nil
	})

	cluster.ForeignHost().Leave(address)
	lab.Always(t, foreignReboot, "nobody answers while the foreign host reboots", func() error {
		if all := cluster.Client().WhoHas(address); len(all) > 0 {
			return fmt.Errorf("%v do", all)
		}
		return nil
	})
	cluster.ForeignHost().Take(address)
	lab.Always(t, 500*time.Millisecond, "the foreign host alone answers again", func() error {
		if all := cluster.Client().WhoHas(address); !slices.Equal(all, []string{"foreign"}) {
			return fmt.Errorf("%v do", all)
		}
		return nil
	})
	cluster.ForeignHost().Leave(address)
	awaitFree(t, cluster, address)
	awaitCondition(t, taken, "daymark.io/Announced", "True")
	cluster.Client().MustGet(url(address))
}

func TestLayer2_HeldAddressIsDefended(t *testing.T) {
	cluster := daymark(t)
	address, pod := provenAddress(t, cluster, "claimed")
	s := observe(t, cluster, pod, address)
	claimed := time.Now()
	cluster.ForeignHost().Take(address)
	lab.Eventually(t, waitTimeout, "the client's kernel knows the holder again", func() error {
		if at := cluster.Client().Resolved(address); at != s.holder {
			return fmt.Errorf("it knows %q", at)
		}
		return nil
	})
	awaitConflict(t, cluster, address)
	awaitConflictEvent(t, cluster.Service("claimed"))
	awaitCondition(t, cluster.Service("claimed"), "daymark.io/Announced", "True")
	if all := cluster.Client().WhoHas(address); !slices.Equal(all, []string{"foreign", s.holder}) {
		t.Errorf("it is answered for by %v, want %s and the foreign host", all, s.holder)
	}
	cluster.ForeignHost().Leave(address)
	s.end(claimed)
	awaitHolder(t, cluster, address, s.holder)
}

// Nobody may answer for an address for a while, and a host outside takes it meanwhile. It was announced before, and is probed all the same.
func TestLayer2_AddressThatNobodyAnsweredForIsProbedAgain(t *testing.T) {
	cluster := daymark(t)
	cluster.Apply(segmentPool("vacant", "192.0.2.239/32"))
	pod := cluster.Pod("vacant", "n2")
	cluster.Apply(service("vacant", "vacant", "externalTrafficPolicy: Local"))
	s := cluster.Service("vacant")
	address, _ := s.AwaitAddress()
	awaitHolder(t, cluster, address, "n2")

	pod.SetReady(false)
	awaitNoHolder(t, cluster, address)
	const lapsed = 4 * time.Second // more than the 3 s for which it counts as announced
	lab.Always(t, lapsed, "nobody answers", func() error {
		if all := cluster.Client().WhoHas(address); len(all) > 0 {
			return fmt.Errorf("%v do", all)
		}
		return nil
	})
	cluster.ForeignHost().Take(address)
	pod.SetReady(true)
	awaitCondition(t, s, "daymark.io/Announced", "False AddressConflict", cluster.ForeignHost().MAC.String())
	awaitConflict(t, cluster, address)
	lab.Always(t, 500*time.Millisecond, "the foreign host alone answers", func() error {
		if all := cluster.Client().WhoHas(address); !slices.Equal(all, []string{"foreign"}) {
			return fmt.Errorf("%v do", all)
		}
		return nil
	})

	cluster.ForeignHost().Leave(address)
	awaitFree(t, cluster, address)
	awaitCondition(t, s, "daymark.io/Announced", "True")
	cluster.Client().MustGet(url(address))
}

func TestLayer2_ConflictingIPv6AddressWaits(t *testing.T) {
	cluster := daymark(t)
	address := netip.MustParseAddr("2001:db8::5:0")
	conflictingService(t, cluster, "taken", address, "ipFamilyPolicy: SingleStack", "ipFamilies: [IPv6]")
	awaitConflict(t, cluster, address)
	if all := cluster.Client().WhoHas(address); !slices.Equal(all, []string{"foreign"}) {
		t.Errorf("it is answered for by %v", all)
	}
}

// conflictingService makes a Service whose one address the foreign host has, and waits until its condition says so, with the
// host's MAC address; more goes into its spec.
func conflictingService(t *testing.T, cluster *lab.Cluster, name string, address netip.Addr, more ...string) lab.Service {
	t.Helper()
	cluster.ForeignHost().Take(address)
	cluster.Pod(name, "n1")
	cluster.Apply(segmentPool(name, netip.PrefixFrom(address, address.BitLen()).String()))
	cluster.Apply(service(name, name, more...))
	s := cluster.Service(name)
	s.AwaitAddress()
	awaitCondition(t, s, "daymark.io/Announced", "False AddressConflict", cluster.ForeignHost().MAC.String())
	return s
}

// awaitConflict waits until the Speaker object of a node has the foreign host's conflict over the address.
func awaitConflict(t *testing.T, cluster *lab.Cluster, address netip.Addr) {
	t.Helper()
	mac := cluster.ForeignHost().MAC.String()
	lab.Eventually(t, waitTimeout, "a Speaker object has the conflict", func() error {
		var found []string
		for _, node := range cluster.NodeNames() {
			for _, c := range layer2Of(cluster, node, "conflicts") {
				found = append(found, fmt.Sprint(node, c))
				if c["address"] == address.String() && c["mac"] == mac && c["interface"] == "eth0" && c["since"] != nil {
					return nil
				}
			}
		}
		return fmt.Errorf("they have %v", found)
	})
}

// awaitFree waits until a node holds an address that the foreign host has left.
func awaitFree(t *testing.T, cluster *lab.Cluster, address netip.Addr) {
	t.Helper()
	lab.Eventually(t, 2*time.Minute, "somebody answers for "+address.String(), func() error {
		if cluster.Client().Holder(address) == "" {
			return errors.New("nobody does")
		}
		return nil
	})
	awaitHolder(t, cluster, address)
}

func awaitConflictEvent(t *testing.T, s lab.Service) {
	t.Helper()
	lab.Eventually(t, waitTimeout, "there is an Event on "+s.Name, func() error {
		events := s.Events()
		if !slices.ContainsFunc(events, func(e string) bool { return strings.HasPrefix(e, "AddressConflict:") }) {
			return fmt.Errorf("the Events are %q", events)
		}
		return nil
	})
}

// layer2Of is a list of the layer2 part of a Speaker's status: held or conflicts.
func layer2Of(cluster *lab.Cluster, node, list string) (entries []map[string]any) {
	o, err := cluster.Look("daymark.io/v1beta1", "Speaker", node)
	all, _, errRead := unstructured.NestedSlice(o.Object, "status", "layer2", list)
	if errors.Join(err, errRead) != nil {
		return nil
	}
	for _, each := range all {
		if entry, ok := each.(map[string]any); ok {
			entries = append(entries, entry)
		}
	}
	return entries
}

// interfacesOf are the interfaces that a node says it holds an address on.
func interfacesOf(cluster *lab.Cluster, node string, address netip.Addr) any {
	for _, held := range layer2Of(cluster, node, "held") {
		if held["address"] == address.String() {
			return held["interfaces"]
		}
	}
	return nil
}
