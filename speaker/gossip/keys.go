package gossip

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/memberlist"
)

// SetKeys replaces the secrets; the first encrypts from now on. To change a secret without a moment of silence, add the
// new one behind the old, then put it first, then remove the old one, and let every speaker see each step. An empty list is
// an error, and the keys stay as they are.
func (m *Membership) SetKeys(keys [][]byte) error {
	if len(keys) == 0 {
		return errors.New("change the gossip keys: there is none")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	derived := derive(keys)
	if err := m.sealer.set(derived); err != nil {
		return fmt.Errorf("take the gossip keys: %w", err)
	}
	if m.keyring != nil {
		return rotate(m.keyring, derived)
	}
	keyring, err := newKeyring(derived)
	if err != nil {
		return err
	}
	m.keyring = keyring
	close(m.keyed)
	return nil
}

// derive returns an AES-256 key for each secret, whatever its length. Equal secrets give one key.
func derive(secrets [][]byte) [][]byte {
	var keys [][]byte
	for _, secret := range secrets {
		sum := sha256.Sum256(secret)
		if !contains(keys, sum[:]) {
			keys = append(keys, sum[:])
		}
	}
	return keys
}

func contains(keys [][]byte, key []byte) bool {
	return slices.ContainsFunc(keys, func(k []byte) bool { return bytes.Equal(k, key) })
}

// newKeyring returns a keyring that encrypts with the first key and decrypts with all.
func newKeyring(keys [][]byte) (*memberlist.Keyring, error) {
	keyring, err := memberlist.NewKeyring(keys, keys[0])
	if err != nil {
		return nil, fmt.Errorf("take the gossip keys: %w", err)
	}
	return keyring, nil
}

// rotate changes the keys of a keyring that is in use; the first one encrypts. New keys are added before old ones are
// removed, so that there is always a key in common.
//
// RemoveKey shifts the keys behind the removed one in the very slice that receivers iterate, unless it is the last. So
// the keys to be removed are moved to the end first, by using each of the others once.
func rotate(keyring *memberlist.Keyring, keys [][]byte) error {
	for _, key := range keys {
		if err := keyring.AddKey(key); err != nil {
			return fmt.Errorf("add a gossip key: %w", err)
		}
	}
	old := slices.DeleteFunc(slices.Clone(keyring.GetKeys()), func(key []byte) bool { return contains(keys, key) })
	inUse := keys
	if len(old) == 0 {
		inUse = keys[:1]
	}
	for _, key := range slices.Backward(inUse) {
		if err := keyring.UseKey(key); err != nil {
			return fmt.Errorf("use a gossip key: %w", err)
		}
	}
	installed := slices.Clone(keyring.GetKeys())
	for _, key := range slices.Backward(installed[len(keys):]) {
		if err := keyring.RemoveKey(key); err != nil {
			return fmt.Errorf("remove a gossip key: %w", err)
		}
	}
	return nil
}
