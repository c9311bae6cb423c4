package main

import (
	"fmt"
	"time"

	"github.com/daymark-lb/daymark/e2e/load"
)

// measureRestart has all real speakers restart at once: what the API server spends on each that reads the cluster anew, beside what it
// spends at rest, and what is written.
func (c *cluster) measureRestart() {
	const rest, after = 10 * time.Second, 5 * time.Second
	writesBefore := c.settle()
	idle := c.apiServerSpends(func() { time.Sleep(rest) })
	var took time.Duration
	busy := c.apiServerSpends(func() {
		began := time.Now()
		for _, node := range c.Nodes() {
			node.Speaker().Stop()
		}
		for _, node := range c.Nodes() {
			node.Speaker().Start()
		}
		c.awaitWhole()
		load.AwaitRoutes(c.T(), c.Cluster, len(c.addresses()))
		time.Sleep(after) // what follows is written
		took = time.Since(began)
	})
	speakers := float64(c.settings.speakers)
	c.note("restart-api", float64(busy-time.Duration(float64(idle)*took.Seconds()/rest.Seconds()))/float64(time.Millisecond)/speakers)
	by, sum := c.settle().since(writesBefore)
	fmt.Printf("    written: %v\n", by)
	c.note("restart-writes", float64(sum)/speakers)
}

// apiServerSpends is the processor time that the API server takes while something is done.
func (c *cluster) apiServerSpends(do func()) time.Duration {
	cpu := func() time.Duration {
		spent, err := c.APIServer().CPU()
		if err != nil {
			c.T().Fatalf("%v", err)
		}
		return spent
	}
	before := cpu()
	do()
	return cpu() - before
}
