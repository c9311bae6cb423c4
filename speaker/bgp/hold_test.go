package bgp

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/daymark-lb/daymark/internal/core/announce"
)

func held(s *announce.Session) { s.Hold = true }

func TestSession_HeldDialsWhenItIsReleased(t *testing.T) {
	withFakeClock(t, held, func(c *fakeClockSession) {
		time.Sleep(time.Second)
		synctest.Wait()
		if len(c.dialed()) > 0 {
			t.Fatalf("it has dialed at %v", c.dialed())
		}
		released := *c.currentDesired()
		released.Hold = false
		c.setDesired(&released)
		time.Sleep(50 * time.Millisecond)
		if len(c.dialed()) > 0 {
			t.Errorf("it has dialed before the router has heard that BFD is up, at %v", c.dialed())
		}
		for i := 0; i < 250 && len(c.dialed()) == 0; i++ {
			time.Sleep(time.Millisecond)
			synctest.Wait()
		}
		if len(c.dialed()) != 1 {
			t.Errorf("released, it has dialed at %v", c.dialed())
		}
		// Only the first attempt is ever held.
		c.setDesired(func() *announce.Session { again := released; again.Hold = true; return &again }())
		time.Sleep(time.Minute)
		if len(c.dialed()) < 2 {
			t.Errorf("later it has dialed at %v", c.dialed())
		}
	})
}

func TestSession_IsNotHeldForEver(t *testing.T) {
	withFakeClock(t, held, func(c *fakeClockSession) {
		time.Sleep(maxHold + time.Microsecond)
		synctest.Wait()
		if len(c.dialed()) != 1 || c.dialed()[0].Sub(c.begun) < maxHold {
			t.Errorf("it has dialed at %v, and began at %v", c.dialed(), c.begun)
		}
	})
}
