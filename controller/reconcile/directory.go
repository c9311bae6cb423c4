package reconcile

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// directory is the names that objects refer to each other by.
type directory struct {
	pools, peers, profiles names
	secrets                map[string]*corev1.Secret
	aliases                lb.Aliases
	// problems with Community objects, by name.
	problems map[string]error
}

type names map[string]bool

// missing lists in words those of some names that are of nothing.
func (n names) missing(kind string, wanted []string) []string {
	var texts []string
	for _, name := range wanted {
		if !n[name] {
			texts = append(texts, kind+" "+name+" does not exist")
		}
	}
	return texts
}

func newDirectory(s *snapshot) *directory {
	d := &directory{
		pools: names{}, peers: names{}, profiles: names{}, secrets: map[string]*corev1.Secret{},
		aliases: lb.Aliases{}, problems: map[string]error{},
	}
	for _, pool := range s.ParsedPools {
		d.pools[pool.Value.Name] = true
	}
	for _, peer := range s.ParsedPeers {
		d.peers[peer.Value.Name] = true
	}
	for _, profile := range s.ParsedBFDProfiles {
		d.profiles[profile.Value.Name] = true
	}
	for _, secret := range s.Secrets {
		d.secrets[secret.Name] = secret
	}
	for _, community := range s.Communities { // in order of name, as the speakers read them
		d.problems[community.Name] = d.aliases.AddAliases(community)
	}
	return d
}
