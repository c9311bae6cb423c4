package router

import (
	"context"
	"net/netip"
	"strings"

	"github.com/daymark-lb/daymark/internal/testnet"
)

// bird runs BIRD 2.
type bird struct{ *testnet.BIRD }

const birdConfig = `router id {{ .Router }};
{{ if .BFD }}debug protocols { events };{{ end }}
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

func startBIRD(r *Router, s Settings) (daemon, []*testnet.Process, error) {
	config, err := r.render(birdConfig, s)
	if err != nil {
		return nil, nil, err
	}
	core, err := testnet.NewBIRD(r.Namespace, r.dir, config)
	if err != nil {
		return nil, nil, err
	}
	return bird{core}, []*testnet.Process{core.Process}, core.Start()
}

// neighbors reads `show protocols all`: a block for each protocol, with "BGP state:" and "Neighbor address:" in it.
func (b bird) neighbors(ctx context.Context) (map[netip.Addr]string, error) {
	out, err := b.Ask(ctx, "show", "protocols", "all")
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

// bfdUp reads `show bfd sessions`: a line for each with address, interface and state.
func (b bird) bfdUp(ctx context.Context) (up []netip.Addr, err error) {
	out, err := b.Ask(ctx, "show", "bfd", "sessions")
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

func (b bird) view(ctx context.Context) (string, error) {
	return b.Ask(ctx, "show", "route", "all")
}
