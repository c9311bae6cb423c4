package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/e2e/lab/attempt"
	"github.com/daymark-lb/daymark/e2e/lab/sandbox"
)

// cluster is a lab of one size, while it is measured.
type cluster struct {
	*lab.Cluster
	settings settings
	size     size
	figures  map[string]float64
	// nodes are the names of all nodes, the lab's own first; racks are the processes that play the speakers of the others.
	nodes []string
	racks []*rack
}

// part is something that is measured, of a cluster that has all its Services unless it is the first.
type part struct {
	name    string
	measure func(*cluster)
}

// parts in the order in which they are measured. Each leaves the cluster as the next may have it.
var parts = []part{
	{"storm", (*cluster).measureStorm},
	{"steady", (*cluster).measureSteady},
	{"restart", (*cluster).measureRestart},
	{"crash", (*cluster).measureCrash},
	{"gossip", (*cluster).measureGossip},
}

func partNames() (names []string) {
	for _, p := range parts {
		names = append(names, p.name)
	}
	return names
}

// measureInside measures every size, in the namespaces. What fails is said, and the next size is tried. An interrupt ends it at once, with
// the results of the sizes before.
func measureInside(s settings) (int, error) {
	if err := lab.SetUp(); err != nil {
		return 1, err
	}
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		<-interrupted
		sandbox.Exit(1, errors.New("interrupted"))
	}()
	var wrong []string
	for _, each := range s.sizes {
		began := time.Now()
		fmt.Printf("scale: %s\n", each)
		row, failures := measureSize(s, each)
		wrong = append(wrong, failures...)
		if err := errors.Join(addResult(s.results, row), publish(s)); err != nil {
			return 1, err
		}
		fmt.Printf("scale: %s measured in %s\n", each, time.Since(began).Round(time.Second))
	}
	if len(wrong) > 0 {
		return 1, errors.New(strings.Join(wrong, "\n"))
	}
	return 0, nil
}

// measureSize brings up a cluster and measures it. The row has what was measured before something failed.
func measureSize(s settings, of size) (row result, wrong []string) {
	a := &attempt.Attempt{Out: os.Stdout}
	row = result{Services: of.services, Nodes: of.nodes, Speakers: s.speakers, At: time.Now().UTC().Format("2006-01-02"), Figures: map[string]float64{}}
	a.Do(func() {
		c := &cluster{Cluster: lab.New(a, lab.Nodes(s.speakers)), settings: s, size: of, figures: row.Figures}
		c.bringUp()
		for _, p := range parts {
			if len(s.measure) > 0 && !s.measure[p.name] && p.name != parts[0].name {
				continue
			}
			began := time.Now()
			p.measure(c)
			fmt.Printf("    %s took %s\n", p.name, time.Since(began).Round(time.Second))
		}
	})
	row.Load = loadAverage()
	a.End()
	for _, w := range a.Wrong {
		fmt.Println("    " + w)
	}
	return row, a.Wrong
}

// note keeps a figure, and says it.
func (c *cluster) note(key string, value float64) {
	c.figures[key] = value
	f := figureOf(key)
	fmt.Printf("    %s: %s %s\n", f.what, f.text(value), f.unit)
}

// bringUp has a cluster with all nodes, and Daymark in it but not yet running. The service proxies are stopped: what they do with so many
// Services would keep the machine busy, and is not measured.
func (c *cluster) bringUp() {
	c.InstallDaymark()
	for _, node := range c.Nodes() {
		node.Proxy().Stop()
	}
	c.Apply(network)
	c.makeNodes()
}

// start starts Daymark and waits until it is whole: the replica waits, the speakers know of each other, and the router hears all.
func (c *cluster) start() {
	c.StartDaymark()
	key := c.gossipKey() // which the leader makes
	c.Replica()
	c.startRacks(key)
	c.awaitWhole()
}

// awaitWhole waits until the speakers know of each other, and the router hears those with a host.
func (c *cluster) awaitWhole() {
	lab.Eventually(c.T(), 4*time.Minute, "the speakers know of each other", func() error {
		for _, node := range c.Nodes() {
			alive, err := node.Speaker().Metric(speakerMetrics, "daymark_gossip_members_alive")
			if err == nil && int(alive) != c.size.nodes {
				err = fmt.Errorf("%s knows of %v", node.Name, alive)
			}
			if err != nil {
				time.Sleep(200 * time.Millisecond) // to ask all the time would keep a core busy
				return err
			}
		}
		return nil
	})
	lab.Eventually(c.T(), time.Minute, "the router hears all speakers", func() error {
		for name, state := range c.Router().Sessions() {
			if state != "Established" {
				return fmt.Errorf("the session with %s is %s", name, state)
			}
		}
		return nil
	})
}
