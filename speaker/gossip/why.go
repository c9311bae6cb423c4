package gossip

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/memberlist"
)

// maxNamed is how many speakers a text names.
const maxNamed = 5

// missingPeer is a speaker that is expected and not alive.
type missingPeer struct {
	node string
	at   netip.AddrPort
	joinFailure
}

// why returns what is unknown or in doubt, for a person; "" when everybody expected is there. told and known are those of
// detector.Bootstrap.
func why(self netip.AddrPort, told, known bool, absent []missingPeer) string {
	switch {
	case !told && !known:
		return "it is not known yet which other speakers there are"
	case len(absent) == 0 && known:
		return ""
	case len(absent) == 0:
		return "no other speaker has been heard yet"
	case !known:
		return "has met none of the other speakers yet, and holds nothing until it has: " + list(self, absent) + ports(self, absent)
	default:
		return "does not see " + list(self, absent) + ports(self, absent)
	}
}

// joinWhy joins what there is to say.
func joinWhy(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), "; ")
}

// whyUnheard returns what to do about speakers that are reached by TCP only; "" when there are none.
func whyUnheard(peers []memberlist.Address) string {
	if len(peers) == 0 {
		return ""
	}
	names := make([]string, 0, len(peers))
	for _, peer := range peers {
		names = append(names, peer.Name+" at "+peer.Addr)
	}
	return "datagrams do not get through from " + few(names) + ", TCP does: is the UDP port blocked? It takes seconds to find a crash of these"
}

// whyUnconnected returns what to do about speakers that are reached by datagrams only; "" when there are none.
func whyUnconnected(peers []unconnectedPeer) string {
	if len(peers) == 0 {
		return ""
	}
	names := make([]string, 0, len(peers))
	for _, peer := range peers {
		names = append(names, peer.node+" at "+peer.at+" ("+peer.failure+")")
	}
	return "TCP does not get through to " + few(names) + ", datagrams do: is the TCP port blocked?"
}

// few of some names, and how many more there are.
func few(names []string) string {
	text := strings.Join(names[:min(maxNamed, len(names))], ", ")
	if len(names) > maxNamed {
		text += fmt.Sprintf(" and %d more", len(names)-maxNamed)
	}
	return text
}

// whyDeaf returns what to do about speakers that are heard and hear nobody; "" when there are none.
func whyDeaf(nodes []string) string {
	if len(nodes) == 0 {
		return ""
	}
	return "no other speaker is heard by " + few(nodes) + ", from which messages come: do frames get lost on the way there?"
}

// whyForeign returns what to do about speakers that understand none of our versions; "" when there are none.
func whyForeign(nodes []string) string {
	if len(nodes) == 0 {
		return ""
	}
	return fmt.Sprintf("speaks version %d to %d of the gossip, which is not understood by %s: upgrade one version at a time",
		oldest, newest, strings.Join(nodes, ", "))
}

// list names the first few that are absent, with why the last attempt to reach them failed. self is where we listen.
func list(self netip.AddrPort, absent []missingPeer) string {
	parts := make([]string, 0, len(absent))
	for _, peer := range absent {
		part := fmt.Sprintf("%s at %v", peer.node, peer.at)
		switch {
		case !peer.at.IsValid():
			part = peer.node + " (it has not said where it listens)"
		case peer.at == self:
			part += " (that is this node's own address: give each node an InternalIP of its own by --node-ip of kubelet, or " +
				"each speaker an address by --gossip-bind-address)"
		case peer.text != "":
			part += " (" + peer.text + ")"
		}
		parts = append(parts, part)
	}
	return few(parts)
}

// ports returns what a firewall must let through, when one may be the cause; otherwise "".
func ports(self netip.AddrPort, absent []missingPeer) string {
	var numbers []string
	for _, peer := range absent {
		if peer.at.IsValid() && peer.at != self && !peer.refused {
			numbers = append(numbers, strconv.Itoa(int(peer.at.Port())))
		}
	}
	if len(numbers) == 0 {
		return ""
	}
	slices.Sort(numbers)
	return "; TCP and UDP port " + strings.Join(slices.Compact(numbers), ", ") + " must pass between the nodes both ways"
}
