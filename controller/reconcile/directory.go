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

func newDirectory(s *sight) *directory {
	d := &directory{
		pools: names{}, peers: names{}, profiles: names{}, secrets: map[string]*corev1.Secret{},
		aliases: lb.Aliases{}, problems: map[string]error{},
	}
	for _, pool := range s.pools {
		d.pools[pool.value.Name] = true
	}
	for _, peer := range s.peers {
		d.peers[peer.value.Name] = true
	}
	for _, profile := range s.profiles {
		d.profiles[profile.Name] = true
	}
	for _, secret := range s.secrets {
		d.secrets[secret.Name] = secret
	}
	for _, community := range s.communities { // in order of name, as the speakers read them
		d.problems[community.Name] = d.aliases.AddAliases(community)
	}
	return d
}
