package router

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/daymark-lb/daymark/e2e/lab/check"
)

// Downs are how often the router's sessions with nodes have gone down, by its own account, since it was started with BFD.
type Downs struct{ BFD, BGP int }

// Downs asks FRR for its counters, and counts in what BIRD has written. No other router can tell.
func (r *Router) Downs() (Downs, error) {
	switch d := r.daemon.(type) {
	case frr:
		return d.downs()
	case bird:
		log := d.Output()
		return Downs{strings.Count(log, " changed state from Up to Down"), strings.Count(log, "BGP session closed")}, nil
	}
	return Downs{}, fmt.Errorf("count downs: the router is %s", r.Kind)
}

func (f frr) downs() (downs Downs, err error) {
	ctx, cancel := check.Context()
	defer cancel()
	var peers []struct {
		Downs int `json:"session-down"`
	}
	if err := f.show(ctx, "bfd peers counters", &peers); err != nil {
		return downs, err
	}
	for _, peer := range peers {
		downs.BFD += peer.Downs
	}
	var neighbors map[string]json.RawMessage
	if err := f.show(ctx, "bgp neighbors", &neighbors); err != nil {
		return downs, err
	}
	for _, raw := range neighbors {
		var neighbor struct {
			Dropped int `json:"connectionsDropped"`
		}
		if err := json.Unmarshal(raw, &neighbor); err != nil {
			continue // It is a member beside the neighbors, not one of them.
		}
		downs.BGP += neighbor.Dropped
	}
	return downs, nil
}
