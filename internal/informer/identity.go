package informer

import (
	"encoding/hex"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// identity says which object this is, and which version of it. As texts these two take three times as much memory, and caches keep
// hundreds of thousands of them. The API server makes only such as are kept short; of others the texts are kept.
type identity struct {
	// ObjectMeta has the texts where they are kept; else it is noMeta, and the other fields say it.
	*metav1.ObjectMeta

	uid     [16]byte
	version uint64
}

// noMeta is the rest of the metadata of nearly all that is kept. Nobody changes an object of a cache.
var noMeta metav1.ObjectMeta

func newIdentity(uid types.UID, version string) identity {
	parsed, isUUID := parseUUID(string(uid))
	number := lb.ParseVersion(version)
	if !isUUID || strconv.FormatUint(number, 10) != version {
		return identity{ObjectMeta: &metav1.ObjectMeta{UID: uid, ResourceVersion: version}}
	}
	return identity{ObjectMeta: &noMeta, uid: parsed, version: number}
}

// short reports whether no texts are kept.
func (i identity) short() bool { return i.ObjectMeta == &noMeta }

// same reports whether two are the same version of the same object.
func (i identity) same(other identity) bool {
	if i.short() && other.short() {
		return i == other
	}
	return i.GetUID() == other.GetUID() && i.GetResourceVersion() == other.GetResourceVersion()
}

// sameObject reports whether two are versions of the same object.
func (i identity) sameObject(other identity) bool {
	if i.short() && other.short() {
		return i.uid == other.uid
	}
	return i.GetUID() == other.GetUID()
}

// GetUID implements metav1.Object.
func (i identity) GetUID() types.UID {
	if i.short() {
		return types.UID(formatUUID(i.uid))
	}
	return i.UID
}

// GetResourceVersion implements metav1.Object.
func (i identity) GetResourceVersion() string {
	if i.short() {
		return strconv.FormatUint(i.version, 10)
	}
	return i.ResourceVersion
}

// dashes are where the dashes of a UUID are, RFC 9562.
var dashes = [...]int{8, 13, 18, 23}

// parseUUID parses a UUID in lower case; ok is false if the text is none.
func parseUUID(text string) (parsed [16]byte, ok bool) {
	if len(text) != 36 {
		return parsed, false
	}
	digits := make([]byte, 0, 32)
	from := 0
	for _, at := range dashes {
		digits = append(digits, text[from:at]...)
		from = at + 1
	}
	digits = append(digits, text[from:]...)
	_, err := hex.Decode(parsed[:], digits)
	return parsed, err == nil && formatUUID(parsed) == text
}

func formatUUID(from [16]byte) string {
	digits := hex.EncodeToString(from[:])
	return digits[:8] + "-" + digits[8:12] + "-" + digits[12:16] + "-" + digits[16:20] + "-" + digits[20:]
}
