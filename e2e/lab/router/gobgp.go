package router

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"

	"github.com/daymark-lb/daymark/e2e/lab/build"
	"github.com/daymark-lb/daymark/e2e/lab/check"
	"github.com/daymark-lb/daymark/internal/testnet"
)

// gobgp runs the lab's own router, e2e/lab/router/gobgp.
type gobgp struct{ socket string }

func startGoBGP(r *Router, s Settings) (daemon, []*testnet.Process, error) {
	path := build.RouterProgram()
	if path == "" {
		return nil, nil, errors.New("the lab's own router is not built: pass lab.BuildRouter to lab.Main or lab.Enter")
	}
	var nodes []string
	for _, n := range r.nodes {
		nodes = append(nodes, n.String())
	}
	g := gobgp{filepath.Join(r.dir, "router.sock")}
	p := testnet.NewProcess(r.Namespace, "router", r.dir, path,
		fmt.Sprint("-asn=", ASN), fmt.Sprint("-peer-asn=", s.PeerASN), "-address="+r.V4.String(),
		"-nodes="+strings.Join(nodes, ","), "-password="+s.Password, "-hold="+s.Hold.String(),
		"-socket="+g.socket, fmt.Sprint("-v6=", s.V6))
	if err := p.Start(); err != nil {
		return nil, nil, err
	}
	_, err := testnet.Eventually(readyTimeout, func() error {
		ctx, cancel := check.Context()
		defer cancel()
		_, err := g.neighbors(ctx)
		return err
	})
	return g, []*testnet.Process{p}, err
}

func (g gobgp) ask(ctx context.Context, question string) (string, error) {
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", g.socket)
		},
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://router/"+question, nil)
	if err != nil {
		return "", fmt.Errorf("ask the router: %w", err)
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return "", fmt.Errorf("ask the router: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	b, err := io.ReadAll(response.Body)
	return string(b), err
}

func (g gobgp) neighbors(ctx context.Context) (map[netip.Addr]string, error) {
	out, err := g.ask(ctx, "neighbors")
	if err != nil {
		return nil, err
	}
	states := map[netip.Addr]string{}
	if err := json.Unmarshal([]byte(out), &states); err != nil {
		return nil, fmt.Errorf("read the router's neighbors: %w", err)
	}
	return states, nil
}

// bfdUp is nobody: it does not speak BFD.
func (g gobgp) bfdUp(context.Context) ([]netip.Addr, error) { return nil, nil }

func (g gobgp) view(ctx context.Context) (string, error) { return g.ask(ctx, "routes") }
