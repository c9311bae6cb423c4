package reconcile

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

func TestEventsWaitForAddressesButNotForever(t *testing.T) {
	for _, test := range []struct {
		name string
		// busy is how long addresses are being written.
		busy time.Duration
		// least and most that an Event waits.
		least, most time.Duration
	}{
		{"at once when nothing is being written", 0, 0, quiet},
		{"until the addresses are written", 3 * time.Second, 3 * time.Second, 4 * time.Second},
		{"and no longer than patience", time.Minute, patience, patience + time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, began := newHerald(nil, slog.New(slog.DiscardHandler)), time.Now()
				writing := time.NewTicker(quiet / 5)
				done := make(chan struct{})
				go func() {
					for time.Since(began) < test.busy {
						h.addressWritten()
						select {
						case <-writing.C:
						case <-done:
							return
						}
					}
				}()
				synctest.Wait()
				h.yield(t.Context(), began)
				close(done)
				if took := time.Since(began); took < test.least || took > test.most {
					t.Errorf("it waited %s", took)
				}
			})
		})
	}
}
