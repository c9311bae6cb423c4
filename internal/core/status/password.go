package status

import (
	"fmt"
	"maps"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// passwordOf is password, and says what goes on in the place of one that cannot be used.
func (r *References) passwordOf(p *lb.Peer) (ready Condition, odd string) {
	if ready, odd = r.password(p.Password); ready.True {
		return ready, odd
	}
	switch key, ok := p.PasswordInForce(func(key lb.SecretKey) bool { ready, _ := r.password(&key); return ready.True }); {
	case !ok:
	case key == nil:
		ready.Message += ": its sessions go on without a password"
	default:
		ready.Message += fmt.Sprintf(": its sessions go on with the password in Secret %s, key %s", key.Name, key.Key)
	}
	return ready, odd
}

// password is Ready by the password that a peer refers to, and what is odd about one that can be used.
func (r *References) password(key *lb.SecretKey) (ready Condition, odd string) {
	if key == nil {
		return valid(nil), ""
	}
	for _, secret := range r.objects.Secrets {
		if secret.Name != key.Name {
			continue
		}
		value, exists := secret.Data[key.Key]
		if !exists {
			return notReady(NotFound, fmt.Sprintf("Secret %s has no key %s; %s", secret.Name, key.Key, keysOf(secret.Data))), ""
		}
		_, odd, err := lb.ParsePassword(value)
		text := fmt.Sprintf("the password in Secret %s, key %s, ", secret.Name, key.Key)
		if err != nil {
			return notReady(BadPassword, text+err.Error()), ""
		}
		if odd != "" {
			odd = text + odd + "; it is used as it is"
		}
		return valid(nil), odd
	}
	return notReady(NotFound, fmt.Sprintf("Secret %s does not exist in the namespace of Daymark", key.Name)), ""
}

// keysOf names the keys of a Secret, and never a value.
func keysOf(data map[string][]byte) string {
	if len(data) == 0 {
		return "it has none"
	}
	keys := slices.Sorted(maps.Keys(data))
	return "it has " + list(len(keys), func(i int) string { return keys[i] }, ", ")
}
