package env

import "github.com/spf13/pflag"

// Namespaces is the flag -A of commands that list things of namespaces: all, unless --namespace says which.
type Namespaces struct{ all bool }

// Add the flag. What says in a word or two what is listed.
func (n *Namespaces) Add(flags *pflag.FlagSet, what string) {
	flags.BoolVarP(&n.all, "all-namespaces", "A", false, what+" of all namespaces, whatever --namespace says (the default without --namespace)")
}

// Only is the namespace that is asked for; empty: all. Own is that of --namespace or of the context, for who may not see all.
func (n *Namespaces) Only(e *Env) (only, own string, err error) {
	own, explicit, err := e.Namespace()
	if explicit && !n.all {
		only = own
	}
	return only, own, err
}
