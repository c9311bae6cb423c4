package main

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/yaml"

	"github.com/daymark-lb/daymark/internal/bubble"
	"github.com/daymark-lb/daymark/internal/core/handover"
)

func TestHandOver_EndsWhenEverythingIsHandedOver(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		handed := make(chan struct{})
		running := handOver(ctx, func(context.Context) { <-handed })
		stop()
		synctest.Wait()
		if running.Err() != nil {
			t.Error("the speaker ended before it had handed over")
		}
		close(handed)
		synctest.Wait()
		if running.Err() == nil {
			t.Error("the speaker goes on though it has handed over")
		}
	})
}

func TestHandOver_IsLimitedInTime(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		running := handOver(ctx, func(ctx context.Context) { <-ctx.Done() })
		began := time.Now()
		stop()
		<-running.Done()
		if took := time.Since(began); took != handOverTimeout {
			t.Errorf("a speaker that cannot hand over ended after %v, want %v", took, handOverTimeout)
		}
	})
}

func TestHandOver_DoesNotLeaveBeforeItIsTold(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		left := false
		running := handOver(ctx, func(context.Context) { left = true })
		time.Sleep(time.Hour)
		if left || running.Err() != nil {
			t.Error("the speaker left though nobody told it to")
		}
		stop()
		<-running.Done()
	})
}

// part is a Runnable that notes when it ends, a while after it is told to.
func part(name string, ended *[]string, mu *sync.Mutex, wait time.Duration, err error) manager.Runnable {
	return manager.RunnableFunc(func(ctx context.Context) error {
		<-ctx.Done()
		time.Sleep(wait)
		mu.Lock()
		defer mu.Unlock()
		*ended = append(*ended, name)
		return err
	})
}

func TestEndInOrder_EndsTheSecondAfterTheFirst(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var ended []string
		first, second := errors.New("first"), errors.New("second")
		ctx, stop := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() {
			result <- endInOrder(part("bgp", &ended, &mu, time.Second, first), part("bfd", &ended, &mu, 0, second)).Start(ctx)
		}()
		synctest.Wait()
		stop()
		if err := <-result; !errors.Is(err, first) || !errors.Is(err, second) {
			t.Errorf("error %v, want those of both parts", err)
		}
		if !slices.Equal(ended, []string{"bgp", "bfd"}) {
			t.Errorf("the parts ended in the order %v", ended)
		}
	})
}

func TestEndInOrder_EndsTheSecondWhenTheFirstFails(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var ended []string
		failed := errors.New("no socket")
		first := manager.RunnableFunc(func(context.Context) error { return failed })
		if err := endInOrder(first, part("bfd", &ended, &mu, 0, nil)).Start(t.Context()); !errors.Is(err, failed) {
			t.Errorf("error %v, want %v", err, failed)
		}
		if !slices.Equal(ended, []string{"bfd"}) {
			t.Errorf("ended %v, want the second part too", ended)
		}
	})
}

func TestDaemonSet_GraceCoversTheHandOver(t *testing.T) {
	text, err := os.ReadFile("../config/speaker/speaker.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var shipped appsv1.DaemonSet
	if err := yaml.UnmarshalStrict(text, &shipped); err != nil {
		t.Fatal(err)
	}
	grace := time.Duration(*shipped.Spec.Template.Spec.TerminationGracePeriodSeconds) * time.Second
	if least := handOverTimeout + endTimeout; grace < least+time.Second {
		t.Errorf("the grace of the DaemonSet is %s, and a speaker may take %s to end", grace, least)
	}
}

// fakePasser keeps the plans that it is given, and fails.
type fakePasser struct{ plans []handover.Plan }

var errKernel = errors.New("the kernel is out of order")

func (p *fakePasser) Set(_ context.Context, plan handover.Plan) error {
	p.plans = append(p.plans, plan)
	return errKernel
}

// A speaker that restarts leaves in the kernel what its successor finds there; one that is uninstalled leaves nothing.
func TestClearRules_LeavesThemToASuccessor(t *testing.T) {
	kernel := &fakePasser{}
	if err := clearRules(kernel, false); err != nil || len(kernel.plans) > 0 {
		t.Errorf("a speaker that restarts sets %+v, %v", kernel.plans, err)
	}
	if err := clearRules(kernel, true); !errors.Is(err, errKernel) || len(kernel.plans) != 1 || len(kernel.plans[0].Passages)+len(kernel.plans[0].Counted) > 0 {
		t.Errorf("one that is uninstalled sets %+v, %v", kernel.plans, err)
	}
}

type stuck struct{ err error }

func (s stuck) Alive() error { return s.err }

func TestAlive_IsWhatEachPartSays(t *testing.T) {
	first, second := errors.New("layer 2 is stuck"), errors.New("gossip is stuck")
	if err := alive(stuck{}, stuck{})(); err != nil {
		t.Errorf("all go on, and it says %v", err)
	}
	if err := alive(stuck{}, stuck{second})(); !errors.Is(err, second) {
		t.Errorf("the last is stuck, and it says %v", err)
	}
	if err := alive(stuck{first}, stuck{second})(); !errors.Is(err, first) {
		t.Errorf("two are stuck, and it says %v", err)
	}
}
