package lab

import (
	"context"
	"net/netip"
	"path/filepath"
	"strings"
	"time"
)

// bird runs BIRD 2.
type bird struct{ RouterSettings }

const birdConfig = `router id {{ .Router }};
protocol device { scan time 1; }
protocol kernel { ipv4 { export where source = RTS_BGP; import none; }; merge paths yes limit 64; }
{{ if .V6 }}protocol kernel { ipv6 { export where source = RTS_BGP; import none; }; merge paths yes limit 64; }{{ end }}
{{ with .Routes }}protocol static { ipv4; {{ range . }}route {{ . }} blackhole; {{ end }}}{{ end }}
{{ if .BFD }}protocol bfd {
  interface "eth0" { interval {{ ms .BFD }} ms; multiplier 3; };
  multihop { interval {{ ms .BFD }} ms; multiplier 3; };
}{{ end }}
template bgp nodes {
  local {{ .Router }} as {{ .ASN }};
  passive yes;
  hold time {{ seconds .Hold }};
  error wait time 1, 2;
  {{ with .Password }}password "{{ . }}";{{ end }}
  {{ if .BFD }}bfd yes;{{ end }}
  ipv4 { import all; export {{ if .Announced }}where source = RTS_STATIC{{ else }}none{{ end }}; };
  {{ if .V6 }}ipv6 { import all; export none; };{{ end }}
  {{ .Extra }}
}
{{ range .Nodes }}protocol bgp from nodes { neighbor {{ . }} as {{ $.PeerASN }}; }
{{ end }}`

func (b bird) programs(r *Router) ([]*Program, error) {
	config, err := r.render("bird.conf", birdConfig, b.RouterSettings)
	if err != nil {
		return nil, err
	}
	path, err := systemProgram("bird")
	if err != nil {
		return nil, err
	}
	return []*Program{newProgram(r.Host, "bird", r.dir, path, "-f", "-c", config, "-s", b.socket(r), "-P", b.socket(r)+".pid")}, nil
}

func (b bird) socket(r *Router) string { return filepath.Join(r.dir, "bird.ctl") }

func (b bird) ask(ctx context.Context, r *Router, question ...string) (string, error) {
	path, err := systemProgram("birdc")
	if err != nil {
		return "", err
	}
	return r.Run(ctx, "", append([]string{path, "-s", b.socket(r)}, question...)...)
}

func (b bird) ready(ctx context.Context, r *Router) error {
	_, err := eventually(10*time.Second, func() error {
		_, err := b.ask(ctx, r, "show", "status")
		return err
	})
	return err
}

// neighbors reads `show protocols all`: a block for each protocol, with "BGP state:" and "Neighbor address:" in it.
func (b bird) neighbors(ctx context.Context, r *Router) (map[netip.Addr]string, error) {
	out, err := b.ask(ctx, r, "show", "protocols", "all")
	if err != nil {
		return nil, err
	}
	states := map[netip.Addr]string{}
	state := ""
	for line := range strings.Lines(out) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch value = strings.TrimSpace(value); name {
		case "BGP state":
			state = value
		case "Neighbor address":
			if a, err := netip.ParseAddr(value); err == nil {
				states[a] = state
			}
		}
	}
	return states, nil
}

// watched reads `show bfd sessions`: a line for each with address, interface and state.
func (b bird) watched(ctx context.Context, r *Router) (up []netip.Addr, err error) {
	out, err := b.ask(ctx, r, "show", "bfd", "sessions")
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if len(fields) < 3 || fields[2] != "Up" {
			continue
		}
		if a, err := netip.ParseAddr(fields[0]); err == nil {
			up = append(up, a)
		}
	}
	return up, err
}

func (b bird) view(ctx context.Context, r *Router) (string, error) {
	return b.ask(ctx, r, "show", "route", "all")
}
