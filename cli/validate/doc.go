// Package validate is the command that checks objects in files before anybody applies them. Its one job is to say, at the line where
// it stands, what the API server, the controller and the speakers would: the kinds' own schemas with their rules, the parsers of the
// daemons, and the conditions that they would write for the objects as a whole. It refuses to have a rule of its own, and to change
// anything.
package validate
