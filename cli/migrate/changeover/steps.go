package changeover

import (
	"slices"
	"strings"

	"github.com/daymark-lb/daymark/cli/view"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// prepare is the step that has MetalLB's advertisements leave out the Services with the label. Those that may share addresses change
// over in the same step: MetalLB after 0.16.1 announces them by layer 2 no more once an advertisement has serviceSelectors.
func (p *Plan) prepare(groups [][]*service, outcomes map[lb.Key]view.Handover) Step {
	step := Step{Name: Advertisements, State: Done, Message: "MetalLB's leave out Services with the label " + Label + "=daymark"}
	var changes, against []string
	layer2 := false
	for i := range p.advertisements {
		a := &p.advertisements[i]
		if a.selectors == nil {
			continue
		}
		changes = append(changes, a.name())
		layer2 = layer2 || a.object.GetKind() == l2Advertisements.Kind
		if a.problem != "" {
			against = append(against, a.name()+": "+a.problem)
		}
	}
	if len(changes) == 0 {
		return step
	}
	if !p.metallb.selects {
		against = append(against, "MetalLB before 0.16 cannot leave out Services: upgrade it first, or change over all at once")
	}
	step.State, step.Message = Ready, strings.Join(changes, ", ")+": is to leave out Services with the label "+Label+"=daymark"
	for _, group := range groups {
		if !layer2 || !slices.ContainsFunc(group, sharing) || slices.ContainsFunc(group, (*service).handed) {
			continue
		}
		step.services = append(step.services, group...)
		if why := p.against(group, outcomes); why != "" {
			against = append(against, why)
		}
	}
	if len(step.services) > 0 {
		step.Services, step.Addresses = names(step.services), addressesOf(step.services)
		step.Message += "; these Services, which may share addresses, change over with it: " + strings.Join(step.Services, ", ")
	}
	if len(against) > 0 {
		step.State, step.Message = Blocked, joined(against)
	}
	step.Commands = commands(p.patches(&step))
	return step
}

// handOver is the step of a Service, or of those that share addresses with it.
func (p *Plan) handOver(group []*service, outcomes map[lb.Key]view.Handover, later bool) Step {
	step := Step{Name: name(group[0]), Services: names(group), Addresses: addressesOf(group), services: group}
	if slices.ContainsFunc(group, (*service).handed) {
		step.State = Done
		step.HeldBy, step.Message = p.standing(group)
		if step.Message != "" {
			step.State = Failing
			p.finish(&step, outcomes)
		}
		return step
	}
	if p.metallb.absent && !slices.ContainsFunc(group, func(s *service) bool { return !p.adopted(s) }) {
		step.State = Done // the marks were removed in the end
		return step
	}
	step.Commands = commands(p.patches(&step))
	why := p.against(group, outcomes)
	switch {
	case why != "":
		step.State, step.Message = Blocked, why
	case later:
		step.State, step.Message = Later, "the advertisements come first"
	default:
		step.State, step.Message = Ready, p.outlook(group, outcomes)
	}
	return step
}

// finish has a step that was done in part write what is missing, unless something stands against that.
func (p *Plan) finish(step *Step, outcomes map[lb.Key]view.Handover) {
	rest := slices.DeleteFunc(slices.Clone(step.services), (*service).handed)
	if why := p.against(rest, outcomes); why != "" {
		step.Message += "; " + why
		return
	}
	step.Commands = commands(p.patches(step))
}

// adopted says that a Service is Daymark's with all its addresses.
func (p *Plan) adopted(s *service) bool {
	return p.cluster.Settings.Classes.Ours(s.Service) && len(s.Provenance.Allocations) >= len(s.Ingress)
}

// outlook says what is to become of Services that can be handed over.
func (p *Plan) outlook(group []*service, outcomes map[lb.Key]view.Handover) string {
	var texts []string
	for _, s := range group {
		text := outcomes[s.Key].Message
		if p.cluster.Settings.Classes.Ours(s.Service) {
			text = "Daymark serves it beside MetalLB, which --serve-classless=false would have prevented; " + text
		}
		texts = append(texts, text)
	}
	return joined(texts)
}

// standing says who holds Services that were handed over, and what is missing; empty: nothing.
func (p *Plan) standing(group []*service) (holders []string, missing string) {
	var texts []string
	for _, s := range group {
		serving := p.cluster.Serving(s.Service, s.raw)
		holders = append(holders, serving.Holders...)
		switch beside := p.metallb.announcing(s.Key); {
		case !s.handed():
			texts = append(texts, name(s)+" shares "+strings.Join(lb.Strings(s.Ingress), ", ")+" and was not handed over")
		case !s.marked():
			texts = append(texts, name(s)+" needs both the label and the annotation "+Label+"=daymark")
		case len(beside) > 0:
			texts = append(texts, "MetalLB announces "+name(s)+" from "+strings.Join(beside, ", "))
		case serving.Missing != "" && !p.withoutEndpoints(s):
			texts = append(texts, name(s)+": "+serving.Missing)
		}
	}
	slices.Sort(holders)
	return slices.Compact(holders), joined(texts)
}

// withoutEndpoints says that nobody can announce a Service, so that it is whole once a pool has adopted its addresses.
func (p *Plan) withoutEndpoints(s *service) bool {
	if len(s.Provenance.Allocations) < len(s.Ingress) {
		return false
	}
	reason := p.cluster.Explainer().Explain(s.Service).Reason
	return reason == announce.ReasonNoEndpoint.Name
}

// against says what stands against handing Services over; empty: nothing. That a Service has no endpoint does not: nobody announces it.
func (p *Plan) against(group []*service, outcomes map[lb.Key]view.Handover) string {
	var texts []string
	for _, s := range group {
		outcome, served := outcomes[s.Key]
		switch {
		case !served:
			texts = append(texts, name(s)+" has the class "+s.Class+", which cannot be changed: start Daymark with --load-balancer-class="+s.Class)
		case !outcome.Keeps:
			texts = append(texts, name(s)+" would not keep its addresses: "+outcome.Message)
		case !outcome.Announced && outcome.Reason != announce.ReasonNoEndpoint.Name:
			texts = append(texts, name(s)+" would not be announced: "+outcome.Reason+": "+outcome.Message)
		}
	}
	return joined(texts)
}

// uninstall is the last step, which is left to who installed MetalLB.
func (p *Plan) uninstall() Step {
	step := Step{Name: Uninstall, State: Ready, Message: "stop MetalLB's controller and wait until it is gone, then uninstall MetalLB, then start Daymark without " +
		"--serve-classless=false: https://github.com/daymark-lb/daymark/blob/main/docs/changing-over.md#at-the-end"}
	switch {
	case p.metallb.absent || p.nothing():
		step.State, step.Message = Done, ""
	case slices.ContainsFunc(p.Steps, func(s Step) bool { return s.State != Done }):
		step.State, step.Message = Later, "MetalLB is needed until all have changed over"
	}
	return step
}
