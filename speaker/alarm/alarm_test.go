package alarm

import (
	"testing"
	"time"
)

func TestAlarm_FiresAtTheTimeItWasLastSetTo(t *testing.T) {
	var a Alarm
	a.Set(time.Now()) // It is closed.
	if err := a.Open(); err != nil {
		t.Fatal(err)
	}
	fired, ended := make(chan time.Time, 10), make(chan struct{})
	go func() {
		defer close(ended)
		a.Run(func() { fired <- time.Now() })
	}()
	began := time.Now()
	for _, at := range []time.Duration{time.Hour, 10 * time.Millisecond, 50 * time.Millisecond} {
		a.Set(began.Add(at))
	}
	if at := (<-fired).Sub(began); at < 50*time.Millisecond {
		t.Errorf("it fired after %v, not 50 ms", at)
	}
	a.Set(began) // That is past.
	<-fired
	a.Set(began) // It has fired since, and fires again.
	<-fired
	a.Set(time.Now().Add(time.Hour))
	a.Close()
	<-ended
	if len(fired) > 0 {
		t.Error("it fired once more")
	}
}

// The function may set the alarm while it is being closed.
func TestAlarm_ClosesWhileItsFunctionSetsIt(t *testing.T) {
	for range 200 {
		var a Alarm
		if err := a.Open(); err != nil {
			t.Fatal(err)
		}
		began, ended := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(ended)
			first := true
			a.Run(func() {
				if first {
					close(began)
				}
				first = false
				a.Set(time.Now())
			})
		}()
		a.Set(time.Now())
		<-began
		a.Close()
		<-ended
	}
}

func TestAlarm_FiresSoonerWhenTheProcessIsAwake(t *testing.T) {
	var a, other Alarm
	fired := make(chan string, 10)
	for name, one := range map[string]*Alarm{"a": &a, "other": &other} {
		if err := one.Open(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			one.Run(func() { fired <- name })
		}()
		t.Cleanup(func() {
			one.Close()
			<-ended
		})
	}
	now := time.Now()
	a.SetBetween(now.Add(time.Hour), now.Add(2*time.Hour))
	if Awake(); !a.at.Equal(now.Add(2 * time.Hour)) {
		t.Error("it fires though it may not yet")
	}
	a.SetBetween(now, now.Add(time.Hour))
	other.Set(now)
	if first, second := <-fired, <-fired; first != "other" || second != "a" {
		t.Errorf("%s and %s fired", first, second)
	}
	a.SetBetween(now, now.Add(time.Hour))
	Awake()
	if name := <-fired; name != "a" {
		t.Errorf("%s fired", name)
	}
	if len(fired) > 0 {
		t.Errorf("%s fired once more", <-fired)
	}
}
