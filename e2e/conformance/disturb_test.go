package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/daymark-lb/daymark/e2e/lab/probe"
)

func TestDisturb_WhatIsPlannedMayCostNothing(t *testing.T) {
	some := errors.New("reset")
	served, refused, broken := probe.Attempt{}, probe.Attempt{Err: some}, probe.Attempt{Err: some, Opened: true}
	report := func(attempts ...probe.Attempt) probe.Report { return probe.Report{Attempts: attempts} }
	planned, reboot := disturbance{what: "a roll-out"}, disturbance{what: "a reboot", kind: orderly}
	began := time.Now()
	at := func(after time.Duration, err error) probe.Attempt {
		return probe.Attempt{Began: began.Add(after), Err: err}
	}
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
		{"a moment, by a reboot", reboot, cost{byARP: report(at(0, some), at(900*time.Millisecond, some)), brokenByARP: []error{some}}, ""},
		{
			"longer, by a reboot, though others are served", reboot,
			cost{byBGP: report(at(0, some), at(500*time.Millisecond, nil), at(1100*time.Millisecond, some))},
			"by BGP new connections failed for 1.11s, and may for 1s",
		},
		{"all of these, by a crash", disturbance{what: "kill -9", kind: crash}, cost{byBGP: report(refused), byARP: report(refused), brokenByARP: []error{some}}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := test.seen.wrong(test.of)
			if (err != nil) != (test.says != "") || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("it says %v, want %q", err, test.says)
			}
		})
	}
}
