package simulate

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/cli/validate"
	"github.com/daymark-lb/daymark/internal/core/forecast"
)

// files are what a command applies in thought.
type files struct {
	*options
	names               []string
	recursive, deleting bool
}

func newApply(e *env.Env) *cobra.Command {
	return (&files{options: &options{Env: e}}).command(&cobra.Command{
		Use: "apply -f FILE", Short: "Say what happens when the objects of files are applied, or deleted",
		Example: `  kubectl daymark simulate apply -f pools.yaml
  kustomize build . | kubectl daymark simulate apply -f -
  kubectl daymark simulate apply --delete -f old-pool.yaml`,
	})
}

// NewDiff returns the command diff.
func NewDiff(e *env.Env) *cobra.Command {
	return (&files{options: &options{Env: e, lines: true}}).command(&cobra.Command{
		Use: "diff -f FILE", Short: "Say in a line for each Service what applying files would do to it",
		Long: `Prints a line for each Service on which the objects of the files have an effect when they are applied, and nothing when there is none.
It is simulate apply in short. Exit status 1 when an address is lost, renumbered, withdrawn or unreachable.`,
		Example: `  kubectl daymark diff -f pools.yaml && kubectl apply -f pools.yaml
  kubectl daymark diff -R -f deploy/`,
	})
}

func (f *files) command(c *cobra.Command) *cobra.Command {
	c.Args = env.Args(cobra.NoArgs)
	c.RunE = func(c *cobra.Command, _ []string) error { return f.run(c) }
	f.Add(c)
	c.Flags().StringSliceVarP(&f.names, "filename", "f", nil, "Files or directories; - is the standard input")
	c.Flags().BoolVarP(&f.recursive, "recursive", "R", false, "Read directories in directories as well")
	c.Flags().BoolVar(&f.deleting, "delete", false, "Delete the objects of the files instead")
	return c
}

func (f *files) run(c *cobra.Command) error {
	if len(f.names) == 0 {
		return env.Usage(errors.New("which files? Name some with -f, or a directory, or - for the standard input"))
	}
	documents, whole, err := f.documents()
	if err != nil {
		return err
	}
	objects, v, err := f.read(c)
	if err != nil {
		return err
	}
	namespace, _, err := f.Namespace()
	if err != nil {
		return err
	}
	e, err := newEdit(objects, namespace)
	if err != nil {
		return err
	}
	for i := range documents {
		d := &documents[i]
		if d.Object().GetKind() == "" {
			e.ignored = append(e.ignored, d.Place()+", which is no object of Kubernetes")
			continue
		}
		do := func() error { return e.apply(c.Context(), d.Object()) }
		if f.deleting {
			do = func() error { return e.remove(d.Object()) }
		}
		if err := do(); err != nil {
			return fmt.Errorf("%s: %w", d.Place(), err)
		}
	}
	before := start(objects, v)
	r := newResult(v, before, f.after(before, e), f.assumed(e)...)
	r.Ignored = e.ignored
	err = f.print(r)
	if err == nil && !whole {
		err = env.ErrWrong
	}
	return err
}

// documents of the files, and whether they are all that the files have: the others are named.
func (f *files) documents() (all []validate.Document, whole bool, err error) {
	all, problems, left, err := validate.ReadFiles(f.names, f.recursive, f.In)
	if err != nil {
		return nil, false, err
	}
	if len(problems) > 0 {
		return nil, false, errors.New(problems[0].String())
	}
	for i := range left {
		f.Warn("left out: %s", left[i].String())
	}
	return all, len(left) == 0, nil
}

// after the edit. Nodes are drained and stopped before they are deleted.
func (f *files) after(before *forecast.Outcome, e *edit) *forecast.Outcome {
	after := before
	if nodes := e.removedNodes(); len(nodes) > 0 {
		steps := forecast.Drain(e.objects, nodes)
		for _, step := range steps {
			after = after.Next(step)
		}
		return after.Next(e.left(steps[len(steps)-1]))
	}
	return after.Next(e.left(e.objects))
}

func (f *files) assumed(e *edit) (texts []string) {
	texts = []string{"the files are applied as by kubectl apply, and all else stays as it is, endpoints too"}
	if f.deleting {
		texts = []string{"the objects in the files are deleted, and all else stays as it is, endpoints too"}
	}
	if e.kinds[source.Peers.Kind] || e.kinds[source.Nodes.Kind] {
		texts = append(texts, "routers accept the sessions that are new; those that are there stay as they are")
	}
	if e.unapplied && !f.Live() {
		texts = append(texts, "of objects without what was applied before, which a bundle leaves out, no field is removed")
	}
	return texts
}

// line says what becomes of a Service.
func line(c *forecast.Change) string {
	texts := make([]string, len(c.Effects))
	for i := range c.Effects {
		e := &c.Effects[i]
		words := []string{strings.ToLower(string(e.Effect))}
		if e.Effect != forecast.Renumbered {
			words = append(words, e.Address)
		}
		if len(e.From)+len(e.To) > 0 {
			words = append(words, few(e.From)+" -> "+few(e.To))
		}
		if about := message(e); about != "" {
			words = append(words, "("+about+")")
		}
		texts[i] = strings.Join(slices.DeleteFunc(words, func(word string) bool { return word == "" }), " ")
	}
	return env.Line(c.Namespace + "/" + c.Name + ": " + strings.Join(texts, "; "))
}
