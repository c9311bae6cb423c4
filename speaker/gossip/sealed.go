package gossip

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"sync/atomic"
)

// Datagrams of version 2 share memberlist's port and not its way: they are sealed here and handled where they are received.
// memberlist hands each one over to three goroutines in turn, which on a busy node takes longer than the answer to a heartbeat
// may, and wakes a thread each time.
//
// A sealed datagram is a byte that memberlist's datagrams never begin with, a random nonce, and the message, encrypted by
// AES-256-GCM with a key of its own that follows from the gossip's.
const (
	sealedMagic = 0xd6
	nonceLen    = 12
	// sealedOverhead is how many bytes sealing adds.
	sealedOverhead = 1 + nonceLen + 16
)

var errNotSealed = errors.New("no key opens it")

// sealer seals and opens datagrams. The zero sealer has no keys. Its methods may be called by several goroutines.
type sealer struct {
	// ciphers of all keys; the first one seals.
	ciphers atomic.Pointer[[]cipher.AEAD]
}

// set takes the keys of the gossip, of 32 bytes each.
func (s *sealer) set(keys [][]byte) error {
	ciphers := make([]cipher.AEAD, 0, len(keys))
	for _, key := range keys {
		own := sha256.Sum256(append([]byte("daymark sealed datagram\x00"), key...))
		block, err := aes.NewCipher(own[:])
		if err != nil {
			return err //nolint:wrapcheck // It has 32 bytes.
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			return err //nolint:wrapcheck // AES has the right block size.
		}
		ciphers = append(ciphers, aead)
	}
	s.ciphers.Store(&ciphers)
	return nil
}

// seal returns a datagram with a message; nil: there is no key.
func (s *sealer) seal(message []byte) []byte {
	ciphers := s.ciphers.Load()
	if ciphers == nil {
		return nil
	}
	b := make([]byte, 1+nonceLen, sealedOverhead+len(message))
	b[0] = sealedMagic
	_, _ = rand.Read(b[1:]) // It never fails.
	return (*ciphers)[0].Seal(b, b[1:], message, b[:1])
}

// isSealed reports whether a datagram is one of ours.
func isSealed(datagram []byte) bool {
	return len(datagram) > sealedOverhead && datagram[0] == sealedMagic
}

// open returns the message in a datagram, in the memory of buffer.
func (s *sealer) open(buffer, datagram []byte) ([]byte, error) {
	ciphers := s.ciphers.Load()
	if ciphers == nil {
		return nil, errNotSealed
	}
	for _, aead := range *ciphers {
		if message, err := aead.Open(buffer[:0], datagram[1:1+nonceLen], datagram[1+nonceLen:], datagram[:1]); err == nil {
			return message, nil
		}
	}
	return nil, errNotSealed
}
