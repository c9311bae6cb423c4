package status

import (
	"fmt"
	"maps"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// password is Ready by the password that a peer refers to, and what is odd about one that can be used.
func (r *References) password(p *lb.Peer) (ready Condition, odd string) {
	if p.Password == nil {
		return valid(nil), ""
	}
	for _, secret := range r.objects.Secrets {
		if secret.Name != p.Password.Name {
			continue
		}
		value, exists := secret.Data[p.Password.Key]
		if !exists {
			return notReady(NotFound, fmt.Sprintf("Secret %s has no key %s; %s", secret.Name, p.Password.Key, keysOf(secret.Data))), ""
		}
		_, odd, err := lb.ParsePassword(value)
		text := fmt.Sprintf("the password in Secret %s, key %s, ", secret.Name, p.Password.Key)
		if err != nil {
			return notReady(BadPassword, text+err.Error()), ""
		}
		if odd != "" {
			odd = text + odd + "; it is used as it is"
		}
		return valid(nil), odd
	}
	return notReady(NotFound, fmt.Sprintf("Secret %s does not exist in the namespace of Daymark", p.Password.Name)), ""
}

// keysOf names the keys of a Secret, and never a value.
func keysOf(data map[string][]byte) string {
	if len(data) == 0 {
		return "it has none"
	}
	keys := slices.Sorted(maps.Keys(data))
	return "it has " + list(len(keys), func(i int) string { return keys[i] }, ", ")
}
