// Package rendezvous has the hash by which all speakers make the same choice: rendezvous hashing, also called highest random
// weight. Its one job is to compute those numbers; it refuses to choose. All versions of the speaker must compute the same
// numbers, so the functions are written here and not taken from a library.
package rendezvous

// Hash returns the 64-bit FNV-1a hash.
func Hash[T string | []byte](data T) uint64 {
	hash := uint64(14695981039346656037)
	for i := range len(data) {
		hash = (hash ^ uint64(data[i])) * 1099511628211
	}
	return hash
}

// Mix is the finalizer of MurmurHash3: every bit of the input changes every bit of the output with even probability.
func Mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
