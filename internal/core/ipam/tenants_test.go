package ipam

import (
	"strings"
	"testing"
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
	s.edit("b", shows("192.0.2.1"))
	s.compute()
	for i := range s.plan.Assignments {
		a := &s.plan.Assignments[i]
		texts := []string{a.Outcome().Message}
		for _, release := range a.Released {
			texts = append(texts, release.String())
		}
		if text := strings.Join(texts, "; "); a.Service.Key.Namespace != "bank" && strings.Contains(text, "secret-name") {
			t.Errorf("%s is told of %s", a.Service.Key, text)
		}
	}
}
