package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// gobgp runs the lab's own router, e2e/lab/router.
type gobgp struct{ RouterSettings }

// routerEnv names its program, from outside to inside.
const routerEnv = "DAYMARK_LAB_ROUTER"

// BuildRouter builds the lab's own router, for GoBGP and, where FRR is not installed, for AnyRouter.
func BuildRouter(ctx context.Context, _ io.Writer) error {
	folder, err := buildHere(ctx, "router", "./e2e/lab/router")
	if err != nil {
		return err
	}
	return os.Setenv(routerEnv, filepath.Join(folder, "router"))
}

func (g gobgp) programs(r *Router) ([]*Program, error) {
	path := os.Getenv(routerEnv)
	if path == "" {
		return nil, errors.New("the lab's own router is not built: pass lab.BuildRouter to lab.Main or lab.Enter")
	}
	var nodes []string
	for _, n := range r.nodes {
		nodes = append(nodes, n.String())
	}
	return []*Program{newProgram(r.Host, "router", r.dir, path,
		fmt.Sprint("-asn=", RouterASN), fmt.Sprint("-peer-asn=", g.PeerASN), "-address="+r.V4.String(),
		"-nodes="+strings.Join(nodes, ","), "-password="+g.Password, "-hold="+g.Hold.String(),
		"-socket="+g.socket(r), fmt.Sprint("-v6=", g.V6))}, nil
}

func (g gobgp) socket(r *Router) string { return filepath.Join(r.dir, "router.sock") }

func (g gobgp) ask(ctx context.Context, r *Router, question string) (string, error) {
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", g.socket(r))
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

func (g gobgp) ready(ctx context.Context, r *Router) error {
	_, err := eventually(10*time.Second, func() error {
		_, err := g.neighbors(ctx, r)
		return err
	})
	return err
}

func (g gobgp) neighbors(ctx context.Context, r *Router) (map[netip.Addr]string, error) {
	out, err := g.ask(ctx, r, "neighbors")
	if err != nil {
		return nil, err
	}
	states := map[netip.Addr]string{}
	if err := json.Unmarshal([]byte(out), &states); err != nil {
		return nil, fmt.Errorf("read the router's neighbors: %w", err)
	}
	return states, nil
}

// watched is nobody: it does not speak BFD.
func (g gobgp) watched(context.Context, *Router) ([]netip.Addr, error) { return nil, nil }

func (g gobgp) view(ctx context.Context, r *Router) (string, error) { return g.ask(ctx, r, "routes") }
