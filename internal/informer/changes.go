package informer

import (
	"fmt"
	"sync"
	"sync/atomic"

	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// maxNoted is how many changes are noted one by one: a process that does not lead may not look for days.
const maxNoted = 16384

// changes notes which objects of an informer have changed. The informer computes the keys of an index while it holds the lock of its
// store, for the object before and the one after: a function for an index without keys is called for each change, and whoever then reads
// the store sees it. An event handler would not do, because the one that wakes the loop may be called before it. The zero value is
// ready for use.
type changes struct {
	mu    sync.Mutex
	noted map[objectKey]bool
	// many: there were more than are noted.
	many bool
}

// followers counts the indexes, whose names must differ.
var followers atomic.Int64

// follow begins to note the changes of an informer, and all objects that it has.
func (c *changes) follow(informer withStore) error {
	name := fmt.Sprintf("changes-%d", followers.Add(1))
	return informer.AddIndexers(toolscache.Indexers{name: c.note})
}

func (c *changes) note(item any) ([]string, error) {
	if object, ok := item.(client.Object); ok {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.noted == nil {
			c.noted = map[objectKey]bool{}
		}
		if c.noted[keyOf(object)] = true; len(c.noted) > maxNoted {
			c.noted, c.many = nil, true
		}
	}
	return nil, nil
}

// take returns the keys of what may have changed since the last call. Many: so may all others.
func (c *changes) take() (noted map[objectKey]bool, many bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	noted, many = c.noted, c.many
	c.noted, c.many = nil, false
	return noted, many
}
