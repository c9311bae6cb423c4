package reconcile

import (
	"context"
	"errors"
	"net/netip"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/daymark-lb/daymark/internal/core/ipam"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/status"
)

func at(version string) *cachedService {
	return &cachedService{status.Observed{Service: &lb.Service{Request: &lb.Request{UID: "uid"}}}, version}
}

func TestAssumeCache_Newest(t *testing.T) {
	type step struct {
		name string
		// A write that was decided on one version made another; empty: no write.
		decidedOn, made string
		// cached version, and the one that counts; empty cached: the Service is gone.
		cached, want string
	}
	a := assumeCache{}
	for _, s := range []step{
		{"without a write the cache counts", "", "", "1", "1"},
		{"a write counts while the cache shows what it was decided on", "1", "2", "1", "2"},
		{"so do two in a row", "2", "3", "1", "3"},
		{"when the cache has seen the first only, the second counts", "", "", "2", "3"},
		{"when the cache has seen all, it counts", "", "", "3", "3"},
		{"and whatever others write after that", "", "", "4", "4"},
		{"a change of others that came in between shows ours too", "4", "5", "6", "6"},
		{"what is gone is forgotten", "6", "7", "", ""},
		{"and does not come back", "", "", "6", "6"},
	} {
		t.Run(s.name, func(t *testing.T) {
			if s.made != "" {
				a.assume(s.decidedOn, at(s.made))
			}
			var cached []*cachedService
			if s.cached != "" {
				cached = append(cached, at(s.cached))
			}
			got := ""
			for _, r := range a.newest(cached, nil) {
				got = r.version
			}
			if got != s.want {
				t.Errorf("version %q counts, want %q", got, s.want)
			}
		})
	}
}

func TestAssumeCache_UnknownResultCountsAsMade(t *testing.T) {
	conflict := apierrors.NewConflict(schema.GroupResource{}, "web", errors.New("changed"))
	for _, test := range []struct {
		name   string
		err    error
		counts bool
	}{
		{"a write that was refused did not happen", conflict, false},
		{"nor did one that was forbidden", apierrors.NewForbidden(schema.GroupResource{}, "web", errors.New("no")), false},
		{"one whose answer got lost may have", context.DeadlineExceeded, true},
		{"one that timed out on the server may have", apierrors.NewTimeoutError("too slow", 1), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLoop(Config{})
			before := at("1")
			l.record(result{&serviceWrite{service: before, desired: status.Service{
				Ingress: []corev1.LoadBalancerIngress{{IP: "192.0.2.1"}},
			}}, test.err})
			now := l.assumed.newest([]*cachedService{before}, nil)[0]
			if got := len(now.Ingress) == 1; got != test.counts {
				t.Errorf("the address counts as the Service's: %v", got)
			}
			if len(now.Written.Ingress) != 0 || now.version != "1" {
				t.Errorf("it counts as written: %+v at %s", now.Written, now.version)
			}
		})
	}
}

func TestAssumeCache_WriteUnderWayCountsAsMade(t *testing.T) {
	writing := func(version string) []*serviceWrite {
		return []*serviceWrite{{service: at(version), desired: status.Service{Ingress: []corev1.LoadBalancerIngress{{IP: "192.0.2.1"}}}}}
	}
	for _, test := range []struct {
		name              string
		assumed           bool // a write made version 2 of version 1
		cached, decidedOn string
		counts            bool
	}{
		{"on the version that the cache shows", false, "1", "1", true},
		{"on the result of a write before it, which the cache does not show", true, "1", "2", true},
		{"but not when the cache shows what came after", false, "2", "1", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := assumeCache{}
			if test.assumed {
				a.assume("1", at("2"))
			}
			now := a.newest([]*cachedService{at(test.cached)}, writing(test.decidedOn))[0]
			if got := len(now.Ingress) == 1; got != test.counts || got != now.Uncertain {
				t.Errorf("the address counts as the Service's: %v", got)
			}
			if len(a.newest([]*cachedService{at(test.cached)}, nil)[0].Ingress) != 0 {
				t.Error("the write counts after it has ended")
			}
		})
	}
}

// The write that is made again tells what the first one took: the Service counts as if that had been made.
func TestAssumeCache_WhatALostAnswerTookIsToldLater(t *testing.T) {
	taken := ipam.Release{Addr: netip.MustParseAddr("192.0.2.8"), Cause: ipam.Surplus}
	for _, test := range []struct {
		name string
		err  error
		then string // the address that the next write gives
		told int
	}{
		{"a write whose answer got lost", context.DeadlineExceeded, "192.0.2.1", 1},
		{"the Service has the address again", context.DeadlineExceeded, "192.0.2.8", 0},
		{"a write that was made", nil, "192.0.2.1", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLoop(Config{})
			before := at("1")
			l.record(result{&serviceWrite{service: before, version: "2", released: []ipam.Release{taken}}, test.err})
			now := l.assumed.newest([]*cachedService{before}, nil)[0]
			w := l.serviceWrite(now, status.Service{Ingress: []corev1.LoadBalancerIngress{{IP: test.then}}}, nil)
			if got := len(w.service.released); got != test.told {
				t.Errorf("%d addresses are told of, want %d", got, test.told)
			}
		})
	}
}
