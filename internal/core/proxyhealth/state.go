package proxyhealth

// Check is what asking a service proxy has found out.
type Check uint8

const (
	// Off means: it is not to be asked.
	Off Check = iota
	// Working means: it says that it works.
	Working
	// Starting means: it answers, and has not written its rules to the kernel yet.
	Starting
	// Failing means: it says that it does not work, or does not answer in time.
	Failing
	// Absent means: nothing listens where it is looked for.
	Absent
)

// State is what a node's service proxy means for the node. Speakers tell it to each other by its number: numbers stay as they
// are, and one that is not known counts as NotChecked.
type State uint8

const (
	// NotChecked means: nobody asks.
	NotChecked State = iota
	// Works means: it works, or started anew after it had worked.
	Works
	// NotFound means: no proxy answers, neither on this node nor on another one. It is not judged.
	NotFound
	// Fails means: it does not work now, which may pass.
	Fails
	// FailsOnMost means: it does not work, and on most other nodes neither, so this node attracts all the same.
	FailsOnMost
	// Awaited means: it has not worked yet since the node booted; the node attracts nothing.
	Awaited
	// Withdrawn means: it has failed for FailTime; the node attracts nothing.
	Withdrawn
	// Unsteady means: it works again after it has failed several times; the node attracts nothing before it has worked for some time.
	Unsteady
)

// AttractsNothing reports whether the node may not announce anything.
func (s State) AttractsNothing() bool { return s == Awaited || s == Withdrawn || s == Unsteady }

// Failing reports whether the proxy was there and does not work now.
func (s State) Failing() bool {
	return s == Fails || s == FailsOnMost || s == Awaited || s == Withdrawn
}

// Healthy is what health checks are told.
func (s State) Healthy() bool { return s != FailsOnMost && s != Awaited && s != Withdrawn }

// votes says whether the proxy of a node works, as others count it; known is false where that cannot be said.
func (s State) votes() (works, known bool) {
	switch s {
	case Works, Unsteady:
		return true, true
	case NotFound, Fails, FailsOnMost, Awaited, Withdrawn:
		return false, true
	default:
		return false, false
	}
}

// Memory is what was known of a node's proxy before this process started.
type Memory struct {
	// Seen: a proxy has worked on the node at some time.
	Seen bool
	// Worked: it has since the node booted.
	Worked bool
	// NotFound means: it was found, since the node booted, that no node has one.
	NotFound bool
	// Withdrawn: it has worked since the node booted, and the node attracted nothing, since it did not any more.
	Withdrawn bool
}

// Ports says whose the health-check ports are.
type Ports uint8

const (
	// Unwatched means: it is not seen whether there is a proxy, so none can be given a port back. What another process has had is its own.
	Unwatched Ports = iota
	// ProxysOwn means: they are the proxy's. Those that are open are to be closed.
	ProxysOwn
	// Free means: what nobody has may be served. A proxy that returns is seen.
	Free
)
