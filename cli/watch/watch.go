// Package watch is the command that shows who holds what, and fail-overs as they happen. Its one job is the terminal, or lines for a file;
// package view says what has changed.
package watch

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/output"
	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/cli/view"
)

// mostChanges is how many of the last changes a terminal shows.
const mostChanges = 10

// clock is how times of changes are written.
const clock = "15:04:05"

type options struct {
	*env.Env
	// before is the cluster as it was last seen; nil: this is the first time.
	before *view.Cluster
	// changes that were seen, the newest first, as far as a terminal shows them.
	changes []view.Change
}

// New returns the command.
func New(e *env.Env) *cobra.Command {
	return &cobra.Command{
		Use: "watch", Args: env.Args(cobra.NoArgs),
		Short: "Show who holds each address, and fail-overs as they happen",
		Long: "Show who holds each address, and fail-overs, sessions, speakers and Services that change, as they do.\n\n" +
			"On a terminal it is a screen that is kept up to date. Else it is a line for each Service, and then one for each change.",
		Example: `  kubectl daymark watch
  kubectl daymark watch | tee drain-of-n2.txt`,
		RunE: func(c *cobra.Command, _ []string) error { return (&options{Env: e}).run(c) },
	}
}

func (o *options) run(c *cobra.Command) error {
	own, _, err := o.Namespace()
	if err != nil {
		return err
	}
	if err := o.FindSystem(c.Context()); err != nil {
		return err
	}
	queries := append(o.Programs(), source.Queries(own, source.Services, source.Speakers)...)
	return o.Each(c.Context(), true, queries, func(objects *source.Objects) error { return o.show(objects, height(o.Out)) })
}

// show what there is and what has changed, on a terminal with so many lines; 0: it is none.
func (o *options) show(objects *source.Objects, height int) error {
	if gap := objects.Gap(source.Services); gap != nil && gap.Instead == "" && gap.Why != source.NotInFile {
		return fmt.Errorf("%v", gap)
	}
	if err := objects.Usable(); err != nil {
		return err
	}
	now := o.View(objects)
	var changes []view.Change
	if o.before == nil {
		o.WarnOfGaps(objects.Gaps)
	} else {
		changes = now.Changes(o.before)
	}
	first := o.before == nil
	o.before = now
	screen := &output.Screen{Writer: o.Out, Style: output.StyleOf(o.Out)}
	if height > 0 {
		o.remember(changes)
		return o.draw(screen, now, height)
	}
	if first {
		for _, s := range now.Services().Items {
			screen.Printf("%s %s\n", now.Now.Format(clock), serviceText(&s))
		}
	}
	for i := range changes {
		writeChange(screen, &changes[i])
	}
	return nil
}

// remember the newest changes.
func (o *options) remember(changes []view.Change) {
	changes = slices.Clone(changes)
	slices.Reverse(changes)
	o.changes = append(changes, o.changes...)
	o.changes = o.changes[:min(len(o.changes), mostChanges)]
}

// draw the whole screen: changes above, and as many Services as there is room for, those first with which something is wrong.
func (o *options) draw(s *output.Screen, now *view.Cluster, height int) error {
	s.Printf("%s\n", s.Style.Bold("Changes"))
	if len(o.changes) == 0 {
		s.Printf("none yet\n")
	}
	for i := range o.changes {
		writeChange(s, &o.changes[i])
	}
	services := now.Services().Items
	slices.SortStableFunc(services, func(a, b view.ServiceLine) int { return rank(&a) - rank(&b) })
	s.Printf("\n%s\n", s.Style.Bold(fmt.Sprintf("Services at %s", now.Now.Format(clock))))
	const others = 7 // lines that are neither a change nor a Service
	room := max(1, height-others-max(1, len(o.changes)))
	table := output.NewTable("Service", "Addresses", "Held by", "Announced")
	for i := range services[:min(len(services), room)] {
		line := &services[i]
		output.AddRow(table, line.Namespace+"/"+line.Name, output.OrNone(strings.Join(line.Addresses, ",")), line.HeldBy(), line.Short())
	}
	if err := s.Table(table, false); err != nil {
		return err
	}
	if more := len(services) - room; more > 0 {
		s.Printf("and %s more\n", output.Count(more, "Service"))
	}
	return nil
}

// rank of a Service on the screen: those first that wait or are not announced, then those that a node holds.
func rank(s *view.ServiceLine) int {
	switch {
	case s.State.Wrong():
		return 0
	case len(s.Holders) > 0:
		return 1
	}
	return 2
}

func serviceText(s *view.ServiceLine) string {
	return fmt.Sprintf("%s/%s %s held by %s, announced: %s",
		s.Namespace, s.Name, output.OrNone(strings.Join(s.Addresses, ",")), s.HeldBy(), s.Short())
}

// writeChange writes a line, in red when something has become wrong.
func writeChange(s *output.Screen, c *view.Change) {
	text := c.Message
	if c.Service != "" && !strings.Contains(text, c.Service) {
		text += " (" + c.Service + ")"
	}
	if c.Wrong {
		s.Printf("%s %s\n", c.Time.Format(clock), s.Style.Bad(text))
		return
	}
	s.Printf("%s %s\n", c.Time.Format(clock), text)
}

// height of a terminal in lines; 0: it is none.
func height(out any) int {
	file, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return 0
	}
	_, lines, err := term.GetSize(int(file.Fd()))
	if err != nil || lines <= 0 {
		return 24
	}
	return lines
}
