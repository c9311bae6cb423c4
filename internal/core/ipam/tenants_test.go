package ipam

import (
	"errors"
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

func TestCompute_NamesNoServiceOfAnotherNamespace(t *testing.T) {
	s := newFixture(t)
	s.pool("p", "192.0.2.0/28")
	s.service("bank/secret-name", asks("192.0.2.1"))
	s.service("a", asks("192.0.2.1"))
	s.pass().has("a", "")
	s.says("a", ReasonTaken, "a Service of another namespace")
	s.service("b")
	s.pass()
	s.edit("b", shows("192.0.2.1"), gave("daymark.io/daymark", "192.0.2.1", "p"))
	s.memory = Memory{}
	s.compute()
	released := 0
	for i := range s.plan.Assignments {
		a := &s.plan.Assignments[i]
		texts := []string{a.Outcome().Message}
		for _, release := range a.Released {
			texts, released = append(texts, release.String()), released+1
		}
		if text := strings.Join(texts, "; "); a.Service.Key.Namespace != "bank" && strings.Contains(text, "secret-name") {
			t.Errorf("%s is told of %s", a.Service.Key, text)
		}
	}
	if released != 1 {
		t.Errorf("%d addresses are released, want that of b", released)
	}
}

func TestCompute_PartlyWrongReservationKeeps(t *testing.T) {
	s := newFixture(t)
	s.pool("p", "192.0.2.0/30")
	s.reservations = []*lb.Reservation{{
		Name: "r", Ranges: ranges(t, "192.0.2.0/31"), Service: lb.Key{Namespace: "default", Name: "db"}, Err: errors.New("bad line"),
	}}
	s.service("other")
	s.service("db")
	s.pass().has("other", "192.0.2.2")
	s.has("db", "192.0.2.0")
}

func TestCompute_PartlyWrongPoolGivesTheRest(t *testing.T) {
	s := newFixture(t)
	s.pool("p", "192.0.2.0/30")
	s.service("a")
	s.service("b")
	s.pass().has("b", "192.0.2.1")
	s.pool("p", "192.0.2.0 192.0.2.2", func(p *lb.Pool) { p.Err, p.Partial = errors.New("bad line"), true })
	s.service("c")
	s.pass().has("b", "192.0.2.1") // the bad line may be that of b
	s.says("b", ReasonAssigned, "cannot be read at the moment")
	s.has("c", "192.0.2.2")
}
