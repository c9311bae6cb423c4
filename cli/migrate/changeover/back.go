package changeover

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// back hands a Service, and those that share its addresses, to MetalLB.
func (o *options) back(ctx context.Context, argument string) error {
	name, err := o.service(argument)
	if err != nil {
		return err
	}
	p, err := o.read(ctx)
	if err != nil {
		return err
	}
	step := p.step(name)
	if step == nil {
		return fmt.Errorf("%s %w", name, errUnknown)
	}
	if !slices.ContainsFunc(step.services, (*service).handed) {
		o.Warn("%s is MetalLB's", name)
		return nil
	}
	message := "goes back to MetalLB"
	if slices.ContainsFunc(step.services, sharing) {
		message += ". It may share addresses: MetalLB after 0.16.1 does not announce such a Service by layer 2 while its advertisements have serviceSelectors"
	}
	last, otherwise := marks(step, metallb), "It can be Daymark's again: kubectl daymark migrate next "+name
	var first []patch
	switch layer2, byBGP := p.protocolsOf(step); {
	case byBGP && !layer2 && !slices.ContainsFunc(step.services, func(s *service) bool { return !s.annotated() }):
		first = marks(step, v1beta1.ProviderDaymark)
	case byBGP:
		message += ". It is announced by layer 2 as well, or was handed over in part: Daymark withdraws its routes before MetalLB announces any, " +
			"and routers may be without one meanwhile"
	}
	if err := o.propose(step, message, append(slices.Clone(first), last...)); err != nil {
		return err
	}
	if len(first) > 0 {
		if err := o.announceBeside(ctx, step, first, otherwise); err != nil {
			return err
		}
	}
	if err := o.apply(ctx, last); err != nil {
		return err
	}
	return o.verify(ctx, step, (*Plan).leftovers, otherwise)
}

// marks of Services without the label, with the annotation.
func marks(step *Step, annotation string) (patches []patch) {
	for _, s := range step.services {
		patches = append(patches, mark(s, nil, annotation))
	}
	return patches
}

// overlap is how long both announce a Service by BGP when it goes back: MetalLB reports what it is to announce at once, but its frr-k8s
// gathers changes for 3 s before routers hear of them.
const overlap = 5 * time.Second

// protocolsOf a step are those by which MetalLB is to announce any of its Services. By layer 2 two that announce would be a conflict.
func (p *Plan) protocolsOf(step *Step) (layer2, byBGP bool) {
	for _, s := range step.services {
		for _, by := range p.protocols(s) {
			layer2, byBGP = layer2 || by.kind == l2Statuses.Kind, byBGP || by.kind == bgpStatuses.Kind
		}
	}
	return layer2, byBGP
}

// announceBeside has MetalLB announce Services while Daymark still does, so that routers are never without a route.
func (o *options) announceBeside(ctx context.Context, step *Step, patches []patch, otherwise string) error {
	if err := o.apply(ctx, patches); err != nil {
		return err
	}
	_, err := o.await(ctx, step, (*Plan).unannounced, goBack(step)+" goes on. "+otherwise)
	if err == nil {
		o.Warn("MetalLB is to announce %s beside Daymark, which goes on for %v", step.Name, o.overlap)
		select {
		case <-ctx.Done():
			err = ctx.Err()
		case <-time.After(o.overlap):
		}
	}
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%s is announced by Daymark, and MetalLB is to announce it beside: %s finishes it: %w", step.Name, goBack(step), err)
	}
	return err
}

// leftovers say what is missing until MetalLB alone serves the Services of a step; empty: nothing.
func (p *Plan) leftovers(step *Step) string {
	for _, name := range step.Services {
		s := p.service(name)
		serving := p.cluster.Serving(s.Service, s.raw)
		switch {
		case s.handed() || serving.Ours || s.Managed || len(s.Provenance.Allocations) > 0:
			return "Daymark has not left " + name + " yet"
		case len(serving.Holders) > 0:
			return "Daymark's speaker on " + strings.Join(serving.Holders, ", ") + " still announces " + name
		}
	}
	return p.unannounced(step)
}

// unannounced says which Service of a step MetalLB does not announce as its advertisements say; empty: none.
func (p *Plan) unannounced(step *Step) string {
	for _, name := range step.Services {
		s := p.service(name)
		for _, by := range p.protocols(s) {
			if by.seen && len(by.nodes[s.Key]) == 0 {
				return fmt.Sprintf("MetalLB does not announce %s by %s yet: no %s names it", name, by.name, by.kind)
			}
		}
	}
	return ""
}

// protocol by which MetalLB is to announce a Service.
type protocol struct {
	name, kind string
	reports
}

// protocols by which MetalLB's advertisements are to announce a Service; none if it has no endpoint.
func (p *Plan) protocols(s *service) (all []protocol) {
	serving := slices.ContainsFunc(s.Ingress, func(addr netip.Addr) bool {
		return p.cluster.Parsed.Endpoints[s.Key].AnyServing(lb.FamilyOf(addr))
	})
	by := func(kind string) bool {
		return serving && slices.ContainsFunc(p.advertisements, func(a advertisement) bool {
			return a.object.GetKind() == kind && p.metallb.advertises(&a, s)
		})
	}
	if by(l2Advertisements.Kind) {
		all = append(all, protocol{"layer 2", l2Statuses.Kind, p.metallb.layer2})
	}
	if by(bgpAdvertisements.Kind) {
		all = append(all, protocol{"BGP", bgpStatuses.Kind, p.metallb.bgp})
	}
	return all
}

// unproven says what could not be verified of a Service that went back, and where to look.
func (p *Plan) unproven(s *service) (remarks []string) {
	addresses, protocols := strings.Join(lb.Strings(s.Ingress), ", "), p.protocols(s)
	for _, by := range protocols {
		switch {
		case !by.seen:
			remarks = append(remarks, fmt.Sprintf("not seen: whether MetalLB announces %s by %s, since no %s can be read. Look whether %s answers",
				name(s), by.name, by.kind, addresses))
		case by.kind == bgpStatuses.Kind:
			remarks = append(remarks, fmt.Sprintf("not seen: whether routers have MetalLB's routes for %s, since it reports no more than to whom it is to "+
				"announce them. Look there for %s, and at metallb_bgp_session_up", name(s), addresses))
		}
	}
	if len(protocols) == 0 {
		remarks = append(remarks, fmt.Sprintf("MetalLB announces %s to nobody: it has no endpoint, or no advertisement of MetalLB selects it", name(s)))
	}
	return remarks
}
