package main

import (
	"fmt"
	"strings"
)

// figure is something that is measured of a cluster.
type figure struct {
	key  string
	what string // in words, for the table
	unit string
	line string // its name in a picture
}

// figures in the order of the table.
var figures = []figure{
	{"bare", "all Services created at once: what the bare API server takes to create as many", "s", "bare API server"},
	{"created", "until all are created, with Daymark", "s", "created"},
	{"addressed", "until all have addresses", "s", "addressed"},
	{"routed", "until all are routed to all nodes", "s", "routed"},
	{"storm-controller", "processor time of the controller for all that", "s", "controller"},
	{"storm-speaker", "processor time of a speaker", "s", "speaker"},
	{"storm-writes", "writes for each Service", "", "writes"},
	{"memory-controller", "memory of the controller when all is quiet", "MB", "controller"},
	{"memory-replica", "memory of its replica", "MB", "replica"},
	{"memory-speaker", "memory of a speaker", "MB", "speaker"},
	{"rest-controller", "at rest, share of one processor: the controller", "%", "controller, at rest"},
	{"rest-speaker", "a speaker", "%", "speaker, at rest"},
	{"new-addressed", "one new Service, median of 9: until it has its address", "ms", "addressed"},
	{"new-addressed-most", "the slowest of them", "ms", "addressed, slowest"},
	{"new-routed", "until it is routed to all nodes", "ms", "routed"},
	{"new-routed-most", "the slowest of them", "ms", "routed, slowest"},
	{"new-writes", "writes for it", "", "new Service"},
	{"changes", "endpoints that change in a second", "", "changes"},
	{"changing-controller", "meanwhile, share of one processor: the controller", "%", "controller, 50 changes/s"},
	{"changing-speaker", "a speaker", "%", "speaker, 50 changes/s"},
	{"restart-api", "all real speakers restart at once: processor time of the API server for each", "ms", "API server, each restart"},
	{"restart-writes", "writes of each", "", "restart"},
	{"crash-held", "a node crashes: addresses that it held by layer 2", "", "held"},
	{"crash-answered", "until another node answers for them, median", "ms", "answered, median"},
	{"crash-answered-most", "the last of them", "ms", "answered, last"},
	{"crash-announced", "until another node has announced them unasked, median", "ms", "announced, median"},
	{"crash-announced-most", "the last of them", "ms", "announced, last"},
	{"crash-writes", "writes for it, by the real programs", "", "crash"},
	{"return-writes", "it returns after that: writes", "", "return"},
	{"gossip-sent", "gossip that a node sends at rest", "kB/s", "sent"},
	{"gossip-received", "gossip that it receives", "kB/s", "received"},
	{"rack-sent", "up to 40 nodes fail at once: gossip that a node sends in the 20 s after", "kB/s", "sent, 40 fail"},
	{"rack-received", "gossip that it receives", "kB/s", "received, 40 fail"},
	{"rack-writes", "writes for it, by the real programs", "", "40 nodes fail"},
}

// figureOf is the figure of a key. A key that is none is a mistake of this program.
func figureOf(key string) figure {
	for _, f := range figures {
		if f.key == key {
			return f
		}
	}
	panic("there is no figure " + key)
}

// text is a value with three digits, or all of a large one.
func (f figure) text(value float64) string {
	switch {
	case value >= 100 || value == float64(int64(value)):
		return fmt.Sprintf("%.0f", value)
	case value >= 10:
		return fmt.Sprintf("%.1f", value)
	default:
		return strings.TrimSuffix(fmt.Sprintf("%.2f", value), ".00")
	}
}

// drawn is a picture of figures against the number of Services or of nodes.
type drawn struct {
	file, title, unit string
	againstNodes      bool
	keys              []string
}

// pictures in the order of the page.
var pictures = []drawn{
	{"services-at-once", "Services created at once", "seconds", false, []string{"bare", "created", "addressed", "routed"}},
	{"services-new", "One new Service among them, median of 9", "milliseconds", false, []string{"new-addressed", "new-routed"}},
	{"services-processor", "Share of one processor", "%", false, []string{"changing-controller", "changing-speaker", "rest-controller", "rest-speaker"}},
	{"services-memory", "Memory", "MB", false, []string{"memory-controller", "memory-replica", "memory-speaker"}},
	{"services-restart", "A speaker that restarts reads the cluster anew", "ms of the API server's processor", false, []string{"restart-api"}},
	{"services-crash", "A node of three crashes: its addresses by layer 2", "milliseconds", false, []string{"crash-answered", "crash-answered-most", "crash-announced-most"}},
	{"services-writes", "Writes to the API server", "requests", false, []string{"new-writes", "crash-writes", "return-writes"}},
	{"nodes-new", "One new Service, median of 9", "milliseconds", true, []string{"new-addressed", "new-routed"}},
	{"nodes-processor", "Share of one processor", "%", true, []string{"changing-controller", "changing-speaker", "rest-controller", "rest-speaker"}},
	{"nodes-memory", "Memory", "MB", true, []string{"memory-controller", "memory-replica", "memory-speaker"}},
	{"nodes-crash", "A node crashes: its addresses by layer 2", "milliseconds", true, []string{"crash-answered", "crash-answered-most", "crash-announced-most"}},
	{"nodes-writes", "Writes to the API server by the real programs", "requests", true, []string{"new-writes", "crash-writes", "return-writes", "rack-writes"}},
	{"nodes-gossip", "Gossip of a node at rest", "kB/s", true, []string{"gossip-sent", "gossip-received"}},
}
