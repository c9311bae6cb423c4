package forecast

import (
	"net/netip"
	"time"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/status"
)

// maxPasses bounds the passes of the controller. Few are needed: an address changes hands in two, and most waits end at once.
const maxPasses = 50

// release of an address by a Service: why, in words, and how long after the change.
type release struct {
	why   string
	after time.Duration
}

// settleAddresses lets the controller decide and write until nothing changes any more. Waits that end by themselves, as that for a pool
// that is gone, have ended then.
func (o *Outcome) settleAddresses() {
	o.releases = map[lb.Key]map[netip.Addr]release{}
	world := o.objects.AnnounceWorld(o.settings.Classes, o.settings.Options)
	explainer := announce.NewExplainer(&world)
	for range maxPasses {
		plan := ipam.Compute(o.objects.AddressWorld(o.now, o.settings.Classes, o.settings.PoolGrace, o.memory))
		o.memory = plan.Memory
		switch changed := o.write(&plan, explainer); {
		case changed:
		case plan.Next.After(o.now):
			o.now = plan.Next
		default:
			return
		}
	}
}

// write what a plan says into the Services, and report whether any address has changed.
func (o *Outcome) write(plan *ipam.Plan, explainer *announce.Explainer) (changed bool) {
	place := make(map[lb.Key]int, len(o.objects.Services))
	for i, s := range o.objects.Services {
		place[s.Key] = i
	}
	put := func(s *lb.Service, want status.Service) {
		if has := o.written[s.Key]; want.SameAddresses(&has) {
			return
		}
		o.objects.Services[place[s.Key]], o.written[s.Key], changed = want.In(s), want, true
	}
	for i := range plan.Assignments {
		a := &plan.Assignments[i]
		observed := status.Observed{Service: a.Service, Written: o.written[a.Service.Key]}
		settings := status.Settings{Classes: o.settings.Classes, Finalizer: a.Service.Provenance.Finalizer}
		o.noteReleases(a)
		put(a.Service, observed.Desired(a, settings, explainer, o.now))
	}
	for i := range plan.Cleanups {
		c := &plan.Cleanups[i]
		observed := status.Observed{Service: c.Service, Written: o.written[c.Service.Key]}
		put(c.Service, observed.CleanedUp(c, o.now))
	}
	return changed
}

func (o *Outcome) noteReleases(a *ipam.Assignment) {
	for i := range a.Released {
		r := &a.Released[i]
		if o.releases[a.Service.Key] == nil {
			o.releases[a.Service.Key] = map[netip.Addr]release{}
		}
		if _, known := o.releases[a.Service.Key][r.Addr]; !known {
			o.releases[a.Service.Key][r.Addr] = release{r.String(), o.now.Sub(o.started)}
		}
	}
}
