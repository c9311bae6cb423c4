// Package reconcile is the speaker's loop: look at every cache once, let internal/core/announce compute what this node
// announces, hand each executor its whole desired state, report what truly happened in the node's Speaker object. Its
// one job is to connect these four; it refuses to decide anything itself and to speak any protocol.
//
// Two traps are handled here. Unknown is not empty: when anything cannot be read, nothing is changed, and without the
// API server the caches, and so the announcements, stay as they are. A bad object is that object's problem: one that can
// no longer be read after an edit counts as it was before, as long as this process remembers it.
package reconcile
