package informer

import (
	"encoding/hex"
	"strconv"

	"k8s.io/apimachinery/pkg/types"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// identity says which object this is, and which version of it. As texts these two take three times as much memory, and caches keep
// hundreds of thousands of them. The API server makes only such as are kept short; of others the texts are kept.
type identity struct {
	uid     [16]byte
	version uint64
	texts   *identityTexts // nil if the other fields say it
}

type identityTexts struct {
	uid     types.UID
	version string
}

func newIdentity(uid types.UID, version string) identity {
	parsed, isUUID := parseUUID(string(uid))
	number := lb.ParseVersion(version)
	if !isUUID || strconv.FormatUint(number, 10) != version {
		return identity{texts: &identityTexts{uid, version}}
	}
	return identity{uid: parsed, version: number}
}

// same reports whether two are the same version of the same object.
func (i identity) same(other identity) bool {
	if i.texts == nil && other.texts == nil {
		return i == other
	}
	return i.uidText() == other.uidText() && i.versionText() == other.versionText()
}

// sameObject reports whether two are versions of the same object.
func (i identity) sameObject(other identity) bool {
	if i.texts == nil && other.texts == nil {
		return i.uid == other.uid
	}
	return i.uidText() == other.uidText()
}

func (i identity) uidText() types.UID {
	if i.texts != nil {
		return i.texts.uid
	}
	return types.UID(formatUUID(i.uid))
}

func (i identity) versionText() string {
	if i.texts != nil {
		return i.texts.version
	}
	return strconv.FormatUint(i.version, 10)
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
