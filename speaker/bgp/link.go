package bgp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/server"
)

// link is a GoBGP server and the one peer it has.
type link struct {
	server *bgpServer
	peer   *api.Peer
	// dialing: the server has the peer.
	dialing bool
	// gone: what GoBGP still tells is of no interest any more.
	gone atomic.Bool
	// unwatch ends the goroutine that calls back.
	unwatch context.CancelFunc
}

// openLink starts a server that has no peer yet, and lets view know what happens to it.
func openLink(ctx context.Context, s *settings, view *view, log *slog.Logger) (*link, error) {
	watched, unwatch := context.WithCancel(context.Background())
	l := &link{peer: s.neighbor(), unwatch: unwatch}
	l.server = newServer(&journal{settings: *s, log: log, quiet: view.established, told: func(found cause) {
		if !l.gone.Load() {
			view.hear(found)
		}
	}})
	err := l.server.start(ctx, s.global())
	if err == nil {
		err = learnNothing(ctx, l.server)
	}
	if err == nil {
		err = l.watch(watched, func(state apiutil.PeerState) {
			if !l.gone.Load() {
				view.see(s, state)
			}
		})
	}
	if err != nil {
		return nil, errors.Join(err, l.close(false))
	}
	return l, nil
}

// watch tells changes of state to told, which must return at once, until ctx ends.
func (l *link) watch(ctx context.Context, told func(apiutil.PeerState)) error {
	callbacks := server.WatchEventMessageCallbacks{OnPeerUpdate: func(event *apiutil.WatchEventMessage_PeerEvent, _ time.Time) {
		if event.Type == apiutil.PEER_EVENT_STATE {
			told(event.Peer.State)
		}
	}}
	if err := l.server.WatchEvent(ctx, callbacks, server.WatchPeer()); err != nil {
		return fmt.Errorf("watch the session: %w", err)
	}
	return nil
}

// learnNothing makes a server reject every route that is not its own.
func learnNothing(ctx context.Context, s *bgpServer) error {
	own := &api.Policy{Name: "own", Statements: []*api.Statement{{
		Name:       "own",
		Conditions: &api.Conditions{RouteType: api.Conditions_ROUTE_TYPE_LOCAL},
		Actions:    &api.Actions{RouteAction: api.RouteAction_ROUTE_ACTION_ACCEPT},
	}}}
	if err := s.AddPolicy(ctx, &api.AddPolicyRequest{Policy: own}); err != nil {
		return fmt.Errorf("add the import policy: %w", err)
	}
	assignment := &api.PolicyAssignment{
		Name: "global", Direction: api.PolicyDirection_POLICY_DIRECTION_IMPORT,
		Policies: []*api.Policy{own}, DefaultAction: api.RouteAction_ROUTE_ACTION_REJECT,
	}
	if err := s.SetPolicyAssignment(ctx, &api.SetPolicyAssignmentRequest{Assignment: assignment}); err != nil {
		return fmt.Errorf("assign the import policy: %w", err)
	}
	return nil
}

// dial adds the peer, which begins to dial within two seconds. What is to be in the first dump, which the End-of-RIB
// marker follows, must have been announced before.
func (l *link) dial(ctx context.Context) error {
	if err := l.server.AddPeer(ctx, &api.AddPeerRequest{Peer: l.peer}); err != nil {
		return fmt.Errorf("add the peer: %w", err)
	}
	l.dialing = true
	return nil
}

// hangUp removes the peer, with CEASE if the session is up. The paths stay for the next.
func (l *link) hangUp(ctx context.Context) error {
	if !l.dialing {
		return nil
	}
	l.dialing = false
	if err := l.server.DeletePeer(ctx, &api.DeletePeerRequest{Address: l.peer.Conf.NeighborAddress}); err != nil {
		return fmt.Errorf("remove the peer: %w", err)
	}
	return nil
}

func (l *link) announce(paths []*apiutil.Path) error {
	if len(paths) == 0 {
		return nil
	}
	if _, err := l.server.AddPath(apiutil.AddPathRequest{Paths: paths}); err != nil {
		return fmt.Errorf("announce: %w", err)
	}
	return nil
}

func (l *link) withdraw(paths []*apiutil.Path) error {
	if len(paths) == 0 {
		return nil
	}
	if err := l.server.DeletePath(apiutil.DeletePathRequest{Paths: paths}); err != nil {
		return fmt.Errorf("withdraw: %w", err)
	}
	return nil
}

func (l *link) close(graceful bool) error {
	defer l.unwatch()
	return l.server.stop(context.Background(), graceful)
}
