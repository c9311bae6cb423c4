package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/e2e/lab/probe"
)

func TestDisturb_WhatIsPlannedMayCostNothing(t *testing.T) {
	some := errors.New("reset")
	served, refused, broken := probe.Attempt{}, probe.Attempt{Err: some}, probe.Attempt{Err: some, Opened: true}
	report := func(attempts ...probe.Attempt) probe.Report { return probe.Report{Attempts: attempts} }
	planned := disturbance{what: "a roll-out", planned: true}
	for _, test := range []struct {
		name string
		of   disturbance
		seen cost
		says string
	}{
		{"nothing is lost", planned, cost{byBGP: report(served), byARP: report(served)}, ""},
		{"a new connection by BGP", planned, cost{byBGP: report(served, refused)}, "by BGP 1 new connections failed"},
		{"a new connection by layer 2", planned, cost{byARP: report(served, refused, refused)}, "by layer 2 2 new connections failed"},
		{"one that was just open by layer 2", planned, cost{byARP: report(broken)}, "by layer 2 1 open connections broke"},
		{"one that was held by layer 2", planned, cost{brokenByARP: []error{some, some}}, "by layer 2 2 open connections broke"},
		{"open ones by BGP, of which a few may break", planned, cost{byBGP: report(broken), brokenByBGP: []error{some}}, ""},
		{"all of these, by a crash", disturbance{what: "kill -9"}, cost{byBGP: report(refused), byARP: report(refused), brokenByARP: []error{some}}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := test.seen.wrong(test.of)
			if (err != nil) != (test.says != "") || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("it says %v, want %q", err, test.says)
			}
		})
	}
}
