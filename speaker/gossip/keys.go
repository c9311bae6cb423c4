package gossip

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/hashicorp/memberlist"
)

// derive makes an AES-256 key of each secret, whatever its length. Secrets given twice count once.
func derive(secrets [][]byte) [][]byte {
	var keys [][]byte
	for _, secret := range secrets {
		sum := sha256.Sum256(secret)
		if !holds(keys, sum[:]) {
			keys = append(keys, sum[:])
		}
	}
	return keys
}

func holds(keys [][]byte, key []byte) bool {
	return slices.ContainsFunc(keys, func(k []byte) bool { return bytes.Equal(k, key) })
}

// newKeyring makes a keyring of keys, the first to encrypt with.
func newKeyring(keys [][]byte) (*memberlist.Keyring, error) {
	keyring, err := memberlist.NewKeyring(keys, keys[0])
	if err != nil {
		return nil, fmt.Errorf("take the gossip keys: %w", err)
	}
	return keyring, nil
}

// rotate makes a keyring that is in use hold these keys, the first to encrypt with: new ones are added before old ones
// go, so that there is no moment without a key in common.
//
// RemoveKey shifts the keys behind the removed one in the very slice that receivers iterate, unless it is the last. So
// those to be removed are brought to the end first, by using each of the others once.
func rotate(keyring *memberlist.Keyring, keys [][]byte) error {
	for _, key := range keys {
		if err := keyring.AddKey(key); err != nil {
			return fmt.Errorf("add a gossip key: %w", err)
		}
	}
	old := slices.DeleteFunc(slices.Clone(keyring.GetKeys()), func(key []byte) bool { return holds(keys, key) })
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
