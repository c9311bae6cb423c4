package main

import (
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/daymark-lb/daymark/internal/core/detector"
	"github.com/daymark-lb/daymark/speaker/gossip"
)

const (
	// rackCommand is the argument with which this program plays speakers, and rackKeyEnv has the key of their gossip.
	rackCommand = "rack"
	rackKeyEnv  = "DAYMARK_SCALE_KEY"
	// fastNodes is the largest cluster in which all simulated speakers ping as fast as real ones. A thousand would take some processors.
	fastNodes = 100
)

// runRack plays the speakers of some nodes, by the gossip of real ones, until it is ended.
func runRack(arguments []string) (int, error) {
	flags := flag.NewFlagSet(rackCommand, flag.ContinueOnError)
	first := flags.Int("first", 0, "number of the first node")
	count := flags.Int("count", 0, "how many nodes")
	of := flags.Int("of", 0, "how many nodes the cluster has")
	real := flags.Int("real", 0, "how many of them, the first ones, have a real speaker")
	if err := flags.Parse(arguments); err != nil {
		return 2, err
	}
	key, err := hex.DecodeString(os.Getenv(rackKeyEnv))
	if err != nil || len(key) == 0 {
		return 2, errors.New(rackKeyEnv + " must be the key of the gossip in hexadecimal digits")
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	timings := rackTimings(*of, *real)
	var running sync.WaitGroup
	for i := *first; i < *first+*count; i++ {
		member := newMember(i, *of, *real, key, timings[i])
		running.Go(func() {
			if err := member.Start(ctx); err != nil {
				fmt.Fprintf(os.Stderr, "%s: %v\n", nodeName(i, *real), err)
			}
		})
		time.Sleep(10 * time.Millisecond) // who joins asks the first one for all it knows
	}
	running.Wait()
	return 0, nil
}

// newMember is the gossip of a node's speaker that knows where all nodes are, and looks for the real speakers and the first of the others:
// who meets one meets all.
func newMember(i, of, real int, key []byte, timing gossip.Timing) *gossip.Membership {
	m := gossip.New(gossip.Config{
		Node: nodeName(i, real), Bind: gossipAddress(i, real), Keys: [][]byte{key}, Timing: timing,
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	var nodes []netip.Addr
	expected := map[string]gossip.ExpectedPeer{}
	for other := 1; other <= of; other++ {
		nodes = append(nodes, nodeAddress(other, real))
		if other <= real+1 && other != i {
			expected[nodeName(other, real)] = gossip.ExpectedPeer{Address: gossipAddress(other, real)}
		}
	}
	m.SetNodes(nodes)
	m.Set(expected)
	m.BroadcastState(gossip.State{Known: true, DrainingTold: true})
	return m
}

// rackTimings are how fast the speakers of all nodes gossip. In a large cluster only those are as fast as the real ones that observe one of
// these, which is what decides how soon a crash of a real node is found; the others ping once a second.
func rackTimings(of, real int) map[int]gossip.Timing {
	fast, _ := gossip.Preset(gossip.Fast, true)
	slow, _ := gossip.Preset("lan", true)
	slow.HeartbeatInterval, slow.RetryInterval = time.Second, 800*time.Millisecond
	observes := map[string]bool{}
	if of > fastNodes {
		observes = observersOfReal(of, real)
	}
	timings := map[int]gossip.Timing{}
	for i := real + 1; i <= of; i++ {
		timings[i] = fast
		if of > fastNodes && !observes[nodeName(i, real)] {
			timings[i] = slow
		}
	}
	return timings
}

// observersOfReal are the nodes whose speakers observe a real one.
func observersOfReal(of, real int) map[string]bool {
	var names []string
	isReal := map[string]bool{}
	for i := 1; i <= of; i++ {
		names = append(names, nodeName(i, real))
		isReal[nodeName(i, real)] = i <= real
	}
	observers := map[string]bool{}
	for observer, observed := range detector.Observations(names) {
		for _, name := range observed {
			if isReal[name] {
				observers[observer] = true
			}
		}
	}
	return observers
}
