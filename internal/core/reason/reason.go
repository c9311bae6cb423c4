// Package reason is the form in which the reasons of conditions are written down. Its one job is that a reason has its
// name, its meaning and its remedy in one place, from which the code, the conditions and the reference pages take them. It
// refuses to decide which reason applies: the packages that decide declare theirs.
package reason

// Reason is why a condition has the status it has.
type Reason struct {
	// Name in CamelCase, as conditions and Events carry it.
	Name string
	// Meaning in one sentence, for the reference pages.
	Meaning string
	// Remedy is what a person can do about it; empty when there is nothing to do.
	Remedy string
}

// Condition is a condition that Daymark writes, with all its reasons.
type Condition struct {
	// Kind of the objects that carry it, and the condition's type.
	Kind, Type string
	// Meaning of the condition when it is True, in one sentence.
	Meaning string
	// Reasons in the order of the reference page.
	Reasons []Reason
}
