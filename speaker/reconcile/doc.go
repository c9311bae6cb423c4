// Package reconcile is the speaker's loop. Its one job is to connect four steps: look reads every cache and executor once,
// compute lets the pure packages decide, set hands each executor its whole desired state, and report says what truly
// happened in the node's Speaker object. It refuses to speak any protocol, and to decide what is announced:
// internal/core/announce decides that, and internal/core/election who holds an address. What they remember from pass to
// pass is kept in the Loop.
//
// Two traps are handled here. Unknown is not empty: when anything cannot be read, nothing is changed, and without the
// API server the caches, and so the announcements, stay as they are. A bad object is that object's problem: one that can
// no longer be read after an edit counts as it was before, as long as this process remembers it.
//
// The files: loop.go is the pass and how the loop begins and ends; executors.go the parts that act; look.go, compute.go,
// set.go and status.go the four steps; ready.go when the node can do its part; report.go writes the Speaker object.
package reconcile
