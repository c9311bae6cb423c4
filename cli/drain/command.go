// Package drain is the command that has nodes give their traffic to others, and waits until they may be stopped. Its one job is the annotation
// that the speakers go by, and to say what the speakers say. It refuses to evict Pods: kubectl drain does that.
package drain

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/output"
	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/cli/status"
	"github.com/daymark-lb/daymark/cli/view"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

const (
	// lookEvery is the time between two looks.
	lookEvery = time.Second
	// settle is for how long a Speaker object may say what was before, where it does not tell by itself: the speaker hears of the annotation, and
	// writes once a second at most.
	settle = 3 * time.Second
)

type options struct {
	*env.Env
	output.Flags
	wait, undo bool
	timeout    time.Duration
}

// New returns the command.
func New(e *env.Env) *cobra.Command {
	o := &options{Env: e}
	c := &cobra.Command{
		Use: "drain NODE...", Args: env.Args(cobra.MinimumNArgs(1)),
		Short: "Have nodes give their traffic to others, and wait until they may be stopped",
		Long: `Annotates nodes with ` + v1beta1.AnnotationDrain + `: their addresses and routes go to other nodes, which pass open connections on to them. With --wait it
waits until no traffic breaks when they stop. Pods stay: kubectl drain evicts them.`,
		Example: `  kubectl daymark drain n2 --wait && kubectl drain n2 --ignore-daemonsets
  kubectl daymark drain n2 n3 --wait --timeout=1h   # as long as connectionDraining says
  kubectl daymark drain n2 --undo`,
		ValidArgsFunction: e.CompleteKind(0, source.Nodes),
		RunE:              func(c *cobra.Command, args []string) error { return o.run(c.Context(), args) },
	}
	o.Add(c)
	c.Flags().BoolVar(&o.wait, "wait", false, "Wait until the nodes may be stopped; status 1 if they may not within --timeout")
	c.Flags().DurationVar(&o.timeout, "timeout", 15*time.Minute, "Time to wait; 0 for as long as it takes")
	c.Flags().BoolVar(&o.undo, "undo", false, "End it: the nodes take traffic again")
	return c
}

// Report of what was done.
type Report struct {
	Nodes []view.DrainLine `json:"nodes"`
}

func (o *options) run(ctx context.Context, names []string) error {
	if o.wait && o.undo {
		return env.Usage(errors.New("--wait is for the beginning of a drain, and --undo for its end"))
	}
	api, err := o.Client()
	if err != nil {
		return err
	}
	before, err := o.read(ctx, names)
	if err != nil {
		return err
	}
	if err := o.annotate(ctx, api, before, names); err != nil {
		return err
	}
	report := Report{Nodes: unknown(names, !o.undo)}
	var wrong error
	if o.wait {
		report.Nodes, wrong = o.await(ctx, names, outdated(before))
	}
	if ctx.Err() != nil {
		return errors.New("interrupted; the annotation stays: --undo takes it away")
	}
	result := output.Result{Kind: "DrainReport", Value: &report, Text: func(s *output.Screen) { o.text(s, &report) }}
	for _, name := range names {
		result.Names = append(result.Names, "node/"+name)
	}
	return errors.Join(o.Print(o.Out, result), wrong)
}

// annotate all nodes, as they were read, or none if one is not there.
func (o *options) annotate(ctx context.Context, api client.Client, objects *source.Objects, names []string) error {
	there := map[string]*corev1.Node{}
	for _, n := range source.Of[*corev1.Node](objects) {
		there[n.Name] = n
	}
	for _, name := range names {
		if there[name] == nil {
			return fmt.Errorf("there is no node %s, and none was annotated", env.Line(name))
		}
	}
	patch := `{"metadata":{"annotations":{"` + v1beta1.AnnotationDrain + `":"true"}}}`
	if o.undo {
		patch = `{"metadata":{"annotations":{"` + v1beta1.AnnotationDrain + `":null}}}`
	}
	for _, name := range names {
		if err := api.Patch(ctx, there[name].DeepCopy(), client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
			return fmt.Errorf("annotate node %s: %w", name, err)
		}
	}
	return nil
}

// read the nodes and their Speakers.
func (o *options) read(ctx context.Context, names []string) (*source.Objects, error) {
	from, err := o.Source()
	if err != nil {
		return nil, err
	}
	var queries []source.Query
	for _, name := range names {
		queries = append(queries, source.Query{Kind: source.Nodes, Name: name}, source.Query{Kind: source.Speakers, Name: name})
	}
	objects, err := from.Read(ctx, queries...)
	if err != nil {
		return nil, err
	}
	if err := objects.Usable(); err != nil {
		return nil, err
	}
	if len(objects.Gaps) > 0 {
		o.WarnOfGaps(objects.Gaps)
		return nil, errors.New("the nodes and their Speakers have to be seen")
	}
	return objects, nil
}

// await that the nodes may be stopped; what the Speakers of some said was outdated when the drain began. What it waits for goes to stderr whenever it changes.
func (o *options) await(ctx context.Context, names []string, outdated map[string]bool) ([]view.DrainLine, error) {
	if o.timeout > 0 {
		waiting, cancel := context.WithTimeout(ctx, o.timeout)
		defer cancel()
		ctx = waiting
	}
	ticks, began, said := time.NewTicker(lookEvery), time.Now(), map[string]view.DrainLine{}
	defer ticks.Stop()
	lines, failed := unknown(names, true), false
	for {
		objects, err := o.read(ctx, names)
		switch {
		case err == nil:
			failed, lines = false, drainLines(objects, names)
			o.say(lines, said)
			if len(unsafe(lines)) == 0 && (time.Since(began) >= settle || told(objects, outdated)) {
				return lines, nil
			}
		case !failed && ctx.Err() == nil:
			failed = true
			o.Warn("asked again: %v", err)
		}
		select {
		case <-ctx.Done():
			o.Warn("after %v nobody says of %s that no traffic breaks when it stops; the annotation stays: --undo takes it away", o.timeout, strings.Join(unsafe(lines), ", "))
			return lines, env.ErrWrong
		case <-ticks.C:
		}
	}
}

// unknown are nodes of which nothing is known yet.
func unknown(names []string, drained bool) []view.DrainLine {
	lines := make([]view.DrainLine, len(names))
	for i, name := range names {
		lines[i] = view.DrainLine{Node: name, Drained: drained, SafeToStop: metav1.ConditionUnknown}
	}
	return lines
}

// drainLines are what is known of the nodes, in the order in which they were named.
func drainLines(objects *source.Objects, names []string) []view.DrainLine {
	nodes, speakers := map[string]*lb.Node{}, map[string]*v1beta1.Speaker{}
	for _, n := range source.Of[*corev1.Node](objects) {
		nodes[n.Name] = lb.ParseNode(n)
	}
	for _, s := range source.Of[*v1beta1.Speaker](objects) {
		speakers[s.Name] = s
	}
	lines := make([]view.DrainLine, len(names))
	for i, name := range names {
		lines[i] = view.Draining(name, nodes[name], speakers[name])
	}
	return lines
}

// unsafe are the nodes of which nobody says that they may be stopped.
func unsafe(lines []view.DrainLine) (names []string) {
	for i := range lines {
		if lines[i].SafeToStop != metav1.ConditionTrue {
			names = append(names, lines[i].Node)
		}
	}
	return names
}

// outdated are the nodes that are not drained, though their Speakers say so: these have not heard yet of the end of another drain, so what they
// say next may be of that one.
func outdated(objects *source.Objects) map[string]bool {
	are := map[string]bool{}
	for _, s := range source.Of[*v1beta1.Speaker](objects) {
		are[s.Name] = s.Status.Drained != nil && *s.Status.Drained
	}
	for _, n := range source.Of[*corev1.Node](objects) {
		are[n.Name] = are[n.Name] && n.Annotations[v1beta1.AnnotationDrain] != "true"
	}
	return are
}

// told reports whether all Speakers say that their nodes are drained, and mean this drain.
func told(objects *source.Objects, outdated map[string]bool) bool {
	for _, s := range source.Of[*v1beta1.Speaker](objects) {
		if s.Status.Drained == nil || !*s.Status.Drained || outdated[s.Name] {
			return false
		}
	}
	return true
}

// say what has changed since it was said, but for the time that is left.
func (o *options) say(lines []view.DrainLine, said map[string]view.DrainLine) {
	for i := range lines {
		now := lines[i]
		now.Until = nil
		if was, known := said[now.Node]; !known || was != now {
			said[now.Node] = now
			o.Warn("%s %s", now.Node, status.Drain(&lines[i], o.Now()))
		}
	}
}

func (o *options) text(s *output.Screen, r *Report) {
	for i := range r.Nodes {
		line := &r.Nodes[i]
		switch {
		case o.undo:
			s.Printf("%s takes traffic again\n", line.Node)
		case !o.wait:
			s.Printf("%s is drained: kubectl daymark status says what is left there, and --wait waits\n", line.Node)
		default:
			s.Printf("%s %s\n", line.Node, status.Drain(line, o.Now()))
		}
	}
}
