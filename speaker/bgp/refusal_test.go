package bgp

import (
	"context"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/announce"
)

// counted counts the connections that a Speaker tries to make.
func (r *running) counted() *atomic.Int32 {
	attempts := &atomic.Int32{}
	r.dial = func(ctx context.Context, s *settings) (net.Conn, error) {
		attempts.Add(1)
		return dialRouter(ctx, s)
	}
	return attempts
}

// within checks that no more than some attempts are made in a time.
func within(t *testing.T, attempts *atomic.Int32, span time.Duration, most int32) {
	t.Helper()
	before := attempts.Load()
	time.Sleep(span) // What is checked is that nothing happens meanwhile.
	if made := attempts.Load() - before; made > most {
		t.Errorf("%d attempts in %s, want no more than %d", made, span, most)
	} else {
		t.Logf("%d attempts in %s", made, span)
	}
}

func TestFRR_AdministrativeShutdownIsHeededAndEndsAtOnceWithNewSettings(t *testing.T) {
	t.Parallel()
	c := newCable(t)
	router := startFRR(t, c, 64513, passive...)
	session := c.session(func(s *announce.Session) { s.ConnectTime = 30 * time.Second }, path("198.19.0.1/32"))
	speaker := start(t)
	attempts := speaker.counted()
	speaker.set(session)
	router.has("198.19.0.1/32", nil)
	router.configure(64513, "neighbor OURS shutdown message back at noon")
	speaker.says("tor", `administrative shutdown: "back at noon"`)
	within(t, attempts, 5*time.Second, 4)
	speaker.says("tor", `administrative shutdown: "back at noon"; since then it closes every connection`)
	router.configure(64513, "no neighbor OURS shutdown")
	session.ConnectTime = 10 * time.Second
	changed := time.Now()
	speaker.set(session)
	speaker.up("tor")
	if took := time.Since(changed); took > session.ConnectTime/2 {
		t.Errorf("new settings were tried after %s", took)
	}
}

func TestFRR_PrefixLimitIsSaidAndTriedSeldom(t *testing.T) {
	t.Parallel()
	c := newCable(t)
	startFRR(t, c, 64513, slices.Concat(passive, []string{"exit-address-family", "address-family ipv4 unicast", "neighbor OURS maximum-prefix 2 restart 5"})...)
	speaker := start(t)
	attempts := speaker.counted()
	speaker.set(c.session(func(s *announce.Session) { s.ConnectTime = 30 * time.Second },
		many(5, false, med(1))...))
	speaker.says("tor", "cease, maximum number of prefixes reached: the router's limit is 2 IPv4 prefixes")
	within(t, attempts, 4*time.Second, 0)
}

func TestBIRD_PrefixLimitIsSaidAndTriedSeldom(t *testing.T) {
	t.Parallel()
	c := newCable(t)
	startBIRD(t, c, c.Theirs, c.Ours, "next hop keep; import limit 2 action restart;")
	speaker := start(t)
	attempts := speaker.counted()
	speaker.set(c.session(func(s *announce.Session) { s.ConnectTime = 30 * time.Second },
		many(5, false, med(1))...))
	speaker.says("tor", "cease, maximum number of prefixes reached")
	within(t, attempts, 4*time.Second, 0)
}
