package bgp

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/netnstest"
)

// kindOfRouter is a program that the same tests run against.
type kindOfRouter struct {
	// start runs it in AS asn at the far end of a cable, where it waits for us, for both families, with all that it has of
	// capabilities and of messages that we do not use.
	start func(t *testing.T, c *cable, asn int, password string) tableRouter
	// restarts: it keeps our routes while we restart.
	restarts bool
	// hears is what it says when we have told it why the node leaves.
	hears string
	// closes is what we say when it is told to shut the session with the text "lunch".
	closes string
}

// tableReader reads a router's table.
type tableReader interface {
	// received returns our path to a prefix, and whether there is one.
	received(prefix string) (seenPath, bool, error)
}

// tableRouter is a router whose table can be read.
type tableRouter interface {
	tableReader
	// shut ends the session administratively, with the text "lunch" where that can be given.
	shut(t *testing.T)
	// heard is what the router has written or tells of the last NOTIFICATION message from us.
	heard() (string, error)
}

// seenPath is a path as a router shows it, in one form for all.
type seenPath struct {
	asPath    string // "64512 64512"
	med       uint32
	localPref uint32 // 0 where it shows none
	standard  string // "64512:100 no-peer"
	large     string // "64512:1:2"
	hop       string
	stale     bool
}

var routers = map[string]kindOfRouter{
	"FRR":      {startMatrixFRR, true, "Cease/Administrative Shutdown/Hard Reset", `administrative shutdown: "lunch"`},
	"BIRD":     {startMatrixBIRD, true, "Received: Administrative shutdown", `administrative shutdown: "lunch"`},
	"OpenBGPD": {startOpenBGPD, true, "Cease", `administrative shutdown: "lunch"`},
	"GoBGP":    {startGoBGP, true, "hard-reset", `administrative shutdown: "lunch"`},
	// ExaBGP 4.2.21 cannot read the text of a shutdown. It ends the session all the same.
	"ExaBGP": {startExaBGP, false, "message of type", "administrative shutdown"},
}

// withEachRouter runs a test against each router, in AS asn.
func withEachRouter(t *testing.T, asn int, password string, test func(*testing.T, *cable, tableRouter, kindOfRouter)) {
	t.Parallel()
	for name, kind := range routers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCable(t)
			test(t, c, kind.start(t, c, asn, password), kind)
		})
	}
}

// hasPath waits until a router has our path to a prefix, and it is as wanted.
func hasPath(t *testing.T, r tableReader, prefix string, want seenPath) {
	t.Helper()
	netnstest.Eventually(t, "the router has "+prefix, func() error {
		found, ok, err := r.received(prefix)
		if found.localPref == 100 { // What routers give a path that comes without one.
			found.localPref = 0
		}
		switch {
		case err != nil:
			return err
		case !ok:
			return fmt.Errorf("there is no path to %s", prefix)
		case found != want:
			return fmt.Errorf("it has %+v, want %+v", found, want)
		}
		return nil
	})
}

// hasNoPath waits until a router has no path of ours to a prefix.
func hasNoPath(t *testing.T, r tableRouter, prefix string) {
	t.Helper()
	netnstest.Eventually(t, "the router has no "+prefix, func() error {
		found, ok, err := r.received(prefix)
		if ok {
			return fmt.Errorf("it has %+v", found)
		}
		return err
	})
}

const (
	matrix4     = "198.19.0.1/32"
	matrix6     = "2001:db8:ffff::1/128"
	matrixOther = "198.19.0.2/32"
)

func TestMatrix_ExternalRouterSeesPathsComeChangeAndGo(t *testing.T) {
	withEachRouter(t, 64513, "", func(t *testing.T, c *cable, r tableRouter, _ kindOfRouter) {
		attributes := &announce.Attributes{
			MED: ptr(uint32(42)), Prepend: 1, LocalPref: ptr(uint32(250)),
			Communities: []lb.Community{
				community(t, "64512:100"), community(t, "no-peer"), community(t, "64512:1:2"),
				community(t, "rt:64512:7"), community(t, "bandwidth:64512:125000000"),
			},
		}
		session := c.session(nil, path(matrix4, attributes), path(matrix6, attributes))
		speaker := start(t, session)
		want := seenPath{
			asPath: "64512 64512", med: 42, standard: "64512:100 no-peer", large: "64512:1:2", hop: c.Ours.String(),
		}
		hasPath(t, r, matrix4, want)
		want.hop = c.Ours6.String()
		hasPath(t, r, matrix6, want)
		up := speaker.up("tor")

		session.Paths = []announce.Path{path(matrixOther), path(matrix6)}
		speaker.set(session)
		hasNoPath(t, r, matrix4)
		hasPath(t, r, matrixOther, seenPath{asPath: "64512", hop: c.Ours.String()})
		hasPath(t, r, matrix6, seenPath{asPath: "64512", hop: c.Ours6.String()})
		if now := speaker.up("tor"); !now.Since.Equal(up.Since) {
			t.Errorf("the session was up since %s and is since %s: %s", up.Since, now.Since, now.LastError)
		}
	})
}

func TestMatrix_RouterIgnoresTheCapabilityOfStrictMode(t *testing.T) {
	withEachRouter(t, 64513, "", func(t *testing.T, c *cable, r tableRouter, _ kindOfRouter) {
		speaker := start(t, c.session(func(s *announce.Session) { s.BFD, s.BFDStrict = &lb.BFDProfile{}, true }, path(matrix4)))
		hasPath(t, r, matrix4, seenPath{asPath: "64512", hop: c.Ours.String()})
		for _, warning := range speaker.up("tor").Warnings {
			if strings.Contains(warning, "refuses") {
				t.Error(warning)
			}
		}
	})
}

func TestMatrix_InternalRouterWithPasswordSeesLocalPreference(t *testing.T) {
	withEachRouter(t, 64512, "secret", func(t *testing.T, c *cable, r tableRouter, _ kindOfRouter) {
		attributes := &announce.Attributes{LocalPref: ptr(uint32(250)), MED: ptr(uint32(42))}
		start(t, c.session(func(s *announce.Session) { s.PeerASN, s.Password = 64512, "secret" }, path(matrix4, attributes)))
		hasPath(t, r, matrix4, seenPath{med: 42, localPref: 250, hop: c.Ours.String()})
	})
}

func TestMatrix_RouterUnderstandsThatTheNodeLeaves(t *testing.T) {
	withEachRouter(t, 64513, "", func(t *testing.T, c *cable, r tableRouter, kind kindOfRouter) {
		leaving := func(s *announce.Session) {
			s.Leaving, s.BFD, s.BFDSeen = "the node is cordoned", &lb.BFDProfile{}, true // With BFD, a hard reset.
		}
		speaker := start(t, c.session(leaving, path(matrix4)))
		hasPath(t, r, matrix4, seenPath{asPath: "64512", hop: c.Ours.String()})
		speaker.end()
		hasNoPath(t, r, matrix4)
		netnstest.Eventually(t, "the router knows why", func() error {
			said, err := r.heard()
			if err == nil && !strings.Contains(said, kind.hears) {
				err = fmt.Errorf("it says %s", said)
			}
			return err
		})
	})
}

func TestMatrix_RoutersShutdownIsUnderstood(t *testing.T) {
	withEachRouter(t, 64513, "", func(t *testing.T, c *cable, r tableRouter, kind kindOfRouter) {
		later := func(s *announce.Session) { s.ConnectTime = time.Minute } // The next attempt has an error of its own.
		speaker := start(t, c.session(later, path(matrix4)))
		hasPath(t, r, matrix4, seenPath{asPath: "64512", hop: c.Ours.String()})
		r.shut(t)
		speaker.says("tor", kind.closes)
	})
}

func TestMatrix_RestartDoesNotShowWhereTheRouterCan(t *testing.T) {
	withEachRouter(t, 64513, "", func(t *testing.T, c *cable, r tableRouter, kind kindOfRouter) {
		session := c.session(nil, path(matrix4), path(matrixOther))
		speaker := start(t, session)
		want := seenPath{asPath: "64512", hop: c.Ours.String()}
		hasPath(t, r, matrix4, want)
		hasPath(t, r, matrixOther, want)
		speaker.end()
		if !kind.restarts {
			hasNoPath(t, r, matrix4)
			return
		}
		stale := want
		stale.stale = true
		hasPath(t, r, matrix4, stale)

		session.Paths = session.Paths[:1]
		began := time.Now()
		start(t, session)
		for fresh := false; !fresh; {
			found, ok, err := r.received(matrix4)
			if err != nil || !ok || time.Since(began) > 20*time.Second {
				t.Fatalf("%s after the start the router has a path: %t, %+v, %v", time.Since(began), ok, found, err)
			}
			fresh = !found.stale
		}
		hasNoPath(t, r, matrixOther) // End-of-RIB sweeps it out.
	})
}

// wellKnown are the names that routers have for communities.
var wellKnown = strings.NewReplacer("65535:65284", "no-peer", "NO_PEER", "no-peer", "(65535,65284)", "no-peer")

// joined are the values of a router's list, in our form.
func joined(values []string) string {
	return wellKnown.Replace(strings.Join(slices.Sorted(slices.Values(values)), " "))
}
