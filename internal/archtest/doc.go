// Package archtest asserts the shape of the house: which packages may know of which, and that every package says what
// its job is. It holds tests only and refuses to be imported.
package archtest
