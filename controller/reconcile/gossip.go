package reconcile

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// The Secret whose key the speakers encrypt their gossip with.
const (
	gossipSecret = "daymark-gossip"
	gossipKey    = "key"
	gossipBytes  = 32
)

// ensureGossipKey makes the Secret of the speakers if there is none. One that is there is never changed: the speakers that
// run have its key.
func (l *Loop) ensureGossipKey(ctx context.Context, secrets []*corev1.Secret) error {
	i := slices.IndexFunc(secrets, func(s *corev1.Secret) bool { return s.Name == gossipSecret })
	if i >= 0 {
		if len(secrets[i].Data[gossipKey]) == 0 {
			l.complainOnce(fmt.Sprintf("Secret %s has no %s: delete it to have a new one made", gossipSecret, gossipKey))
		}
		return nil
	}
	secret := &corev1.Secret{Data: map[string][]byte{gossipKey: make([]byte, gossipBytes)}}
	secret.Namespace, secret.Name = l.namespace, gossipSecret
	if _, err := rand.Read(secret.Data[gossipKey]); err != nil {
		return fmt.Errorf("make a key for the speakers: %w", err)
	}
	switch err := l.client.Create(ctx, secret); {
	case err == nil:
		l.log.Info("made the key that the speakers encrypt their gossip with", "secret", l.namespace+"/"+gossipSecret)
	case apierrors.IsAlreadyExists(err): // and the cache has not seen it yet
	default:
		return fmt.Errorf("make the Secret %s: %w", gossipSecret, err)
	}
	return nil
}

// complainOnce logs a message until another takes its place.
func (l *Loop) complainOnce(message string) {
	if l.unwritable != message {
		l.unwritable = message
		l.log.Error(message)
	}
}
