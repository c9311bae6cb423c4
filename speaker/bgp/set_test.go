package bgp

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// med makes attributes that differ by their MED.
func med(value uint32) *announce.Attributes { return &announce.Attributes{MED: &value} }

// Whatever states are set, in whatever order: afterwards the routers have the last one.
func TestSpeaker_SetInAnyOrderReachesTheRouters(t *testing.T) {
	t.Parallel()
	first, second := local(t, "one", newHost(t), nil), local(t, "two", newHost(t), nil)
	one, two := startRouter(t, first), startRouter(t, second)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	somePaths := func() (paths []announce.Path) {
		shared := []*announce.Attributes{med(1), med(2), med(3)}
		for i := range 40 {
			if random.IntN(2) == 0 {
				paths = append(paths, path(fmt.Sprintf("198.19.0.%d/32", i), shared[random.IntN(3)]))
			}
		}
		return paths
	}
	speaker := start(t)
	for step := range 40 {
		first.Paths, second.Paths = somePaths(), somePaths()
		desired := []announce.Session{first, second}
		switch { // Sometimes a session is not desired, or has a problem and must be left as it is.
		case step%13 == 12:
			desired = desired[1:]
			first.Paths = nil
		case step%5 == 4 && step%13 != 0: // Not while it does not run.
			desired[0].Problem, desired[0].HoldTime = "the Secret is missing", 0
		}
		speaker.set(desired...)
		if step%3 == 0 || random.IntN(2) == 0 { // Otherwise the next state comes before this one is reached.
			one.holds(first.Paths)
			two.holds(second.Paths)
		}
	}
	speaker.set(first, second)
	one.holds(first.Paths)
	two.holds(second.Paths)
}

func TestSession_ProblemLeavesItAsItIs(t *testing.T) {
	t.Parallel()
	session := local(t, "tor", newHost(t), nil)
	router := startRouter(t, session)
	session.Paths = []announce.Path{path("198.19.0.1/32", med(1))}
	bad := session
	bad.Problem, bad.HoldTime = "the Secret tor-password does not exist", 30*time.Second

	speaker := start(t, bad)
	if s := speaker.Status(); len(s) != 1 || s[0].State != "Idle" || s[0].LastError != bad.Problem {
		t.Errorf("a session with a problem was started: %+v", s)
	}
	speaker.set(session)
	router.holds(session.Paths)
	since := speaker.up("tor").Since

	bad.Paths, bad.Address = []announce.Path{path("198.19.0.2/32", med(2))}, netip.Addr{}
	speaker.set(bad)
	router.holds(bad.Paths)
	s := speaker.up("tor")
	if s.Since != since || s.LastError != bad.Problem || !slices.Equal(s.Warnings, []string{bad.Problem}) || s.Address != session.Address.String() {
		t.Errorf("the session was touched, or does not say why not: %+v", s)
	}
	bad.Problem, bad.HoldTime, bad.Address = "", session.HoldTime, session.Address
	speaker.set(bad)
	if s := speaker.up("tor"); s.Since != since || s.LastError != "" {
		t.Errorf("the problem is over, the status says %+v", s)
	}
}

func TestSettings_InvalidOnesAreExplained(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*announce.Session)
		words  string
	}{
		"no address":                   {func(s *announce.Session) { s.Address = netip.Addr{} }, "the address of the router is not known"},
		"link-local without interface": {func(s *announce.Session) { s.Address = netip.MustParseAddr("fe80::1") }, "needs the interface"},
		"source of the other family": {
			func(s *announce.Session) { s.Source = netip.MustParseAddr("2001:db8::9") }, "are not of one family",
		},
		"no own AS number":       {func(s *announce.Session) { s.MyASN = 0 }, "our own AS number is missing"},
		"no AS number of router": {func(s *announce.Session) { s.PeerASN = 0 }, "the router's AS number is missing"},
		"no router ID":           {func(s *announce.Session) { s.RouterID = netip.Addr{} }, "there is no router ID"},
		"no family":              {func(s *announce.Session) { s.Families = nil }, "no address family"},
		"no hold timer":          {func(s *announce.Session) { s.HoldTime = 0 }, "holdTime 0s"},
		"hold time too short":    {func(s *announce.Session) { s.HoldTime = time.Second }, "holdTime 1s is too short"},
		"password too long":      {func(s *announce.Session) { s.Password = strings.Repeat("x", 81) }, "the password has 81 bytes"},
		"multihop and TTL security": {
			func(s *announce.Session) { s.MultiHop, s.TTLSecurity = true, true }, "exclude each other",
		},
		"the plan's own problem": {func(s *announce.Session) { s.Problem = "no such Secret" }, "no such Secret"},
		"an interface that does not exist": {
			func(s *announce.Session) { s.Address = netip.MustParseAddr("fe80::1%none0") }, "none0",
		},
		"a VRF that does not exist": {func(s *announce.Session) { s.VRF = "none0" }, "no such device"},
		"BFD":                       {func(s *announce.Session) { s.BFD = &lb.BFDProfile{Name: "fast"} }, "connection refused"},
		"no next hop": {
			func(s *announce.Session) {
				s.Families = []lb.Family{lb.IPv4, lb.IPv6}
				s.Paths = []announce.Path{path("2001:db8:ffff::1/128")}
			}, "connection refused",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			speaker := start(t)
			_ = speaker.Set(t.Context(), []announce.Session{local(t, "tor", newHost(t), test.change)}) // The status is the thing.
			speaker.says("tor", test.words)
		})
	}
}

func TestSession_MissingFamilyIsAWarning(t *testing.T) {
	t.Parallel()
	session := local(t, "tor", newHost(t), func(*announce.Session) {})
	startRouter(t, session)
	speaker := start(t, session)
	speaker.up("tor")

	session.Families = []lb.Family{lb.IPv4, lb.IPv6}
	session.NextHop6 = netip.MustParseAddr("2001:db8::9")
	session.Paths = []announce.Path{path("2001:db8:ffff::1/128")}
	speaker.set(session)
	speaker.says("tor", "the router does not exchange IPv6")
	if s := speaker.up("tor"); s.IPv6 != 0 {
		t.Errorf("the router takes no IPv6, the status says %d prefixes", s.IPv6)
	}
}

func TestSpeaker_OneFailureDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	good := local(t, "z-good", newHost(t), nil)
	good.Paths = []announce.Path{path("198.19.0.1/32", med(1))}
	router := startRouter(t, good)
	bad := local(t, "a-bad", netip.MustParseAddr("fe80::1%none0"), func(s *announce.Session) { s.Source = netip.Addr{} })
	speaker := start(t)
	if err := speaker.Set(t.Context(), []announce.Session{bad, bad, good}); err == nil ||
		!strings.Contains(err.Error(), "session a-bad is given twice") {
		t.Errorf("Set returned %v", err)
	}
	router.holds(good.Paths)
	if all := speaker.Status(); len(all) != 2 || all[0].Name != "a-bad" || all[1].Name != "z-good" {
		t.Errorf("status %+v", all)
	}
	speaker.says("a-bad", "there is no interface none0")
}

// A BGPPeer gets another name: for a time two name the same router, and the older has the session.
func TestSpeaker_SessionGoesOnUnderTheNameThatIsLeft(t *testing.T) {
	t.Parallel()
	older := local(t, "older", newHost(t), nil)
	older.Paths = []announce.Path{path("198.19.0.1/32", med(1))}
	router := startRouter(t, older)
	speaker := start(t, older)
	router.holds(older.Paths)
	since := speaker.up("older").Since

	younger := older
	younger.Name, younger.Peer, younger.Problem = "younger", "younger", "BGPPeer older names the same router, and is older"
	speaker.set(older, younger)
	speaker.says("younger", younger.Problem)
	younger.Problem = ""
	speaker.set(younger)
	s := speaker.up("younger")
	router.holds(older.Paths)
	if all := speaker.Status(); s.Since != since || s.LastError != "" || len(all) != 1 {
		t.Errorf("the session was touched: %+v", all)
	}
}

// A BGPPeer is deleted before the one with the other name is there: its router is told to delete the routes, also under graceful restart, and has
// them again with the next session.
func TestSpeaker_SessionEndsWithItsNameBeforeTheNextOne(t *testing.T) {
	t.Parallel()
	older := local(t, "older", newHost(t), nil)
	older.Paths, older.RestartTime = []announce.Path{path("198.19.0.1/32", med(1))}, time.Minute
	router := startRouter(t, older)
	speaker := start(t, older)
	router.holds(older.Paths)
	speaker.set()
	router.holds(nil)
	// Cease, Peer De-configured: after a NOTIFICATION no routes are kept (RFC 4724 section 4).
	if got := router.lastNotified(); !slices.Equal(got, []byte{6, 3}) {
		t.Errorf("the router is told %v", got)
	}
	younger := older
	younger.Name, younger.Peer = "younger", "younger"
	speaker.set(younger)
	speaker.up("younger")
	router.holds(older.Paths)
}

func TestSpeaker_ChangesWakes(t *testing.T) {
	t.Parallel()
	session := local(t, "tor", newHost(t), nil)
	startRouter(t, session)
	speaker := start(t, session)
	deadline := time.After(20 * time.Second)
	for {
		select {
		case <-speaker.Changes():
			if s := speaker.Status(); len(s) == 1 && s[0].State == "Established" {
				return
			}
		case <-deadline:
			t.Fatal("nobody was woken when the session came up")
		}
	}
}

func TestSpeaker_Metrics(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	speaker := New(Config{Registerer: registry})
	r := newStatusRecorder(slog.New(slog.DiscardHandler), speaker.notifyChanges)
	speaker.sessions["tor"] = &session{recorder: r}
	r.setDesired(&announce.Session{Name: "tor-192.0.2.1", Peer: "tor", Address: netip.MustParseAddr("192.0.2.1"), Paths: []announce.Path{
		{Prefix: netip.MustParsePrefix("203.0.113.1/32")}, {Prefix: netip.MustParsePrefix("203.0.113.2/32")}, {Prefix: netip.MustParsePrefix("2001:db8::1/128")},
	}}, "")
	r.established(&negotiated{holdTime: 9 * time.Second, keepaliveTime: 3 * time.Second, families: []lb.Family{lb.IPv4}, warnings: []string{"no IPv6"}})
	r.setAdvertised(nil, &adjRIBOut{ipv4: 1}, &routeChanges{added: 3, removed: 2})
	r.prefixesReceived.Add(7)
	want := `
# HELP daymark_bgp_family_negotiated Whether the router exchanges a family on the session, by family.
# TYPE daymark_bgp_family_negotiated gauge
daymark_bgp_family_negotiated{family="IPv4",peer="tor",session="tor-192.0.2.1"} 1
daymark_bgp_family_negotiated{family="IPv6",peer="tor",session="tor-192.0.2.1"} 0
# HELP daymark_bgp_hold_time_seconds Hold time negotiated with the router; 0 while the session is not established.
# TYPE daymark_bgp_hold_time_seconds gauge
daymark_bgp_hold_time_seconds{peer="tor",session="tor-192.0.2.1"} 9
# HELP daymark_bgp_keepalive_time_seconds Time between KEEPALIVE messages; 0 while the session is not established.
# TYPE daymark_bgp_keepalive_time_seconds gauge
daymark_bgp_keepalive_time_seconds{peer="tor",session="tor-192.0.2.1"} 3
# HELP daymark_bgp_path_changes_total Paths sent to the router since the session was configured, by kind: announce or withdraw.
# TYPE daymark_bgp_path_changes_total counter
daymark_bgp_path_changes_total{kind="announce",peer="tor",session="tor-192.0.2.1"} 3
daymark_bgp_path_changes_total{kind="withdraw",peer="tor",session="tor-192.0.2.1"} 2
# HELP daymark_bgp_prefixes_announced Prefixes that the router has been sent, by family.
# TYPE daymark_bgp_prefixes_announced gauge
daymark_bgp_prefixes_announced{family="IPv4",peer="tor",session="tor-192.0.2.1"} 1
daymark_bgp_prefixes_announced{family="IPv6",peer="tor",session="tor-192.0.2.1"} 0
# HELP daymark_bgp_prefixes_desired Prefixes that the router should be sent, by family, whether the session is established or not.
# TYPE daymark_bgp_prefixes_desired gauge
daymark_bgp_prefixes_desired{family="IPv4",peer="tor",session="tor-192.0.2.1"} 2
daymark_bgp_prefixes_desired{family="IPv6",peer="tor",session="tor-192.0.2.1"} 1
# HELP daymark_bgp_prefixes_received_total Prefixes that the router has announced to this node, which keeps none of them.
# TYPE daymark_bgp_prefixes_received_total counter
daymark_bgp_prefixes_received_total{peer="tor",session="tor-192.0.2.1"} 7
# HELP daymark_bgp_session_flaps_total How often the BGP session, once established, went down.
# TYPE daymark_bgp_session_flaps_total counter
daymark_bgp_session_flaps_total{peer="tor",session="tor-192.0.2.1"} 0
# HELP daymark_bgp_session_up Whether the BGP session is established; no value while adminState keeps it down.
# TYPE daymark_bgp_session_up gauge
daymark_bgp_session_up{peer="tor",session="tor-192.0.2.1"} 1
# HELP daymark_bgp_session_warnings Number of warnings: what is not as configured although the session is established.
# TYPE daymark_bgp_session_warnings gauge
daymark_bgp_session_warnings{peer="tor",session="tor-192.0.2.1"} 1
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

// A series that stays when its session is gone is an alert that nobody can end.
func TestSpeaker_MetricsGoWithTheirSession(t *testing.T) {
	t.Parallel()
	one, two := local(t, "one", newHost(t), nil), local(t, "two", newHost(t), nil)
	startRouter(t, one)
	speaker := start(t, one, two)
	speaker.up("one")
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(collector{speaker.Speaker})
	for _, desired := range [][]announce.Session{{one, two}, {two}, {one}, nil} {
		speaker.set(desired...)
		got, err := testutil.GatherAndCount(registry, "daymark_bgp_session_up", "daymark_bgp_session_flaps_total", "daymark_bgp_prefixes_desired")
		if want := 4 * len(desired); err != nil || got != want { // The last one has both families.
			t.Errorf("%d series of %d sessions (%v), want %d", got, len(desired), err, want)
		}
	}
}

func TestStatus_BehindUntilTheRouterIsTold(t *testing.T) {
	t.Parallel()
	routes := func(med uint32) []announce.Path {
		attributes := &announce.Attributes{MED: &med}
		return []announce.Path{
			{Prefix: netip.MustParsePrefix("198.51.100.0/32"), Attributes: attributes},
			{Prefix: netip.MustParsePrefix("198.51.100.1/32"), Attributes: attributes},
		}
	}
	first, second := &announce.Session{Name: "tor"}, &announce.Session{Name: "tor", Paths: routes(1)}
	again, worse, fewer := *second, *second, *second
	again.Paths, worse.Paths, fewer.Paths = routes(1), routes(2), routes(2)[:1]
	r := newStatusRecorder(slog.New(slog.DiscardHandler), func() {})
	for _, step := range []struct {
		name   string
		do     func()
		behind bool
	}{
		{"a session that is not established has nobody to tell", func() { r.setDesired(first, "") }, false},
		{"once it is established the router must be told", func() { r.established(&negotiated{}) }, true},
		{"it was told", func() { r.setAdvertised(first, &adjRIBOut{}, &routeChanges{}) }, false},
		{"more is desired", func() { r.setDesired(second, "") }, true},
		{"it was told what was desired before", func() { r.setAdvertised(first, &adjRIBOut{}, &routeChanges{}) }, true},
		{"the same is desired while it is not told yet", func() { r.setDesired(&again, "") }, true},
		{"it was told what was desired before", func() { r.setAdvertised(second, &adjRIBOut{}, &routeChanges{}) }, true},
		{"it was told all", func() { r.setAdvertised(&again, &adjRIBOut{}, &routeChanges{}) }, false},
		{"the same is desired again, by the next pass", func() { r.setDesired(second, "") }, false},
		{"another attribute is desired", func() { r.setDesired(&worse, "") }, true},
		{"it was told", func() { r.setAdvertised(&worse, &adjRIBOut{}, &routeChanges{}) }, false},
		{"less is desired", func() { r.setDesired(&fewer, "") }, true},
		{"the connection is lost", func() { r.connectionClosed(&closeReason{text: "lost"}) }, false},
		{"and comes back", func() { r.established(&negotiated{}) }, true},
	} {
		if step.do(); r.status().Behind != step.behind {
			t.Errorf("%s: behind is %v", step.name, r.status().Behind)
		}
	}
}
