package connections

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"syscall"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// unable says why nothing can be passed on beside the service proxy of this node, in words for its operator; "": nothing speaks
// against it. What is not certain may be otherwise in a moment.
func unable() (why string, certain bool) {
	if why := servedInstead(); why != "" {
		return why, true
	}
	if setting("netfilter/nf_conntrack_tcp_loose") == "0" {
		return "net.netfilter.nf_conntrack_tcp_loose is 0, so the kernel does not tell packets of connections that another node has from broken ones; set it to 1", true
	}
	found, err := serviceProxy()
	switch {
	case err != nil:
		return whyRefused(err), errors.Is(err, os.ErrPermission) || isLacking(err)
	case !found:
		return "no rules of kube-proxy are found, neither for nftables nor for iptables: what serves Services on this node does not see the rules of nftables, or has none yet", false
	}
	return "", true
}

// serviceProxy reports whether the rules of a kube-proxy are there, or of what writes the same chains. It looks for their names alone: with
// many Services there are very many.
func serviceProxy() (found bool, err error) {
	conn, err := nftables.New()
	if err != nil {
		return false, fmt.Errorf("open a socket to nftables: %w", err)
	}
	for _, family := range []nftables.TableFamily{nftables.TableFamilyIPv4, nftables.TableFamilyIPv6} {
		for table, chain := range map[string]string{"kube-proxy": "", "nat": "KUBE-SERVICES"} {
			k, err := conn.ListTableOfFamily(table, family)
			switch {
			case errors.Is(err, syscall.ENOENT):
				continue
			case err != nil:
				return false, fmt.Errorf("look for the table %s of nftables: %w", table, err)
			case chain == "":
				return true, nil
			}
			if _, err := conn.ListChain(k, chain); err == nil {
				return true, nil
			}
		}
	}
	// The older iptables does not tell its chains to others. That it has a nat table at all is as much as can be seen.
	return legacyNAT("/proc/thread-self/net/ip_tables_names") || legacyNAT("/proc/thread-self/net/ip6_tables_names"), nil
}

// legacyNAT reports whether a list of the tables of the older iptables has nat.
func legacyNAT(path string) bool {
	content, _ := os.ReadFile(path)
	for table := range strings.Lines(string(content)) {
		if strings.TrimSpace(table) == "nat" {
			return true
		}
	}
	return false
}

// setting reads a sysctl below net; "": there is none.
func setting(name string) string {
	content, _ := os.ReadFile("/proc/sys/net/" + name)
	return strings.TrimSpace(string(content))
}

// isLacking reports whether an error of the kernel says that it does not have what was asked for, and never will.
func isLacking(err error) bool {
	for _, lacking := range []error{syscall.EPROTONOSUPPORT, syscall.EAFNOSUPPORT, syscall.EOPNOTSUPP, syscall.ENOENT, syscall.EINVAL} {
		if errors.Is(err, lacking) {
			return true
		}
	}
	return false
}

// whyRefused says in words why the kernel refuses the rules.
func whyRefused(err error) string {
	switch {
	case errors.Is(err, os.ErrPermission):
		return "the speaker lacks the right NET_ADMIN, without which the kernel takes no rules: " + err.Error()
	case errors.Is(err, syscall.EPROTONOSUPPORT) || errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EINVAL):
		return "the kernel has no nf_tables: " + err.Error()
	case errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.EOPNOTSUPP):
		return "the kernel lacks a part of nf_tables, probably the module nft_dup_ipv4 or nft_dup_ipv6: " + err.Error()
	}
	return "the kernel refuses the rules: " + err.Error()
}

// offSegment says why packets cannot be handed to a node as its neighbor; "": they can.
func offSegment(node netip.Addr) string {
	routes, err := netlink.RouteGet(node.AsSlice())
	switch {
	case err != nil:
		return fmt.Sprintf("there is no route to %s: %v", node, err)
	case len(routes) == 0:
		return fmt.Sprintf("there is no route to %s", node)
	case routes[0].Type == unix.RTN_LOCAL:
		return fmt.Sprintf("%s is an address of this node", node)
	case len(routes[0].Gw) > 0 || routes[0].Via != nil:
		return fmt.Sprintf("%s is behind a router, not on a segment of this node", node)
	}
	return ""
}
