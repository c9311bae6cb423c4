package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/server"
)

// answer serves /neighbors, a JSON object of states by address, and /routes, a text for people.
func answer(ctx context.Context, bgp *server.BgpServer, socket string) (*http.Server, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "unix", socket)
	if err != nil {
		return nil, fmt.Errorf("listen for questions: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/neighbors", func(w http.ResponseWriter, r *http.Request) { tellNeighbors(r.Context(), bgp, w) })
	mux.HandleFunc("/routes", func(w http.ResponseWriter, _ *http.Request) { tellRoutes(bgp, w) })
	s := &http.Server{Handler: mux, ReadHeaderTimeout: time.Second}
	go func() { _ = s.Serve(listener) }() // ends with Close
	return s, nil
}

func tellNeighbors(ctx context.Context, bgp *server.BgpServer, w http.ResponseWriter) {
	states := map[string]string{}
	err := bgp.ListPeer(ctx, &api.ListPeerRequest{}, func(p *api.Peer) {
		name := strings.ToLower(strings.TrimPrefix(p.GetState().GetSessionState().String(), "SESSION_STATE_"))
		if name != "" {
			name = strings.ToUpper(name[:1]) + name[1:]
		}
		states[p.GetConf().GetNeighborAddress()] = name
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_ = json.NewEncoder(w).Encode(states) // who asked may have gone
}

func tellRoutes(bgp *server.BgpServer, w http.ResponseWriter) {
	routes, err := learned(bgp)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	var lines []string
	for prefix, hops := range routes {
		var text []string
		for _, hop := range hops {
			text = append(text, hop.String())
		}
		lines = append(lines, fmt.Sprintf("%-20s via %s\n", prefix, strings.Join(text, ", ")))
	}
	slices.Sort(lines)
	fmt.Fprint(w, strings.Join(lines, ""))
}
