package reconcile

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// gossipKeyBytes is the length of the key for the speakers.
const gossipKeyBytes = 32

// gossipKeyWrites makes the Secret with the key that the speakers encrypt their gossip with, unless there is one. It never
// changes an existing one, since speakers run with its key.
func (l *Loop) gossipKeyWrites(secrets []*corev1.Secret) []*write {
	i := slices.IndexFunc(secrets, func(s *corev1.Secret) bool { return s.Name == v1beta1.GossipSecret })
	if i >= 0 {
		if len(secrets[i].Data[v1beta1.GossipSecretKey]) == 0 && !l.loggedNoKey {
			l.loggedNoKey = true
			l.log.Error("the Secret of the gossip has no key: delete it to have a new one made", "secret", l.namespace+"/"+v1beta1.GossipSecret, "key", v1beta1.GossipSecretKey)
		}
		return nil
	}
	// All speakers wait for it.
	key := objectKey{"Secret", l.namespace, v1beta1.GossipSecret}
	return []*write{{key: key, urgency: otherAddress, term: l.term, send: l.makeGossipKey}}
}

func (l *Loop) makeGossipKey(ctx context.Context) error {
	secret := &corev1.Secret{Data: map[string][]byte{v1beta1.GossipSecretKey: make([]byte, gossipKeyBytes)}}
	secret.Namespace, secret.Name = l.namespace, v1beta1.GossipSecret
	if _, err := rand.Read(secret.Data[v1beta1.GossipSecretKey]); err != nil {
		return fmt.Errorf("make a key for the speakers: %w", err)
	}
	switch err := l.client.Create(ctx, secret); {
	case err == nil:
		l.log.Info("made the key that the speakers encrypt their gossip with", "secret", l.namespace+"/"+v1beta1.GossipSecret)
	case apierrors.IsAlreadyExists(err): // and the cache has not seen it yet
	default:
		return fmt.Errorf("make the Secret %s: %w", v1beta1.GossipSecret, err)
	}
	return nil
}
