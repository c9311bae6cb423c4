package changeover

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/output"
	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// patcher writes to the cluster.
type patcher interface {
	Patch(ctx context.Context, object client.Object, patch client.Patch, options ...client.PatchOption) error
}

// look is how often what is waited for is looked at.
const look = 200 * time.Millisecond

func (o *options) read(ctx context.Context) (*Plan, error) {
	from, err := o.Source()
	if err != nil {
		return nil, err
	}
	if err := o.FindSystem(ctx); err != nil {
		return nil, err
	}
	objects, err := from.Read(ctx, o.queries()...)
	if err != nil {
		return nil, err
	}
	if err := cmp.Or(objects.Usable(), whole(objects)); err != nil {
		return nil, err
	}
	p := o.make(objects)
	o.warnOfUnseen(p)
	return p, nil
}

// whole returns an error when a plan would leave out Services, or take MetalLB for gone, because the user may not list what there is.
func whole(objects *source.Objects) error {
	for _, kind := range []source.Kind{source.Services, addressPools, l2Advertisements, bgpAdvertisements} {
		if gap := objects.Gap(kind); gap != nil && gap.Why == source.Forbidden {
			return fmt.Errorf("%v: a change-over depends on all of them, and nothing is said rather than something wrong", gap)
		}
	}
	return nil
}

func (o *options) warnOfUnseen(p *Plan) {
	for _, unseen := range p.Unseen {
		o.Warn("not seen: %s", unseen.Message)
	}
}

func (o *options) plan(ctx context.Context) error {
	p, err := o.read(ctx)
	if err != nil {
		return err
	}
	result := output.Result{Kind: "ChangeOver", Value: p, Table: table(p)}
	for i := range p.Steps {
		result.Names = append(result.Names, p.Steps[i].Name)
	}
	if err := o.Print(o.Out, result); err != nil {
		return err
	}
	o.hint(p)
	if p.Wrong() {
		return env.ErrWrong
	}
	return nil
}

// next does the step of a Service, or the first that is ready.
func (o *options) next(ctx context.Context, args []string) error {
	p, err := o.read(ctx)
	if err != nil {
		return err
	}
	step := p.Next()
	if len(args) > 0 {
		if step, err = o.named(p, args[0]); err != nil {
			return err
		}
	}
	switch {
	case step == nil || step.Name == Uninstall || step.State == Failing && len(step.Commands) == 0:
		o.hint(p)
		return status(p.Finished() || step != nil && step.State == Ready)
	case step.State == Done:
		o.Warn("%s has changed over already", step.Name)
		return nil
	case step.State != Ready && step.State != Failing:
		return fmt.Errorf("%s is not ready: %s", step.Name, step.Message)
	case len(args) == 0 && slices.ContainsFunc(step.services, (*service).beside):
		return fmt.Errorf("%[1]s has the annotation without the label, as one that goes back by BGP: %[2]s finishes that, and "+
			"kubectl daymark migrate next %[1]s makes it Daymark's again", step.Name, goBack(step))
	}
	patches := p.patches(step)
	if err := o.propose(step, step.Message, patches); err != nil {
		return err
	}
	if err := o.apply(ctx, patches); err != nil {
		return err
	}
	return o.verify(ctx, step, (*Plan).unfinished, "It can go back: "+goBack(step))
}

// named is the step of a Service. While another one is not whole it is to wait.
func (o *options) named(p *Plan, argument string) (*Step, error) {
	name, err := o.service(argument)
	if err != nil {
		return nil, err
	}
	step, first := p.step(name), p.Next()
	switch {
	case step == nil:
		return nil, fmt.Errorf("%s %w", name, errUnknown)
	case step.State == Ready && first.State == Failing:
		return nil, fmt.Errorf("%s is to wait: %s is not whole: %s", name, first.Name, first.Message)
	}
	return step, nil
}

func status(right bool) error {
	if right {
		return nil
	}
	return env.ErrWrong
}

func goBack(step *Step) string {
	if len(step.Services) == 0 {
		return "take the serviceSelectors out of MetalLB's advertisements"
	}
	return "kubectl daymark migrate back " + step.Services[0]
}

// unfinished says what is missing of a step that was written; empty: nothing.
func (p *Plan) unfinished(step *Step) string {
	if step.Name == Advertisements && p.Steps[0].State != Done {
		return p.Steps[0].Message
	}
	for _, name := range step.Services {
		if now := p.step(name); now.State != Done {
			return now.Message
		}
	}
	return ""
}

// propose the patches of a step, and ask. nil: they are to be written.
func (o *options) propose(step *Step, message string, patches []patch) error {
	fmt.Fprintln(o.Out, env.Line(fmt.Sprintf("%s %s: %s", step.Name, strings.Join(step.Addresses, ","), message)))
	for i := range patches {
		fmt.Fprintln(o.Out, "  "+env.Line(patches[i].command()))
	}
	if !o.yes {
		fmt.Fprint(o.ErrOut, "Do it? [y/N] ")
		answer, _ := bufio.NewReader(o.In).ReadString('\n')
		if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
			o.Warn("nothing was changed")
			return env.ErrWrong
		}
	}
	return nil
}

// apply patches in their order.
func (o *options) apply(ctx context.Context, patches []patch) error {
	to, err := o.writer()
	if err != nil {
		return err
	}
	for i := range patches {
		if err := patches[i].apply(ctx, to); err != nil {
			return fmt.Errorf("%w; %d of %d writes were done", err, i, len(patches))
		}
	}
	return nil
}

func (o *options) writer() (patcher, error) {
	if o.client != nil {
		return o.client, nil
	}
	return o.Client()
}

// apply the patch. MetalLB before 0.16 has no serviceSelectors, and its API server drops them without a word.
func (p *patch) apply(ctx context.Context, to patcher) error {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(p.kind)
	object.SetNamespace(p.namespace)
	object.SetName(p.name)
	if err := to.Patch(ctx, object, client.RawPatch(types.MergePatchType, []byte(p.body))); err != nil {
		return fmt.Errorf("patch %s %s/%s: %w", p.kind.Kind, p.namespace, p.name, err)
	}
	_, takes, _ := unstructured.NestedSlice(object.Object, "spec", "serviceSelectors")
	if p.kind.Group == group && !takes {
		return fmt.Errorf("%s %s/%s takes no serviceSelectors: MetalLB before 0.16 has none. Upgrade it first, or change over all at once",
			p.kind.Kind, p.namespace, p.name)
	}
	return nil
}

// verify waits until nothing is missing, and says what has become of the step and how long that took.
func (o *options) verify(ctx context.Context, step *Step, missing func(*Plan, *Step) string, otherwise string) error {
	began := o.Now()
	p, err := o.await(ctx, step, missing, otherwise)
	if err != nil {
		return err
	}
	o.report(p, step, o.Now().Sub(began))
	return nil
}

// await a plan in which nothing is missing of a step, or say what is, and what to do.
func (o *options) await(ctx context.Context, step *Step, missing func(*Plan, *Step) string, otherwise string) (*Plan, error) {
	from, err := o.Source()
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	all, err := from.Follow(limited, look, o.queries()...)
	if err != nil {
		return nil, err
	}
	text := "nothing was seen"
	for objects := range all {
		p := o.make(objects)
		if text = p.renumbered(step); text == "" {
			text = missing(p, step)
		}
		if text == "" {
			return p, nil
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, errors.Join(err, errors.New(text))
	}
	o.Warn("after %v: %s", o.timeout, text)
	o.Warn("kubectl daymark migrate plan shows how far it is; kubectl daymark explain service NAME -n NAMESPACE says why. %s", otherwise)
	return nil, env.ErrWrong
}

// renumbered says that a Service has other addresses than before; empty: it has the same.
func (p *Plan) renumbered(step *Step) string {
	for _, before := range step.services {
		now := p.service(name(before))
		if now == nil {
			return name(before) + " " + errUnknown.Error()
		}
		if !slices.Equal(now.Ingress, before.Ingress) {
			return fmt.Sprintf("%s has %v now, and had %v", name(before), now.Ingress, before.Ingress)
		}
	}
	return ""
}

// report says what a step has become.
func (o *options) report(p *Plan, step *Step, took time.Duration) {
	if len(step.services) == 0 {
		fmt.Fprintf(o.Out, "%s: done\n", step.Name)
	}
	for _, before := range step.services {
		s := p.service(name(before))
		by, whose := p.metallb.announcing(s.Key), "MetalLB's"
		if s.handed() {
			by, whose = p.cluster.Serving(s.Service, s.raw).Holders, "Daymark's"
		}
		text := fmt.Sprintf("%s: %s, with %s, after %v", name(s), whose, strings.Join(lb.Strings(s.Ingress), ", "), took.Round(100*time.Millisecond))
		if len(by) > 0 {
			text += ", on " + strings.Join(by, ", ")
		}
		fmt.Fprintln(o.Out, env.Line(text))
		if !s.handed() {
			for _, remark := range p.unproven(s) {
				o.Warn("%s", remark)
			}
		}
	}
}
