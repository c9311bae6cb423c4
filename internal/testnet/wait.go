package testnet

import "time"

// Poll is how often Eventually asks.
const Poll = 5 * time.Millisecond

// Eventually asks until the condition returns no error, and returns how long that took. When the time is over it returns the
// last error. It is for the state of kernels and of other programs, which have no event to wait for.
func Eventually(within time.Duration, condition func() error) (time.Duration, error) {
	began := time.Now()
	for {
		err := condition()
		switch {
		case err == nil:
			return time.Since(began), nil
		case time.Since(began) > within:
			return time.Since(began), err
		}
		time.Sleep(Poll)
	}
}
