package reconcile

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

func TestEventWriter_WaitsForAddressesButNotForever(t *testing.T) {
	for _, test := range []struct {
		name string
		// busy is how long addresses are written.
		busy time.Duration
		// least and most are the bounds of the time that an Event waits.
		least, most time.Duration
	}{
		{"at once when nothing is being written", 0, 0, addressGrace},
		{"until the addresses are written", 3 * time.Second, 3 * time.Second, 4 * time.Second},
		{"and no longer than maxEventDelay", time.Minute, maxEventDelay, maxEventDelay + time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, began := newEventWriter(nil, slog.New(slog.DiscardHandler)), time.Now()
				writing := time.NewTicker(addressGrace / 5)
				done := make(chan struct{})
				go func() {
					for time.Since(began) < test.busy {
						w.addressWritten()
						select {
						case <-writing.C:
						case <-done:
							return
						}
					}
				}()
				synctest.Wait()
				w.waitForAddresses(t.Context(), began)
				close(done)
				if took := time.Since(began); took < test.least || took > test.most {
					t.Errorf("it waited %s", took)
				}
			})
		})
	}
}
