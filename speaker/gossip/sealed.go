package gossip

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"maps"
	"net/netip"
	"sync"
	"sync/atomic"

	"golang.org/x/time/rate"
)

// Datagrams of version 2 share memberlist's port and not its way: they are sealed here and handled where they are received.
// memberlist hands each one over to three goroutines in turn, which on a busy node takes longer than the answer to a heartbeat
// may, and wakes a thread each time.
//
// A sealed datagram is a byte that memberlist's datagrams never begin with, a salt, a number, and the message, encrypted by
// AES-256-GCM. The key follows from the gossip's key and the salt by HKDF (RFC 5869), and the nonce is the number. A sender takes a
// random salt when it starts and after each time in which it was stopped, and counts from there: so no key has a nonce twice,
// however many datagrams all speakers send with one gossip key.
const (
	sealedMagic = 0xd6
	saltLen     = 16
	numberLen   = 8
	nonceLen    = 12
	sealedHead  = 1 + saltLen + numberLen
	// sealedOverhead is how many bytes sealing adds.
	sealedOverhead = sealedHead + 16
	// maxOpeners is how many senders' keys are remembered.
	maxOpeners = 4096
	// To derive a key takes some microseconds, so this is done so often a second at most for datagrams that no known one opens.
	// A sender that begins while somebody sends more than that is heard a little later.
	maxDerivations = 2000
	// Of those one address may cause so many, maxNewSalts at once: a speaker needs one when it starts or was stopped. So whoever sends from
	// a node's address, such as a pod, delays the speaker of that node alone.
	maxDerivationsOfOne, maxNewSalts = 100, 32
)

var errNotSealed = errors.New("no key opens it")

type salt [saltLen]byte

// sealer seals and opens datagrams. The zero sealer has no keys. Its methods may be called by several goroutines.
type sealer struct {
	// sealing is what seals now; nil: there is no key.
	sealing atomic.Pointer[sealing]

	mu sync.Mutex
	// keys open; the first one seals. They are not the gossip's, and follow from those.
	keys [][]byte
	// openers are the ciphers that opened the last datagrams with a salt, and ids the salts whose short headers are known.
	openers     map[salt]*opener
	ids         map[saltID]salt
	derivations *rate.Limiter
	// by is what an address has caused.
	by map[netip.Addr]*origin
}

// origin is an address that datagrams come from which no known key opens.
type origin struct {
	derivations *rate.Limiter
	// tried are the ciphers of the last salt that was tried in vain, one of each key. They are kept, since a speaker that has an older key
	// goes on sending: whoever resends its salt must not be the reason that it is not heard later.
	salt  salt
	tried []*opener
}

// opener opens what has a salt, by one of the keys.
type opener struct {
	aead cipher.AEAD
	key  []byte
	// short opens datagrams with short headers between two runs; nil: none have been announced.
	short   cipher.AEAD
	between pair
}

// sealing is a salt with its cipher and the key that both follow from, and the number of the last datagram.
type sealing struct {
	salt salt
	key  []byte
	aead cipher.AEAD
	sent atomic.Uint64
}

// set takes the keys of the gossip, of 32 bytes each.
func (s *sealer) set(keys [][]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = nil
	if s.derivations == nil {
		s.openers, s.ids = map[salt]*opener{}, map[saltID]salt{}
		s.derivations, s.by = rate.NewLimiter(maxDerivations, maxOpeners), map[netip.Addr]*origin{}
	}
	for _, o := range s.by {
		o.tried = nil
	}
	for _, key := range keys {
		own := sha256.Sum256(append([]byte("daymark sealed datagram\x00"), key...))
		s.keys = append(s.keys, own[:])
	}
	maps.DeleteFunc(s.openers, func(_ salt, o *opener) bool { return !contains(s.keys, o.key) })
	maps.DeleteFunc(s.ids, func(_ saltID, of salt) bool { return s.openers[of] == nil })
	return s.begin()
}

// renew takes a new salt. A process that was stopped may have been copied, and its copy counts from the same number.
func (s *sealer) renew() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.keys) == 0 {
		return nil
	}
	return s.begin()
}

// begin seals with a new salt from now on. The caller holds mu.
func (s *sealer) begin() error {
	next := &sealing{key: s.keys[0]}
	_, _ = rand.Read(next.salt[:]) // It never fails.
	aead, err := derived(s.keys[0], next.salt)
	if err != nil {
		return err
	}
	next.aead = aead
	s.sealing.Store(next)
	return nil
}

// derived returns the cipher of a salt.
func derived(key []byte, of salt) (cipher.AEAD, error) {
	return cipherOf(key, string(of[:]))
}

// cipherOf returns the cipher whose key follows from another one for a purpose.
func cipherOf(key []byte, purpose string) (cipher.AEAD, error) {
	own, err := hkdf.Expand(sha256.New, key, purpose, 32)
	if err != nil {
		return nil, err //nolint:wrapcheck // The length is right.
	}
	block, err := aes.NewCipher(own)
	if err != nil {
		return nil, err //nolint:wrapcheck // It has 32 bytes.
	}
	return cipher.NewGCM(block) //nolint:wrapcheck // AES has the right block size.
}

// seal returns a datagram with a message; nil: there is no key.
func (s *sealer) seal(message []byte) []byte {
	now := s.sealing.Load()
	if now == nil {
		return nil
	}
	b := make([]byte, sealedHead, sealedOverhead+len(message))
	b[0] = sealedMagic
	copy(b[1:], now.salt[:])
	binary.BigEndian.PutUint64(b[1+saltLen:], now.sent.Add(1))
	nonce := nonceOf(b)
	return now.aead.Seal(b, nonce[:], message, b[:1])
}

// nonceOf returns the nonce of a datagram: its number.
func nonceOf(datagram []byte) (nonce [nonceLen]byte) {
	copy(nonce[nonceLen-numberLen:], datagram[1+saltLen:sealedHead])
	return nonce
}

// isSealed reports whether a datagram is one of ours.
func isSealed(datagram []byte) bool {
	return len(datagram) > sealedOverhead && datagram[0] == sealedMagic
}

// open returns the message in a datagram from an address, in the memory of buffer.
func (s *sealer) open(from netip.Addr, buffer, datagram []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of, nonce := salt(datagram[1:1+saltLen]), nonceOf(datagram)
	opens := func(aead cipher.AEAD) ([]byte, bool) {
		message, err := aead.Open(buffer[:0], nonce[:], datagram[sealedHead:], datagram[:1])
		return message, err == nil
	}
	if o, known := s.openers[of]; known {
		if message, ok := opens(o.aead); ok {
			return message, nil
		}
	}
	o := s.originOf(from)
	if o == nil {
		return nil, errNotSealed
	}
	if o.tried == nil || o.salt != of {
		if !o.derivations.Allow() || !s.derivations.Allow() {
			return nil, errNotSealed
		}
		o.salt, o.tried = of, s.ciphers(of)
	}
	for _, each := range o.tried {
		if message, ok := opens(each.aead); ok {
			o.tried = nil
			s.remember(of, each)
			return message, nil
		}
	}
	return nil, errNotSealed
}

// ciphers are those of a salt, one of each key. The caller holds mu.
func (s *sealer) ciphers(of salt) []*opener {
	all := make([]*opener, 0, len(s.keys))
	for _, key := range s.keys {
		if aead, err := derived(key, of); err == nil {
			all = append(all, &opener{aead: aead, key: key})
		}
	}
	return all
}

// originOf returns what is known of an address; nil: there are no keys. The caller holds mu.
func (s *sealer) originOf(from netip.Addr) *origin {
	if s.derivations == nil {
		return nil
	}
	o := s.by[from]
	if o == nil {
		if len(s.by) >= maxOpeners {
			clear(s.by)
		}
		o = &origin{derivations: rate.NewLimiter(maxDerivationsOfOne, maxNewSalts)}
		s.by[from] = o
	}
	return o
}

// remember keeps the cipher of a sender, which has shown that it has the key. The caller holds mu.
func (s *sealer) remember(of salt, o *opener) {
	if len(s.openers) >= maxOpeners {
		clear(s.openers)
		clear(s.ids)
	}
	s.openers[of] = o
}
