package ipam

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

func selects(label, value string) lb.Selectors {
	selector, err := metav1.LabelSelectorAsSelector(&metav1.LabelSelector{MatchLabels: map[string]string{label: value}})
	if err != nil {
		panic(err)
	}
	return lb.Selectors{selector}
}

func TestCompute_Pools(t *testing.T) {
	for _, test := range []struct {
		name string
		test func(*fixture)
	}{
		{"the oldest Service gets the lowest address", func(s *fixture) {
			s.pool("blue", "192.0.2.8 192.0.2.2-192.0.2.3")
			s.service("a")
			s.service("b")
			s.service("c")
			s.pass().has("a", "192.0.2.2")
			s.has("b", "192.0.2.3")
			s.has("c", "192.0.2.8")
			s.says("a", ReasonAssigned, "192.0.2.2 from pool blue")
		}},
		{"without any pool a Service waits", func(s *fixture) {
			s.service("a")
			s.pass().says("a", ReasonNoPool, "there is no IPAddressPool")
		}},
		{"an exhausted pool is named", func(s *fixture) {
			s.pool("blue", "192.0.2.1")
			s.service("a")
			s.service("b")
			s.pass().says("b", ReasonPoolExhausted, "pool blue is exhausted")
		}},
		{"an address given back goes to the one who waits", func(s *fixture) {
			s.pool("blue", "192.0.2.1")
			s.service("a")
			s.service("b")
			s.pass()
			delete(s.services, "a")
			s.pass().has("b", "192.0.2.1")
		}},
		{"the lowest priority number is asked first, pools without one last, then by name", func(s *fixture) {
			s.pool("z", "192.0.2.1", priority(5))
			s.pool("a", "192.0.2.2", priority(7))
			s.pool("d", "192.0.2.4")
			s.pool("c", "192.0.2.3")
			for _, name := range []string{"s1", "s2", "s3", "s4"} {
				s.service(name)
			}
			s.pass().has("s1", "192.0.2.1")
			s.has("s2", "192.0.2.2")
			s.has("s3", "192.0.2.3")
			s.has("s4", "192.0.2.4")
		}},
		{"excluded addresses are not given", func(s *fixture) {
			s.pool("blue", "192.0.2.0/30", func(p *lb.Pool) { p.Exclude = ranges(s.t, "192.0.2.0-192.0.2.1") })
			s.service("a")
			s.pass().has("a", "192.0.2.2")
		}},
		{"autoAssign false serves those who ask", func(s *fixture) {
			s.pool("blue", "192.0.2.0/30", func(p *lb.Pool) { p.AutoAssign = false })
			s.service("any")
			s.service("pool", asksPools("blue"))
			s.service("address", asks("192.0.2.3"))
			s.pass().says("any", ReasonNoPool, "pool blue serves only Services that ask for it")
			s.has("pool", "192.0.2.0")
			s.has("address", "192.0.2.3")
		}},
		{"avoidBuggyIPs leaves out .0 and .255", func(s *fixture) {
			s.pool("blue", "192.0.2.254-192.0.3.1", func(p *lb.Pool) { p.AvoidBuggyIPs = true })
			s.service("a")
			s.service("b")
			s.service("c")
			s.service("d", asks("192.0.3.0"))
			s.pass().has("a", "192.0.2.254")
			s.has("b", "192.0.3.1")
			s.says("c", ReasonPoolExhausted)
			s.says("d", ReasonPoolNotEligible, ".0 or .255")
			if got := s.use("blue").IPv4.Available.Int64(); got != 0 {
				t.Errorf("%d available", got)
			}
		}},
		{"a drained pool keeps what it gave and gives nothing", func(s *fixture) {
			pool := s.pool("blue", "192.0.2.0/30")
			s.service("a")
			s.pass()
			pool.Drain = true
			s.service("b")
			s.pass().has("a", "192.0.2.0")
			s.says("b", ReasonNoPool, "pool blue is being drained")
		}},
		{"namespaces are listed or selected by label, and either will do", func(s *fixture) {
			s.namespaces = map[string]map[string]string{"red": {"team": "a"}, "blue": nil, "green": nil}
			s.pool("p", "192.0.2.0/28", func(p *lb.Pool) { p.Namespaces, p.NamespaceSelectors = []string{"blue"}, selects("team", "a") })
			s.service("red/a")
			s.service("blue/b")
			s.service("green/c")
			s.pass().has("red/a", "192.0.2.0")
			s.has("blue/b", "192.0.2.1")
			s.says("green/c", ReasonNoPool, "pool p does not serve the namespace")
		}},
		{"both the namespace and the Service must match", func(s *fixture) {
			s.pool("p", "192.0.2.0/28", func(p *lb.Pool) { p.Namespaces, p.ServiceSelectors = []string{"red"}, selects("app", "web") })
			web := func(service *lb.Service) { service.Labels = lb.NewLabels(map[string]string{"app": "web"}) }
			s.service("red/a", web)
			s.service("red/b")
			s.service("blue/c", web)
			s.pass().has("red/a", "192.0.2.0")
			s.says("red/b", ReasonNoPool, "other labels")
			s.says("blue/c", ReasonNoPool, "does not serve the namespace")
		}},
		{"maxPerNamespace counts addresses, not Services that share one", func(s *fixture) {
			s.pool("p", "192.0.2.0/28", func(p *lb.Pool) { p.MaxPerNamespace = 1 })
			s.service("red/a", shares("k", 80))
			s.service("red/b", shares("k", 81))
			s.service("red/c")
			s.service("blue/d")
			s.pass().has("red/a", "192.0.2.0")
			s.has("red/b", "192.0.2.0")
			s.says("red/c", ReasonOverQuota, "1 addresses at most")
			s.has("blue/d", "192.0.2.1")
		}},
		{"two Services that share leave room for a second address", func(s *fixture) {
			s.pool("p", "192.0.2.0/28", func(p *lb.Pool) { p.MaxPerNamespace = 2 })
			s.service("red/a", shares("k", 80))
			s.service("red/b", shares("k", 81))
			s.service("red/c")
			s.service("red/d")
			s.pass().has("red/c", "192.0.2.1")
			s.says("red/d", ReasonOverQuota)
		}},
		{"the address that a Service leaves does not count against its namespace", func(s *fixture) {
			s.pool("p", "192.0.2.0/28", func(p *lb.Pool) { p.MaxPerNamespace = 1 })
			s.service("a")
			s.pass()
			s.edit("a", asks("192.0.2.7"))
			s.pass().has("a", "192.0.2.7")
		}},
		{"a pool that cannot be read keeps what it gave and gives nothing", func(s *fixture) {
			pool := s.pool("blue", "192.0.2.0/30")
			s.service("a")
			s.pass()
			pool.Err, pool.Ranges = errors.New("nonsense"), nil
			s.service("b")
			s.pass().has("a", "192.0.2.0")
			s.says("a", ReasonAssigned, "cannot be read at the moment")
			s.says("b", ReasonNoPool, "pool blue cannot be read")
		}},
		{"an IPv6 /64 is an ordinary pool", func(s *fixture) {
			s.pool("six", "2001:db8::/64")
			s.service("a", families(lb.IPv6))
			s.service("b")
			s.pass().has("a", "2001:db8::")
			s.says("b", ReasonNoPool, "pool six has no IPv4 addresses")
			if got := s.use("six").IPv6.Available.String(); got != "18446744073709551615" {
				t.Errorf("%s available", got)
			}
		}},
		{"the address of a node is never given", func(s *fixture) {
			s.pool("blue", "192.0.2.0/30")
			s.nodes = []*lb.Node{{Name: "n1", Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.0")}}}
			s.service("a")
			s.service("b", asks("192.0.2.0"))
			s.pass().has("a", "192.0.2.1")
			s.says("b", ReasonTaken, "node n1's own")
			if nodes := s.use("blue").Nodes; len(nodes) != 1 || nodes[0].Node != "n1" {
				t.Errorf("the pool knows of %v", nodes)
			}
		}},
		{"of two pools that overlap the older has the addresses, and each names the other", func(s *fixture) {
			s.pool("old", "192.0.2.0-192.0.2.1", priority(2))
			s.pool("young", "192.0.2.1-192.0.2.2", priority(1))
			s.service("a")
			s.service("b")
			s.pass().has("a", "192.0.2.2")
			s.has("b", "192.0.2.0")
			old, young := s.use("old").Overlaps, s.use("young").Overlaps
			if len(old) != 1 || old[0].Other.Name != "young" || !old[0].Keeps || len(young) != 1 || young[0].Other.Name != "old" || young[0].Keeps {
				t.Errorf("overlaps %v and %v", old, young)
			}
		}},
		{"an address rests after it was given back, but not for the one who had it", func(s *fixture) {
			s.pool("blue", "192.0.2.0-192.0.2.1", func(p *lb.Pool) { p.ReuseDelay = time.Minute })
			s.service("a")
			s.service("b")
			s.pass()
			delete(s.services, "a")
			delete(s.services, "b")
			s.service("c")
			s.service("d", asks("192.0.2.1"))
			s.pass().says("c", ReasonPoolExhausted, "rest for 1m0s")
			s.says("d", ReasonReuseDelayed, "rest until 1970-01-12T13:47:40Z")
			if want := s.now.Add(time.Minute); !s.plan.Next.Equal(want) {
				t.Errorf("the next pass is at %s, want %s", s.plan.Next, want)
			}
			s.service("b")
			s.pass().has("b", "192.0.2.1")
			s.now = s.now.Add(time.Minute)
			s.pass().has("c", "192.0.2.0")
		}},
	} {
		t.Run(test.name, func(t *testing.T) { test.test(newFixture(t)) })
	}
}

func TestCompute_Reservations(t *testing.T) {
	reserve := func(s *fixture, name, addresses string, change func(*lb.Reservation)) {
		r := &lb.Reservation{Name: name, Created: s.now.Add(time.Duration(len(s.reservations))), Ranges: ranges(s.t, addresses)}
		change(r)
		s.reservations = append(s.reservations, r)
	}
	service := func(name string) func(*lb.Reservation) {
		return func(r *lb.Reservation) { r.Service = lb.Key{Namespace: "default", Name: name} }
	}
	for _, test := range []struct {
		name string
		test func(*fixture)
	}{
		{"an address is kept for a Service before it exists and after it is gone", func(s *fixture) {
			s.pool("blue", "192.0.2.0-192.0.2.1")
			reserve(s, "r", "192.0.2.0", service("late"))
			s.service("early")
			s.pass().has("early", "192.0.2.1")
			s.service("other", asks("192.0.2.0"))
			s.pass().says("other", ReasonReserved, "IPReservation r")
			s.service("late")
			s.pass().has("late", "192.0.2.0")
			delete(s.services, "late")
			s.service("next")
			s.pass().says("next", ReasonPoolExhausted, "pool blue is exhausted")
		}},
		{"it never takes an address away, and says who has it", func(s *fixture) {
			s.pool("blue", "192.0.2.0-192.0.2.1")
			s.service("has")
			s.pass()
			reserve(s, "r", "192.0.2.0", service("wants"))
			s.service("wants")
			s.pass().has("has", "192.0.2.0")
			s.has("wants", "192.0.2.1")
			if taken := s.plan.Reservations[0].Taken; len(taken) != 1 || taken[0].Holder.Name != "has" {
				t.Errorf("the reservation knows of %v", taken)
			}
		}},
		{"Services of a namespace share one by their labels, even where nothing is given automatically", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28", func(p *lb.Pool) { p.AutoAssign = false })
			reserve(s, "r", "192.0.2.4/31", func(r *lb.Reservation) {
				r.Namespace, r.Selector = "red", labels.SelectorFromSet(labels.Set{"app": "web"})
			})
			web := func(service *lb.Service) { service.Labels = lb.NewLabels(map[string]string{"app": "web"}) }
			s.service("red/a", web)
			s.service("red/b")
			s.service("red/c", web)
			s.pass().has("red/a", "192.0.2.4")
			s.has("red/b", "")
			s.has("red/c", "192.0.2.5")
		}},
		{"the older of two has the address, and the younger says so", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			reserve(s, "old", "192.0.2.4", service("a"))
			reserve(s, "young", "192.0.2.4", service("b"))
			s.service("b")
			s.service("a")
			s.pass().has("a", "192.0.2.4")
			s.has("b", "192.0.2.0")
			if overlaps := s.plan.Reservations[1].Overlaps; len(overlaps) != 1 || overlaps[0] != "old" {
				t.Errorf("the younger knows of %v", overlaps)
			}
		}},
		{"addresses of no pool are told", func(s *fixture) {
			s.pool("blue", "192.0.2.0/28")
			reserve(s, "r", "192.0.2.8-192.0.2.20", service("a"))
			s.pass()
			if got := s.plan.Reservations[0].OutsidePools.String(); got != "192.0.2.16-192.0.2.20" {
				t.Errorf("without a pool: %s", got)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) { test.test(newFixture(t)) })
	}
}
