package ipam

import (
	"testing"
	"time"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

func finalized(version uint64) func(*lb.Service) {
	return func(s *lb.Service) { s.Finalizer, s.Version = true, version }
}

// deletes has a Service go with a version, as when it is deleted or becomes a ClusterIP.
func deletes(version uint64) func(*lb.Service) {
	return func(s *lb.Service) { s.LoadBalancer, s.Ingress, s.Version = false, nil, version }
}

// waits reports whether the cleanup of a Service waits.
func (s *fixture) waits(name string) bool {
	for _, c := range s.plan.Cleanups {
		if key(c.Service) == name {
			return c.Waits
		}
	}
	return false
}

func TestLeaving(t *testing.T) {
	for _, test := range []struct {
		name        string
		withdrawals []Withdrawal
		waits       bool
	}{
		{"no speaker, nothing to wait for", nil, false},
		{"a speaker that said nothing is waited for", []Withdrawal{{"n1", 0}}, true},
		{"and one that withdrew only older ones", []Withdrawal{{"n1", 9}, {"n2", 8}}, true},
		{"all have withdrawn", []Withdrawal{{"n1", 9}, {"n2", 12}}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newFixture(t)
			s.pool("blue", "192.0.2.1/32")
			s.service("web", finalized(5))
			s.pass()
			s.withdrawals = test.withdrawals
			s.edit("web", deletes(9))
			s.service("next")
			s.pass()
			if s.waits("web") != test.waits || s.services["web"].Finalizer != test.waits {
				t.Errorf("it waits: %v, and has the finalizer: %v", s.waits("web"), s.services["web"].Finalizer)
			}
			if test.waits {
				s.has("next", "")
			} else {
				s.has("next", "192.0.2.1")
			}
		})
	}
}

func TestLeaving_SilentSpeakerIsWaitedForOnce(t *testing.T) {
	s := newFixture(t)
	s.pool("blue", "192.0.2.0/29")
	for _, name := range []string{"a", "b", "c"} {
		s.service(name, finalized(5))
	}
	s.pass()
	s.withdrawals = []Withdrawal{{"n1", 0}}
	s.edit("a", deletes(9))
	s.pass()
	if end := s.now.Add(WithdrawLimit); !s.waits("a") || !s.plan.Next.Equal(end) {
		t.Fatalf("the next pass is at %s, want %s", s.plan.Next, end)
	}
	s.now = s.now.Add(WithdrawLimit)
	s.pass()
	if s.services["a"].Finalizer {
		t.Fatal("it waits for ever")
	}
	s.now = s.now.Add(time.Hour)
	s.pass()
	s.edit("b", deletes(10))
	s.pass()
	if s.services["b"].Finalizer {
		t.Error("the silent speaker is waited for again")
	}
	s.withdrawals[0].Version = 10 // it is back
	s.edit("c", deletes(11))
	s.pass()
	if !s.services["c"].Finalizer {
		t.Error("a speaker that answers again is not waited for")
	}
}

func TestLeaving_LaterEditIsNotWaitedFor(t *testing.T) {
	s := newFixture(t)
	s.pool("blue", "192.0.2.1/32")
	s.service("web", finalized(5))
	s.pass()
	s.withdrawals = []Withdrawal{{"n1", 0}}
	s.edit("web", deletes(9))
	s.pass()
	s.withdrawals[0].Version = 9
	s.edit("web", deletes(10))
	s.pass()
	if s.services["web"].Finalizer {
		t.Error("an edit makes it wait again")
	}
}

// Another provider may serve the Service by an annotation of its namespace, which the speakers do not read.
func TestLeaving_HandedOverIsMarkedFirst(t *testing.T) {
	s := newFixture(t)
	s.pool("blue", "192.0.2.1/32")
	s.service("web", finalized(5))
	s.pass()
	s.withdrawals = []Withdrawal{{"n1", 9}}
	s.edit("web", func(s *lb.Service) { s.Provider, s.Version = "metallb", 6 })
	s.compute()
	if !s.waits("web") {
		t.Fatal("it does not wait to be marked")
	}
	s.memory = s.plan.Memory
	s.edit("web", func(s *lb.Service) { s.Provenance.Withdrawing, s.Version = true, 10 })
	if s.pass(); !s.waits("web") {
		t.Fatal("it does not wait for the mark to be seen")
	}
	s.withdrawals[0].Version = 10
	s.pass()
	if s.services["web"].Finalizer {
		t.Error("it waits for ever")
	}
	if got := s.services["web"].Ingress; len(got) != 1 {
		t.Errorf("its address was removed: %v", got)
	}
}

func TestLeaving_ReuseDelayBeginsWhenWithdrawn(t *testing.T) {
	s := newFixture(t)
	s.pool("blue", "192.0.2.1/32", func(p *lb.Pool) { p.ReuseDelay = time.Minute })
	s.service("web", finalized(5))
	s.pass()
	s.withdrawals = []Withdrawal{{"n1", 0}}
	s.edit("web", deletes(9))
	s.pass()
	s.now = s.now.Add(30 * time.Second)
	s.withdrawals[0].Version = 9
	s.pass()
	delete(s.services, "web")
	s.service("next")
	s.now = s.now.Add(59 * time.Second)
	s.pass()
	s.has("next", "")
	s.now = s.now.Add(time.Second)
	s.pass()
	s.has("next", "192.0.2.1")
}

func TestLeaving_CountsForTheQuota(t *testing.T) {
	s := newFixture(t)
	s.pool("blue", "192.0.2.0/29", func(p *lb.Pool) { p.MaxPerNamespace = 1 })
	s.service("web", finalized(5))
	s.pass()
	s.withdrawals = []Withdrawal{{"n1", 0}}
	s.edit("web", deletes(9))
	s.service("next")
	s.pass()
	s.says("next", ReasonOverQuota)
}
