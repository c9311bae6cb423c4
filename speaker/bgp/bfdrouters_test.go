package bgp

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/bfdsession"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/netnstest"
	"github.com/daymark-lb/daymark/speaker/bfd"
)

// watched is a Speaker with one session that BFD watches, as the speaker's loop has it do.
type watched struct {
	*running
	monitor *bfd.Monitor
	session announce.Session

	// mu guards when the router last took a connection, and when BFD last came up.
	mu          sync.Mutex
	connectedAt time.Time
	bfdCameUpAt time.Time
}

// connected is when the router last took a connection.
func (w *watched) connected() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.connectedAt
}

// bfdCameUp is when BFD last came up.
func (w *watched) bfdCameUp() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.bfdCameUpAt
}

// dialAndNote connects, and notes when that has worked.
func (w *watched) dialAndNote(ctx context.Context, s *settings) (net.Conn, error) {
	conn, err := dialRouter(ctx, s)
	if err == nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.connectedAt = time.Now()
	}
	return conn, err
}

// noteUp is told that BFD is up.
func (w *watched) noteUp(name string) {
	w.mu.Lock()
	w.bfdCameUpAt = time.Now()
	w.mu.Unlock()
	w.BFDUp(name)
}

// slowBFD are parameters with a Detection Time of 1.5 s: other tests may keep the machine busy.
var slowBFD = lb.BFDProfile{ReceiveInterval: 300 * time.Millisecond, TransmitInterval: 300 * time.Millisecond, DetectMultiplier: 5}

// startWatched runs a session and BFD for it until the test ends.
func startWatched(t *testing.T, session announce.Session) *watched {
	t.Helper()
	session.BFD = &slowBFD
	plan := (&announce.BFDPlan{}).Next([]announce.Session{session}, nil)
	w := &watched{session: session}
	w.running = startBy(t, w.dialAndNote)
	w.monitor = bfd.New(bfd.Config{OnDown: w.BFDDown, OnUp: w.noteUp})
	w.apply(plan)
	if err := w.monitor.Set(t.Context(), plan.Sessions); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	ended.Go(func() {
		if err := w.monitor.Start(ctx); err != nil {
			t.Errorf("Start: %v", err)
		}
	})
	ended.Go(func() {
		for ctx.Err() == nil {
			select {
			case <-ctx.Done():
			case <-w.monitor.Changes():
				w.apply(plan)
			}
		}
	})
	t.Cleanup(func() { w.end(); cancel(); ended.Wait() })
	return w
}

// apply gives the Speaker the session as it is to be now.
func (w *watched) apply(plan *announce.BFDPlan) {
	var settled, passable []string
	for _, s := range w.monitor.Status() {
		if s.Settled || s.Problem != "" {
			settled = append(settled, s.Name)
		}
		if s.Passable() {
			passable = append(passable, s.Name)
		}
	}
	w.set(announce.HoldForBFD([]announce.Session{w.session}, plan.Watched(settled), plan.Watched(passable))...)
}

// lastDown is when the BFD session last failed, or else came up.
func (w *watched) lastDown() time.Time {
	s := w.monitor.Status()[0]
	if s.Since.After(s.LastDownAt) {
		return s.Since
	}
	return s.LastDownAt
}

// bfdRouter is a router with BFD for its neighbor.
type bfdRouter interface {
	// startBFD turns BFD on for the session; it may be on already.
	startBFD(t *testing.T)
	// crash ends the router as a power cut would; boot starts it again with BFD.
	crash()
	boot()
	// state of the BGP session, in the router's words.
	state() (string, error)
	tableReader
}

// bfdRouters are started without BFD, or with it. dynamic: they know no neighbor before one connects.
var bfdRouters = map[string]func(t *testing.T, c *cable, withBFD bool) bfdRouter{
	"FRR":                        func(t *testing.T, c *cable, with bool) bfdRouter { return startBFDFRR(t, c, false, with) },
	"FRR with dynamic neighbors": func(t *testing.T, c *cable, with bool) bfdRouter { return startBFDFRR(t, c, true, with) },
	"BIRD": func(t *testing.T, c *cable, with bool) bfdRouter {
		return startBFDBIRD(t, c, "neighbor "+c.Ours.String()+" as 64512; passive", with)
	},
	"BIRD with dynamic neighbors": func(t *testing.T, c *cable, with bool) bfdRouter {
		return startBFDBIRD(t, c, "neighbor range "+c.Ours.String()+"/32 as 64512", with)
	},
}

// withEachBFDRouter runs a test against each router, one after the other: BFD's port is there once.
func withEachBFDRouter(t *testing.T, withBFD bool, test func(*testing.T, *cable, bfdRouter)) {
	for name, begin := range bfdRouters {
		t.Run(name, func(t *testing.T) {
			c := newCable(t)
			test(t, c, begin(t, c, withBFD))
		})
	}
}

// bfdFRR is FRR with bfdd.
type bfdFRR struct {
	*matrixFRR
	config string
	bfdd   *netnstest.Daemon
	zebrad *netnstest.Daemon
}

const bfdFRRProfile = "bfd\nprofile slow\nreceive-interval 300\ntransmit-interval 300\ndetect-multiplier 5\nexit\nexit\n"

func startBFDFRR(t *testing.T, c *cable, dynamic, withBFD bool) bfdRouter {
	t.Helper()
	lines := []string{"neighbor OURS remote-as 64512", "neighbor OURS passive"}
	if dynamic {
		lines = []string{"neighbor nodes peer-group", "neighbor nodes remote-as 64512", "bgp listen range OURS/32 peer-group nodes"}
	}
	f := &bfdFRR{matrixFRR: &matrixFRR{newFRR(t, c, 64513, lines...), 64513}}
	f.kernel, f.config = nil, f.frr.config
	if withBFD {
		f.frr.config += f.bfdLine() + "\n"
	}
	f.boot()
	return f
}

// bfdLine turns BFD on for the neighbor.
func (f *bfdFRR) bfdLine() string {
	if strings.Contains(f.config, "listen range") {
		return "neighbor nodes bfd profile slow"
	}
	return "neighbor " + f.cable.Ours.String() + " bfd profile slow"
}

func (f *bfdFRR) boot() {
	f.zebrad = f.Start("zebra", "")
	f.bfdd = f.Start("bfdd", bfdFRRProfile)
	f.start()
}

func (f *bfdFRR) crash() {
	f.bfdd.Kill()
	f.bgpd.Kill()
	f.zebrad.Kill()
}

func (f *bfdFRR) startBFD(*testing.T) { f.configure(64513, f.bfdLine()) }

func (f *bfdFRR) state() (string, error) {
	var answer map[string]struct {
		State string `json:"bgpState"`
	}
	err := f.show("bgp neighbors", &answer)
	return answer[f.cable.Ours.String()].State, err
}

// bfdBIRD is BIRD with BFD.
type bfdBIRD struct {
	*matrixBIRD
	config func(withBFD bool) string
}

func startBFDBIRD(t *testing.T, c *cable, neighbor string, withBFD bool) bfdRouter {
	t.Helper()
	config := func(withBFD bool) string {
		bfd := ""
		if withBFD {
			bfd = "bfd;"
		}
		return fmt.Sprintf(`router id %[1]s;
protocol device {}
protocol bfd { interface "*" { interval 300 ms; multiplier 5; }; }
protocol bgp node {
	local %[1]s as 64513;
	%[2]s;
	%[3]s
	ipv4 { import all; export none; };
}
`, c.Theirs, neighbor, bfd)
	}
	return &bfdBIRD{&matrixBIRD{&bird{t: t, BIRD: netnstest.StartBIRD(t, c.Other, config(withBFD))}}, config}
}

func (b *bfdBIRD) startBFD(*testing.T) { b.Configure(b.config(true)) }

func (b *bfdBIRD) crash() { b.Kill() }

func (b *bfdBIRD) boot() { b.Start() }

func (b *bfdBIRD) state() (string, error) {
	output, err := b.Ask("show protocols all")
	for line := range strings.Lines(output) {
		if state, ok := strings.CutPrefix(strings.TrimSpace(line), "BGP state:"); ok && !strings.Contains(state, "Passive") {
			return strings.TrimSpace(state), err
		}
	}
	return "", err
}

// TestStrictMode_NeitherEndIsEstablishedBeforeBFD: the router has no strict mode, and no BFD at first.
func TestStrictMode_NeitherEndIsEstablishedBeforeBFD(t *testing.T) {
	withEachBFDRouter(t, false, func(t *testing.T, c *cable, r bfdRouter) {
		w := startWatched(t, c.session(func(s *announce.Session) { s.BFDStrict, s.HoldTime, s.Families = true, 60*time.Second, s.Families[:1] }, path(matrix4)))
		w.says("tor", waitsForBFD)
		if state, err := r.state(); err != nil || state == "Established" {
			t.Errorf("the router is in state %q: %v", state, err)
		}
		if _, has, _ := r.received(matrix4); has || w.Status()[0].State == v1beta1.BGPEstablished {
			t.Errorf("the router has a path: %t, status %+v", has, w.Status()[0])
		}
		r.startBFD(t)
		w.up("tor")
		hasPath(t, r, matrix4, seenPath{asPath: "64512", hop: c.Ours.String()})
	})
}

// TestStrictMode_SessionUnderBFDComesUp: to a router that begins BFD only when a neighbor has connected, too.
func TestStrictMode_SessionUnderBFDComesUp(t *testing.T) {
	withEachBFDRouter(t, true, func(t *testing.T, c *cable, r bfdRouter) {
		began := time.Now()
		w := startWatched(t, c.session(func(s *announce.Session) { s.BFDStrict, s.HoldTime, s.Families = true, 60*time.Second, s.Families[:1] }, path(matrix4)))
		s := w.up("tor")
		t.Logf("established after %s", s.Since.Sub(began).Round(time.Millisecond))
		w.await("tor", "stays up", func(s Status) bool { return time.Since(w.lastDown()) > 3*time.Second && s.IPv4 == 1 })
		if flaps := w.sessions["tor"].recorder.flaps; flaps > 1 {
			t.Errorf("it was down %d times", flaps)
		}
		hasPath(t, r, matrix4, seenPath{asPath: "64512", hop: c.Ours.String()})
	})
}

// TestBFDUp_RouterThatIsBackIsDialedAtOnce: a router that was away is dialed once in connectTime, and when BFD reaches it again,
// at once. Only a router that knows its neighbors begins BFD by itself.
func TestBFDUp_RouterThatIsBackIsDialedAtOnce(t *testing.T) {
	for _, name := range []string{"FRR", "BIRD"} {
		t.Run(name, func(t *testing.T) {
			c := newCable(t)
			r := bfdRouters[name](t, c, true)
			w := startWatched(t, c.session(func(s *announce.Session) { s.ConnectTime, s.Families = time.Hour, s.Families[:1] }))
			w.up("tor")
			netnstest.Eventually(t, "BFD is up", func() error {
				if s := w.monitor.Status()[0]; s.State != bfdsession.Up {
					return fmt.Errorf("it is %s", s.State)
				}
				return nil
			})
			r.crash()
			// The first pause is an hour's 32nd part, shortened by half at most.
			w.await("tor", "waits for minutes", func(s Status) bool { return time.Until(s.NextTry) > 30*time.Second })
			booted, dialed := time.Now(), w.connected()
			r.boot()
			netnstest.Eventually(t, "it is dialed", func() error {
				if w.connected().Equal(dialed) {
					return fmt.Errorf("BFD: %+v", w.monitor.Status()[0])
				}
				return nil
			})
			up := w.bfdCameUp()
			t.Logf("BFD was up %s after the start, BGP connected %s after that", up.Sub(booted).Round(time.Millisecond), w.connected().Sub(up).Round(time.Millisecond))
			if took := w.connected().Sub(up); took < 0 || took > 5*time.Second { // It would wait for minutes.
				t.Errorf("dialed %s after BFD came up", took)
			}
		})
	}
}
