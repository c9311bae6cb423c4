package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/internal/bubble"
	"github.com/daymark-lb/daymark/internal/loop"
)

func TestLoop_Ready(t *testing.T) {
	leader := func() *Leader { return &Leader{leading: context.Background(), term: 1} }
	for _, test := range []struct {
		name   string
		config Config
		change func(*scene)
		// pass: one is made. after is how long after it the question is asked.
		pass  bool
		after time.Duration
		// say is part of the answer; empty: ready.
		say string
	}{
		{name: "a standby whose caches have synced", config: Config{Leader: &Leader{}}},
		{name: "a standby whose caches have not", config: Config{Leader: &Leader{}}, change: func(s *scene) { s.cache.NotSynced = true }, say: "Community"},
		{name: "a new leader has time", config: Config{Leader: leader()}},
		{name: "a leader that works", config: Config{Leader: leader()}, pass: true, after: time.Hour},
		{name: "a leader without a pass", config: Config{Leader: leader()}, after: passTimeout, say: "no pass has come to its end"},
		{name: "without an election, too", after: passTimeout, say: "no pass has come to its end"},
		{
			name: "a leader that waits for its cache for too long", config: Config{Leader: leader()}, pass: true, after: passTimeout,
			change: func(s *scene) { s.server.versions["a"] = "2" }, say: "it waits for its cache",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				s := newScene(test.config)
				s.started = time.Now()
				if s.leader != nil {
					s.leader.since = s.started
				}
				if test.change != nil {
					test.change(s)
				}
				if test.pass {
					_, _ = s.Reconcile(t.Context(), loop.Wake{})
				}
				time.Sleep(test.after)
				if err := s.Ready(); (err == nil) != (test.say == "") || err != nil && !strings.Contains(err.Error(), test.say) {
					t.Errorf("it says %v, want %q", err, test.say)
				}
				if err := s.Alive(); err != nil {
					t.Errorf("alive: %v", err)
				}
			})
		})
	}
}

func TestLoop_ReadyNamesTheMissingKind(t *testing.T) {
	c := newCluster(t)
	kind := &apiextensionsv1.CustomResourceDefinition{}
	kind.Name = "communities.daymark.io"
	must(t, c.Delete(t.Context(), kind))
	lab.Eventually(t, timeout, "the kind is gone", func() error {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(kind), kind); err == nil {
			return errors.New("not yet")
		}
		return nil
	})
	running := c.start(t)
	lab.Eventually(t, timeout, "it is not ready, and names the one kind", func() error {
		err := running.Ready()
		if err == nil || !strings.Contains(err.Error(), "has not listed Community:") {
			return fmt.Errorf("it says %w", err)
		}
		return nil
	})
	_, err := envtest.InstallCRDs(c.config, envtest.CRDInstallOptions{Paths: []string{"../../config/crd/bases"}})
	must(t, err)
	lab.Eventually(t, timeout, "it is ready", running.Ready)

	c.pool(t, "blue", "192.0.2.0/28")
	c.service(t, "web")
	s := c.addresses(t, "web", "192.0.2.0")
	if !slices.ContainsFunc(s.ManagedFields, func(m metav1.ManagedFieldsEntry) bool { return m.Manager == fieldOwner && m.Subresource == "status" }) {
		t.Errorf("managedFields do not name us: %+v", s.ManagedFields)
	}
}
