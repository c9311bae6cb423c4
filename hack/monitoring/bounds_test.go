package main

import (
	"fmt"
	"regexp"
	"testing"
)

// bound is what an expression asks of the upper bound of a bucket.
var bound = regexp.MustCompile(`\ble\s*(=~|!~|!=|=)\s*["'\x60]([^"'\x60]*)["'\x60]`)

// both reports whether each whole number that a matcher takes is taken as 5 and as 5.0.
func both(operator, value string) bool {
	pattern := regexp.QuoteMeta(value)
	if operator == "=~" || operator == "!~" {
		pattern = value
	}
	takes := regexp.MustCompile(`^(?:` + pattern + `)$`)
	for n := range 1000 {
		if takes.MatchString(fmt.Sprint(n)) != takes.MatchString(fmt.Sprintf("%d.0", n)) {
			return false
		}
	}
	return true
}

// Prometheus 3 writes the bound of a bucket as le="5.0" where Prometheus 2 writes le="5": what asks for one of them has nothing with the other,
// and an alert never fires.
func TestExpressions_TakeTheBoundsOfBothVersionsOfPrometheus(t *testing.T) {
	expressions := map[string]string{}
	for _, r := range rules(t) {
		expressions[r.Alert] = r.Expr
	}
	for _, d := range []dashboard{overview(), routing()} {
		for i := range d.panels {
			for j, q := range d.panels[i].queries {
				expressions[fmt.Sprintf("%s, %s, %d", d.title, d.panels[i].title, j)] = q.expr
			}
		}
	}
	seen := 0
	for where, expression := range expressions {
		for _, match := range bound.FindAllStringSubmatch(expression, -1) {
			seen++
			if !both(match[1], match[2]) {
				t.Errorf("%s: %s takes a bound in the form of one version of Prometheus alone", where, match[0])
			}
		}
	}
	if seen == 0 {
		t.Error("no expression asks for a bound: the test has lost sight of them")
	}
}

func TestBoth_KnowsWhatTakesOneFormAlone(t *testing.T) {
	for value, want := range map[string]bool{`="5"`: false, `="5.0"`: false, `=~"1|5"`: false, `=~"5([.]0)?"`: true, `="0.5"`: true, `="+Inf"`: true, `!="10"`: false} {
		match := bound.FindStringSubmatch("x_bucket{le" + value + "}")
		if match == nil || both(match[1], match[2]) != want {
			t.Errorf("le%s: %v, want %t", value, match, want)
		}
	}
}
