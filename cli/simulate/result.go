package simulate

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/output"
	"github.com/daymark-lb/daymark/cli/view"
	"github.com/daymark-lb/daymark/internal/core/forecast"
	"github.com/daymark-lb/daymark/internal/core/shares"
)

// Result is what a change would do.
type Result struct {
	// Services that it has an effect on, in order of namespace and name.
	Services []forecast.Change `json:"services"`
	// Unchanged is how many others there are.
	Unchanged int `json:"unchanged"`
	// PeersWithoutSession are the BGPPeers to which no node has a session any more, since all nodes that had one are stopped.
	PeersWithoutSession []string `json:"peersWithoutSession,omitempty"`
	// Assumed is what the answer rests on, in words.
	Assumed []string `json:"assumed"`
	// Ignored are objects of the files that nothing depends on.
	Ignored []string `json:"ignored,omitempty"`
}

func newResult(v *view.Cluster, before, after *forecast.Outcome, assumed ...string) *Result {
	r := &Result{Services: []forecast.Change{}, PeersWithoutSession: forecast.PeersWithoutSession(before, after), Assumed: assumed}
	changes, unchanged := forecast.Compare(before, after)
	r.Services, r.Unchanged = append(r.Services, changes...), unchanged
	if n := max(before.Unknown(), after.Unknown()); n > 0 {
		r.Assumed = append(r.Assumed, fmt.Sprintf("no report names who holds %s by layer 2, since a Speaker object has room for 128: nothing is said of who holds them then",
			output.Count(n, "more address")))
	}
	if doubts := before.Doubts(); len(doubts) > 0 {
		r.Assumed = append(r.Assumed, fmt.Sprintf("the network stays as it is: MembershipKnown of %s says that not all other speakers are seen, or not in every way", few(doubts)))
	}
	if !v.Settings.Known {
		r.Assumed = append(r.Assumed, "the programs run with their default flags: the controller's Deployment is not seen")
	}
	return r
}

// bad reports whether clients notice the change for longer than a fail-over takes.
func (r *Result) bad() bool {
	return slices.ContainsFunc(r.Services, func(c forecast.Change) bool { return c.Effects[0].Effect.Bad() })
}

func (o *options) print(r *Result) error {
	result := output.Result{Kind: "Simulation", Value: r, Text: func(s *output.Screen) { o.text(s, r) }}
	if o.lines {
		result.Text = func(s *output.Screen) { o.short(s, r) }
	}
	for i := range r.Services {
		result.Names = append(result.Names, "service/"+r.Services[i].Name)
	}
	if err := o.Print(o.Out, result); err != nil {
		return err
	}
	if r.bad() {
		return env.ErrWrong
	}
	return nil
}

// quiet are effects that change nothing for a client of the address. They are listed when more is asked for.
func quiet(e *forecast.Effect) bool {
	return e.Effect == forecast.Health || e.Effect == forecast.Routes || e.Effect == forecast.Attributes
}

func (o *options) text(s *output.Screen, r *Result) {
	t, hidden := output.NewTable("Namespace", "Service", "Effect", "Address", "From", "To", "Message"), 0
	counts := map[forecast.Kind]int{}
	for i := range r.Services {
		change, loud := &r.Services[i], false
		counts[change.Effects[0].Effect]++
		for j := range change.Effects {
			e := &change.Effects[j]
			if quiet(e) && !s.Wide {
				continue
			}
			loud = true
			output.AddRow(t, change.Namespace, change.Name, string(e.Effect), output.OrNone(e.Address), few(e.From), few(e.To), message(e))
		}
		if !loud {
			hidden++
		}
	}
	if len(t.Rows) > 0 {
		_ = s.Table(t, o.NoHeaders) // as Printf, it has nobody to tell
		s.Printf("\n")
	}
	s.Printf("%s\n", summary(counts, r.Unchanged))
	if hidden > 0 {
		s.Printf("Not listed: %s with other routes or health checks, and announced all the same (-o wide)\n", output.Count(hidden, "Service"))
	}
	if len(r.PeersWithoutSession) > 0 {
		s.Printf("%s\n", withoutSession(r))
	}
	if len(r.Ignored) > 0 {
		s.Printf("Ignored, since nothing depends on them: %s\n", few(r.Ignored))
	}
	s.Printf("Assumed:\n")
	for _, text := range r.Assumed {
		s.Printf("  - %s\n", text)
	}
}

// short is a line for each Service; what it rests on are remarks.
func (o *options) short(s *output.Screen, r *Result) {
	for i := range r.Services {
		s.Printf("%s\n", line(&r.Services[i]))
	}
	if len(r.PeersWithoutSession) > 0 {
		o.Warn("%s", withoutSession(r))
	}
	if len(r.Ignored) > 0 {
		o.Warn("ignored: %s", few(r.Ignored))
	}
	o.Warn("assumed: %s", strings.Join(r.Assumed, "; "))
}

// withoutSession says which peers nobody tells anything any more.
func withoutSession(r *Result) string {
	return "No node has a session any more with " + few(r.PeersWithoutSession) + ", since all that had one are stopped"
}

// summary counts Services by the worst effect on each.
func summary(counts map[forecast.Kind]int, unchanged int) string {
	var texts []string
	for _, kind := range forecast.Kinds() {
		if counts[kind] > 0 {
			texts = append(texts, fmt.Sprintf("%s %d", strings.ToLower(string(kind)), counts[kind]))
		}
	}
	return "Services: " + strings.Join(append(texts, fmt.Sprintf("unchanged %d", unchanged)), ", ")
}

// few names of many.
func few(names []string) string {
	const most = 3
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ","), len(names)-most)
	}
	return output.OrNone(strings.Join(names, ","))
}

func message(e *forecast.Effect) string {
	var texts []string
	if e.AfterSeconds > 0 {
		texts = append(texts, "after "+duration.HumanDuration(time.Duration(e.AfterSeconds)*time.Second))
	}
	if e.Later {
		texts = append(texts, "later, to even out")
	}
	if e.Shares > 0 {
		texts = append(texts, fmt.Sprintf("%d of the %d shares of its clients", e.Shares, shares.Count))
	}
	if e.Stay > 0 {
		texts = append(texts, fmt.Sprintf("%s as before", output.Count(e.Stay, "other node")))
	}
	if e.Message != "" {
		texts = append(texts, e.Message)
	}
	return strings.Join(texts, "; ")
}
