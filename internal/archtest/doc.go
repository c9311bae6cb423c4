// Package archtest tests the structure of the repository: which package may import which, what a pure package may do, and
// that every package has a comment. The folder of a package says which rules apply to it; no list of packages is kept by
// hand. It holds tests only and refuses to be imported.
package archtest
