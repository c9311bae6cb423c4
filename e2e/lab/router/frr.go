package router

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/daymark-lb/daymark/e2e/lab/check"
	"github.com/daymark-lb/daymark/internal/testnet"
)

// frr runs FRRouting: zebra, bfdd and bgpd, and asks by vtysh.
type frr struct {
	Settings
	*testnet.FRR
}

var frrDaemons = []string{"zebra", "bfdd", "bgpd"}

const frrConfig = `
bfd
 profile lab
  transmit-interval {{ with .BFD }}{{ ms . }}{{ else }}300{{ end }}
  receive-interval {{ with .BFD }}{{ ms . }}{{ else }}300{{ end }}
 exit
exit
router bgp {{ .ASN }}
 bgp router-id {{ .Router }}
 no bgp ebgp-requires-policy
 no bgp network import-check
 neighbor nodes peer-group
 neighbor nodes remote-as {{ .PeerASN }}
 neighbor nodes passive
 neighbor nodes timers {{ seconds (third .Hold) }} {{ seconds .Hold }}
{{- with .Password }}
 neighbor nodes password {{ . }}
{{- end }}
{{- if .BFD }}
 neighbor nodes bfd profile lab
{{- end }}
{{- range .Nodes }}
 neighbor {{ . }} peer-group nodes
{{- end }}
 address-family ipv4 unicast
  maximum-paths 64
 exit-address-family
{{- if .V6 }}
 address-family ipv6 unicast
  maximum-paths 64
  neighbor nodes activate
 exit-address-family
{{- end }}
{{ .Extra }}
exit
`

// startFRR starts the daemons without a configuration, and then gives it to all of them at once.
func startFRR(r *Router, s Settings) (daemon, []*testnet.Process, error) {
	dir := filepath.Join(r.dir, "frr")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("make the folder of FRR: %w", err)
	}
	core, err := testnet.NewFRR(r.Namespace, dir)
	if err != nil {
		return nil, nil, err
	}
	config, err := r.render(frrConfig, s)
	if err != nil {
		return nil, nil, err
	}
	var processes []*testnet.Process
	for _, name := range frrDaemons {
		p, err := core.Start(name, "")
		if err != nil {
			return nil, processes, err
		}
		processes = append(processes, p)
	}
	ctx, cancel := check.Context()
	defer cancel()
	return frr{s, core}, processes, core.Configure(ctx, config)
}

func (f frr) neighbors(ctx context.Context) (map[netip.Addr]string, error) {
	var all map[string]json.RawMessage
	if err := f.show(ctx, "bgp neighbors", &all); err != nil {
		return nil, err
	}
	states := map[netip.Addr]string{}
	var errs []error
	for name, raw := range all {
		address, err := netip.ParseAddr(name)
		if err != nil {
			continue // FRR adds facts that are about all of them
		}
		var neighbor struct {
			BGPState string `json:"bgpState"`
		}
		errs = append(errs, json.Unmarshal(raw, &neighbor))
		states[address] = neighbor.BGPState
	}
	return states, errors.Join(errs...)
}

// show reads the answer to a "show" command as JSON.
func (f frr) show(ctx context.Context, command string, into any) error {
	answer, err := f.Ask(ctx, "", "show "+command+" json")
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(answer), into); err != nil {
		return fmt.Errorf("read FRR's %s: %w: %s", command, err, answer)
	}
	return nil
}

func (f frr) bfdUp(ctx context.Context) (up []netip.Addr, err error) {
	var all []struct {
		Peer   netip.Addr `json:"peer"`
		Status string     `json:"status"`
	}
	err = f.show(ctx, "bfd peers", &all)
	for _, session := range all {
		if session.Status == "up" {
			up = append(up, session.Peer)
		}
	}
	return up, err
}

func (f frr) view(ctx context.Context) (string, error) {
	return f.Ask(ctx, "", "show bgp ipv4 unicast", "show ip route bgp")
}
