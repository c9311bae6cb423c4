package informer

import (
	"strings"
	"sync"
)

// maxInterned is how many texts are kept at most. Users can write as many names of nodes as they like.
const maxInterned = 16384

// interned are the texts that many objects have. A table of package unique would not do: it forgets what only a text refers to.
var interned struct {
	sync.Mutex
	texts map[string]*string
}

// intern returns the one copy that is kept of a text that many objects have. Do not change it.
func intern(text string) *string {
	interned.Lock()
	defer interned.Unlock()
	if known := interned.texts[text]; known != nil {
		return known
	}
	if interned.texts == nil || len(interned.texts) == maxInterned {
		interned.texts = map[string]*string{}
	}
	kept := strings.Clone(text)
	interned.texts[kept] = &kept
	return &kept
}
