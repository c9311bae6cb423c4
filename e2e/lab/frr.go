package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"golang.org/x/sys/unix"
)

// frr runs FRRouting: zebra, bfdd and bgpd, told by vtysh.
type frr struct{ RouterSettings }

// frrSockets is where the daemons and vtysh meet when they are called with `-N lab`.
const frrSockets = "/run/frr/lab"

var frrDaemons = []string{"zebra", "bfdd", "bgpd"}

func frrProgram(name string) string { return filepath.Join("/usr/lib/frr", name) }

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

func (f frr) programs(r *Router) (all []*Program, err error) {
	if err := rootMayRunFRR(); err != nil {
		return nil, err
	}
	// Sockets of an earlier life would look like daemons that are ready.
	if err := errors.Join(os.RemoveAll(frrSockets), os.MkdirAll(frrSockets, 0o755)); err != nil {
		return nil, fmt.Errorf("make the folder for sockets: %w", err)
	}
	if _, err := r.render("frr.conf", frrConfig, f.RouterSettings); err != nil {
		return nil, err
	}
	empty, err := r.render("frr-empty.conf", "", f.RouterSettings)
	if err != nil {
		return nil, err
	}
	for _, name := range frrDaemons {
		p := newProgram(r.Host, name, r.dir,
			frrProgram(name), "-N", "lab", "-u", "root", "-g", "root", "-f", empty, "--log", "stdout")
		if name != "zebra" { // whom the others look for when they start, and then not for several seconds again
			p.needs = filepath.Join(frrSockets, "zserv.api")
		}
		all = append(all, p)
	}
	return all, nil
}

// rootMayRunFRR makes root a member of FRR's group, in a copy of /etc/group that only we see: FRR otherwise wants to become
// a user of its own, which it may not in the user namespace of an ordinary user.
func rootMayRunFRR() error {
	const ours = "/run/frr-group"
	if _, err := os.Stat(ours); err == nil {
		return nil
	}
	groups, err := os.ReadFile("/etc/group")
	if err != nil {
		return fmt.Errorf("read the groups: %w", err)
	}
	groups = regexp.MustCompile(`(?m)^frrvty:.*$`).ReplaceAll(groups, []byte("frrvty:x:0:root"))
	if err := os.WriteFile(ours, groups, 0o644); err != nil {
		return fmt.Errorf("write the groups: %w", err)
	}
	if err := unix.Mount(ours, "/etc/group", "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount the groups: %w", err)
	}
	return nil
}

func (f frr) ready(ctx context.Context, r *Router) error {
	_, err := eventually(10*time.Second, func() error {
		for _, name := range frrDaemons {
			if _, err := os.Stat(filepath.Join(frrSockets, name+".vty")); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	_, err = r.Run(ctx, "", "vtysh", "-N", "lab", "-f", filepath.Join(r.dir, "frr.conf"))
	return err
}

func (f frr) neighbors(ctx context.Context, r *Router) (map[netip.Addr]string, error) {
	out, err := r.Run(ctx, "", "vtysh", "-N", "lab", "-c", "show bgp neighbors json")
	if err != nil {
		return nil, err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		return nil, fmt.Errorf("read FRR's neighbors: %w", err)
	}
	states := map[netip.Addr]string{}
	var errs []error
	for name, raw := range all {
		address, err := netip.ParseAddr(name)
		if err != nil {
			continue // FRR puts facts about all of them beside them
		}
		var neighbor struct {
			BGPState string `json:"bgpState"`
		}
		errs = append(errs, json.Unmarshal(raw, &neighbor))
		states[address] = neighbor.BGPState
	}
	return states, errors.Join(errs...)
}

// Show has FRR, which must be the program that routes, answer a command: its answer to "show bgp summary" is that to
// Show("bgp summary", &into), read as JSON.
func (r *Router) Show(command string, into any) error {
	ctx, cancel := background()
	defer cancel()
	out, err := r.Run(ctx, "", "vtysh", "-N", "lab", "-c", "show "+command+" json")
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(out), into); err != nil {
		return fmt.Errorf("read FRR's %s: %w: %s", command, err, out)
	}
	return nil
}

func (f frr) watched(_ context.Context, r *Router) (up []netip.Addr, err error) {
	var all []struct {
		Peer   netip.Addr `json:"peer"`
		Status string     `json:"status"`
	}
	err = r.Show("bfd peers", &all)
	for _, session := range all {
		if session.Status == "up" {
			up = append(up, session.Peer)
		}
	}
	return up, err
}

func (f frr) view(ctx context.Context, r *Router) (string, error) {
	return r.Run(ctx, "", "vtysh", "-N", "lab", "-c", "show bgp ipv4 unicast", "-c", "show ip route bgp")
}
