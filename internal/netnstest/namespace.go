package netnstest

import (
	"errors"
	"net/netip"
	"os/exec"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/testnet"
)

// Namespace is a network namespace beside the one the tests run in. It ends with the test.
type Namespace struct{ core *testnet.Namespace }

// New creates a namespace with its loopback up.
func New(t testing.TB) *Namespace {
	t.Helper()
	core, err := testnet.New(t.Name())
	must(t, err)
	t.Cleanup(func() { _ = core.Close() })
	return &Namespace{core}
}

// Do runs f inside the namespace, on the caller's goroutine: f may fail the test. Goroutines that f starts are outside
// again; sockets that f opens stay inside.
func (n *Namespace) Do(t testing.TB, f func()) {
	t.Helper()
	must(t, n.core.Do(func() error { f(); return nil }))
}

// Run runs a program inside the namespace and returns what it printed; a failure fails the test.
func (n *Namespace) Run(t testing.TB, name string, args ...string) string {
	t.Helper()
	output, err := n.Output(t, name, args...)
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, output)
	}
	return output
}

// Output runs a program inside the namespace and returns all that it printed, and how it ended.
func (n *Namespace) Output(t testing.TB, name string, args ...string) (string, error) {
	t.Helper()
	var output []byte
	err := n.core.Do(func() (err error) {
		output, err = exec.CommandContext(t.Context(), name, args...).CombinedOutput()
		return err
	})
	return string(output), err
}

// Sysctl sets a value below /proc/sys/net inside the namespace: Sysctl(t, "ipv6/conf/far0/accept_dad", "0").
func (n *Namespace) Sysctl(t testing.TB, key, value string) {
	t.Helper()
	must(t, n.core.Sysctl(map[string]string{key: value}))
}

// inCurrent calls f with the namespace that the caller is in.
func inCurrent(f func(*testnet.Namespace) error) error {
	current, err := testnet.Current("here")
	if err != nil {
		return err
	}
	return errors.Join(f(current), current.Close())
}

// Veth lays a cable from a link of the tests' own namespace to one in another, and waits until both ends have a
// carrier. It is removed at the end of the test.
func Veth(t testing.TB, near string, other *Namespace, far string) {
	t.Helper()
	must(t, inCurrent(func(here *testnet.Namespace) error { return testnet.Wire(here, near, other.core, far, nil) }))
	t.Cleanup(func() { _ = inCurrent(func(here *testnet.Namespace) error { return here.RemoveLink(near) }) })
	AwaitCarrier(t, near)
	other.Do(t, func() { AwaitCarrier(t, far) })
}

// Address adds an address to a link of the current namespace, usable at once.
func Address(t testing.TB, name string, address netip.Prefix) {
	t.Helper()
	if err := inCurrent(func(here *testnet.Namespace) error { return here.Address(name, address) }); err != nil {
		t.Error(err)
	}
}

// AwaitCarrier waits until a link of the current namespace has a carrier and can send.
func AwaitCarrier(t testing.TB, name string) {
	t.Helper()
	Eventually(t, "link "+name+" has a carrier", func() error {
		return inCurrent(func(here *testnet.Namespace) error { return here.Carrier(name) })
	})
}

// eventuallyTimeout is long enough for a busy machine; a condition that holds ends the wait at once.
const eventuallyTimeout = 20 * time.Second

// Eventually asks again and again until the answer is nil, and fails the test when it is not within twenty seconds. It is
// for the state of kernels and of other programs, which have no event to wait for. Call it on the test's own goroutine.
func Eventually(t testing.TB, what string, ask func() error) {
	t.Helper()
	if _, err := testnet.Eventually(eventuallyTimeout, ask); err != nil {
		t.Fatalf("%s: still not after %s: %v", what, eventuallyTimeout, err)
	}
}

// Transit measures how long segments of TCP take from one namespace to another until the test ends.
func Transit(t testing.TB, from, to *Namespace) *testnet.Transit {
	t.Helper()
	transit, err := testnet.NewTransit(from.core, to.core)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(transit.Close)
	return transit
}
