package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/e2e/lab/attempt"
)

// soak is a run.
type soak struct {
	settings
	*lab.Cluster // for what stays all the time
	base         *attempt.Attempt
	options      []lab.Option
	pod          *lab.Pod
	observer     *observer
	given        map[string]netip.Addr // the address of each Service
	began        time.Time
	outcomes     []outcome
	ended        []string // programs that have ended by themselves since the step before
	first, last  usage
}

// soakInside is the run, in the namespaces. It ends early when it is interrupted, with the report of what there was.
func soakInside(of settings) (int, error) {
	if err := lab.SetUp(); err != nil {
		return 1, err
	}
	s := &soak{settings: of, base: &attempt.Attempt{Out: os.Stdout}, began: time.Now()}
	fmt.Printf("soak: seed %d, %s\n", of.seed, of.lasts)
	s.base.Do(s.bringUp)
	if s.base.Failed() {
		s.base.End()
		return 1, errors.New(strings.Join(s.base.Wrong, "\n"))
	}
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, syscall.SIGINT, syscall.SIGTERM)
	s.first = s.measure()
	steps := newSchedule(of.seed, of.only)
	for end := s.began.Add(of.lasts); time.Now().Before(end) && len(interrupted) == 0; {
		o := s.step(steps.next())
		s.outcomes = append(s.outcomes, o)
		fmt.Println(o)
		if !s.quietAgain(&s.outcomes[len(s.outcomes)-1]) {
			break // nothing that follows would say anything
		}
	}
	s.last = s.measure()
	return s.finish()
}

// finish writes the report.
func (s *soak) finish() (int, error) {
	err := s.observer.end()
	report, wrong := s.report()
	fmt.Print("\n", report)
	if s.settings.report != "" {
		err = errors.Join(err, os.WriteFile(s.settings.report, []byte(report), 0o600))
	}
	s.base.End()
	if wrong > 0 {
		return 1, errors.Join(err, fmt.Errorf("%d steps of %d were not as promised", wrong, len(s.outcomes)))
	}
	return 0, err
}

// bringUp has Daymark run, with all addresses given and announced.
func (s *soak) bringUp() {
	s.Cluster = lab.Shared(s.base, s.options...)
	kind := s.Router().Kind
	if kind == lab.FRR {
		s.Router().Configure(lab.FRR, lab.RouterSettings{BFD: 300 * time.Millisecond})
	}
	observer, err := observe(s.Cluster)
	if err != nil {
		s.base.Fatalf("listen: %v", err)
	}
	s.observer = observer
	s.EnsureDaymark()
	s.UseSpeakerFlags("--l2-rebalance-after=" + evenAfter.String())
	s.Apply(network(kind == lab.FRR))
	s.pod = s.Pod("web", nodes[0])
	manifests, names := services()
	s.Apply(manifests)
	s.given = map[string]netip.Addr{}
	for _, name := range names {
		s.given[name], _ = s.Service(name).AwaitAddress()
	}
	asking := s.ask(s.Cluster)
	defer asking.Stop()
	s.awaitQuiet(s.Cluster, time.Minute)
	fmt.Printf("soak: %d addresses, router %s, service proxy %s, logs in %s; all is quiet after %s\n",
		len(s.given), kind, s.ServiceProxy(), s.Logs(), time.Since(s.began).Round(time.Second))
}

// ask has the client ask for all addresses by layer 2, over and over: the tap sees what is answered.
func (s *soak) ask(c *lab.Cluster) *lab.Watcher {
	return c.Client().Watch(s.byLayer2()...)
}

func (s *soak) byLayer2() (all []netip.Addr) { return s.addresses("near-", "six-") }
func (s *soak) byBGP() []netip.Addr          { return s.addresses("far-") }

func (s *soak) addresses(prefixes ...string) (all []netip.Addr) {
	for name, address := range s.given {
		if slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) }) {
			all = append(all, address)
		}
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return all
}

// awayFrom has the pod run where the fault leaves it: what is to fail is the way to it.
func (s *soak) awayFrom(c *lab.Cluster, st step) {
	keep := others(st.node)[0]
	if st.kind.name == "two-apart" {
		keep = st.node
	}
	if s.pod.Node() == keep {
		return
	}
	s.pod.MoveTo(keep)
	for name, client := range map[string]lab.Client{"near-1": c.Client(), "far-1": c.FarClient()} {
		lab.Eventually(c.T(), quietWithin, "the pod serves where it is now", func() error {
			answer, err := client.Get(page(s.given[name]))
			if err == nil && answer.Node != keep {
				err = fmt.Errorf("it is %s", answer)
			}
			return err
		})
	}
}

func page(address netip.Addr) string { return "http://" + address.String() + "/" }

// step breaks something, waits, mends it, and waits until all is quiet. It is judged by what was on the wire, whether it becomes quiet or not.
func (s *soak) step(st step) (o outcome) {
	o = outcome{step: st, at: time.Now()}
	fmt.Printf("%s %s\n", clock(o.at), st)
	watching, breaking := &attempt.Attempt{Out: os.Stdout}, &attempt.Attempt{Out: os.Stdout}
	watching.Do(func() {
		c := lab.Shared(watching, s.options...)
		s.awayFrom(c, st)
		asking := s.ask(c)
		s.awaitQuiet(c, quietWithin)
		before := s.holders(steady)
		near, far := c.Client().Probe(page(s.given["near-1"])), c.FarClient().Probe(page(s.given["far-1"]))
		s.observer.take()
		s.breakFor(breaking, st)
		mended := time.Now()
		watching.Do(func() { s.awaitQuiet(c, quietWithin) })
		o.endedByThemselves(s.ended)
		s.ended = nil
		o.quietAfter = max(0, time.Since(mended)-steady)
		o.near, o.far = near.Stop().Outage(), far.Stop().Outage()
		after := s.holders(steady)
		asking.Stop()
		o.judge(s.observer.take(), before, after)
	})
	watching.End()
	o.wrong = append(append(o.wrong, breaking.Wrong...), watching.Wrong...)
	return o
}

// breakFor breaks something for as long as the step says, and mends it.
func (s *soak) breakFor(a *attempt.Attempt, st step) {
	fault := lab.Shared(a, s.options...)
	a.Do(func() {
		if st.noAPI {
			stopAPI(fault)
		}
		ends := time.After(st.lasts)
		st.kind.inject(fault, st.node)
		<-ends
	})
	a.End()
}

// quietAgain waits longer, when a step did not become quiet in its time: what follows begins with a cluster that is whole, or not at all.
func (s *soak) quietAgain(o *outcome) bool {
	if len(o.wrong) == 0 {
		return true
	}
	again := &attempt.Attempt{Out: os.Stdout}
	defer again.End()
	again.Do(func() {
		c := lab.Shared(again, s.options...)
		c.StartAPIServer()
		defer s.ask(c).Stop()
		s.awaitQuiet(c, 3*time.Minute)
	})
	o.wrong = append(o.wrong, again.Wrong...)
	return !again.Failed()
}
