package bgp

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/server"
)

// fence keeps the servers of this process apart. GoBGP stores the options of path selection in variables of its package:
// every server writes them as it starts, always to the same values here, and every server reads them, each under a lock
// of its own. While one starts, the locks of all the others are therefore held.
var fence = struct {
	sync.Mutex
	servers map[*bgpServer]struct{}
}{servers: map[*bgpServer]struct{}{}}

// bgpServer is GoBGP's, with the fence around it.
type bgpServer struct {
	*server.BgpServer
	held atomic.Pointer[pause]
}

// pause is what happens to a server whose lock is held.
type pause struct{ begun, over chan struct{} }

// newServer makes a server that is not configured and has no goroutine of ours yet.
func newServer(log slog.Handler) *bgpServer {
	s := &bgpServer{}
	s.BgpServer = server.NewBgpServer(server.LoggerOption(slog.New(gate{log, s}), nil))
	return s
}

// start runs a server that has been made. It ends with stop.
func (s *bgpServer) start(ctx context.Context, global *api.Global) error {
	fence.Lock()
	defer fence.Unlock()
	for other := range fence.servers {
		defer other.hold()()
	}
	fence.servers[s] = struct{}{}
	go s.Serve()
	if err := s.StartBgp(ctx, &api.StartBgpRequest{Global: global}); err != nil {
		return fmt.Errorf("start BGP: %w", err)
	}
	return nil
}

// stop ends a server and waits for its goroutines. Where graceful restart is negotiated and wished for, the connection is
// closed without a NOTIFICATION, and the router keeps our routes (RFC 4724 section 4.2); else it is sent CEASE, peer
// de-configured, which makes it drop them at once (as a hard reset where RFC 8538 is negotiated).
func (s *bgpServer) stop(ctx context.Context, graceful bool) error {
	err := s.StopBgp(ctx, &api.StopBgpRequest{AllowGracefulRestart: graceful})
	s.Stop() // For what StopBgp leaves: a goroutine for BFD.
	fence.Lock()
	defer fence.Unlock()
	delete(fence.servers, s)
	if err != nil {
		return fmt.Errorf("stop BGP: %w", err)
	}
	return nil
}

// nobody is an address that no peer has.
const nobody = "0.0.0.0"

// hold takes the server's lock until release is called. GoBGP calls nothing of ours under that lock but its log: a
// request to shut down a peer that does not exist is logged before it is looked at, and held there.
func (s *bgpServer) hold() (release func()) {
	p := &pause{make(chan struct{}), make(chan struct{})}
	s.held.Store(p)
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		_ = s.ShutdownPeer(context.Background(), &api.ShutdownPeerRequest{Address: nobody}) // Fails, as it should.
	}()
	select {
	case <-p.begun:
	case <-answered: // The server has ended, and reads nothing any more.
	}
	return func() {
		close(p.over)
		<-answered
	}
}

// gate is the log of a server. It stops whoever writes the message of hold.
type gate struct {
	slog.Handler
	server *bgpServer
}

// Enabled implements slog.Handler. The message of hold must come through in any case.
func (g gate) Enabled(ctx context.Context, level slog.Level) bool {
	return level == slog.LevelInfo || g.Handler.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (g gate) Handle(ctx context.Context, record slog.Record) error {
	switch record.Message {
	case "Send operation notification":
		if p := g.server.held.Swap(nil); p != nil {
			close(p.begun)
			<-p.over
		}
		return nil
	case "failed to stop BGP server": // So it says of the second stop in bgpServer.stop.
		return nil
	}
	if !g.Handler.Enabled(ctx, record.Level) {
		return nil
	}
	return g.Handler.Handle(ctx, record) //nolint:wrapcheck // The log's own word.
}

// WithAttrs implements slog.Handler.
func (g gate) WithAttrs(attrs []slog.Attr) slog.Handler {
	return gate{g.Handler.WithAttrs(attrs), g.server}
}

// WithGroup implements slog.Handler.
func (g gate) WithGroup(name string) slog.Handler { return gate{g.Handler.WithGroup(name), g.server} }
