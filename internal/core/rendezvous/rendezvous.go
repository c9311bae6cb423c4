// Package rendezvous is the hash by which all speakers make the same choice (highest random weight): who holds an address,
// who watches whom. Its one job is those numbers; it refuses to choose. Every version of the speaker must agree on them,
// so they are written down here and not taken from a library.
package rendezvous

// Hash is FNV-1a of 64 bits.
func Hash[T string | []byte](data T) uint64 {
	hash := uint64(14695981039346656037)
	for i := range len(data) {
		hash = (hash ^ uint64(data[i])) * 1099511628211
	}
	return hash
}

// Mix is the finalizer of MurmurHash3: every bit of the input changes every bit of the output with even chance.
func Mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
