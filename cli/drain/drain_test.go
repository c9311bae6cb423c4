package drain

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/cli/commandtest"
	"github.com/daymark-lb/daymark/cli/env"
	"github.com/daymark-lb/daymark/cli/source"
	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/internal/core/status"
)

func TestMain(m *testing.M) { lab.Main(m) }

// screen is what a command has printed so far.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(text)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// run the command, and return its exit status.
func run(t *testing.T, config *rest.Config, out *screen, args ...string) (exit int) {
	t.Helper()
	e := commandtest.Env(config, out)
	c := New(e)
	c.SilenceUsage, c.SilenceErrors = true, true
	c.SetArgs(args)
	err := c.ExecuteContext(t.Context())
	if err != nil {
		e.Warn("%v", err)
	}
	return env.ExitStatus(err)
}

// cluster with two nodes, of which n2 has a speaker.
func cluster(t *testing.T) (*rest.Config, client.Client) {
	t.Helper()
	config := lab.ControlPlane(t)
	if _, err := envtest.InstallCRDs(config, envtest.CRDInstallOptions{Paths: []string{"../../config/crd/bases"}}); err != nil {
		t.Fatal(err)
	}
	api, err := client.New(config, client.Options{Scheme: source.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []client.Object{
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n2"}},
		&v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: "n2"}},
	} {
		if err := api.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	return config, api
}

// asked reports whether a node has the annotation.
func asked(ctx context.Context, api client.Client, node string) (bool, error) {
	n := &corev1.Node{}
	err := api.Get(ctx, client.ObjectKey{Name: node}, n)
	return n.Annotations[v1beta1.AnnotationDrain] == "true", err
}

// say has the Speaker of n2 say whether the node may be stopped.
func say(ctx context.Context, api client.Client, safe metav1.ConditionStatus, reason string, left *v1beta1.SpeakerDraining, drained *bool) error {
	s := &v1beta1.Speaker{}
	if err := api.Get(ctx, client.ObjectKey{Name: "n2"}, s); err != nil {
		return err
	}
	s.Status.Draining, s.Status.Drained = left, drained
	s.Status.Conditions = []metav1.Condition{{
		Type: v1beta1.ConditionSafeToStop, Status: safe, Reason: reason, LastTransitionTime: metav1.Now(),
	}}
	return api.Status().Update(ctx, s)
}

// A speaker says what it attracts and what is left, until nothing is. Each word of it is heard; the command ends with the last.
func TestDrain_WaitsUntilTheNodeMayBeStopped(t *testing.T) {
	config, api := cluster(t)
	if err := say(t.Context(), api, metav1.ConditionFalse, status.Attracting.Name, nil, nil); err != nil {
		t.Fatal(err)
	}
	out, ended := &screen{}, make(chan int, 1)
	go func() { ended <- run(t, config, out, "n2", "--wait", "--timeout=0") }()
	awaitText := func(text string) {
		t.Helper()
		lab.Eventually(t, time.Minute, "it says "+text, func() error {
			if says := out.String(); !strings.Contains(says, text) {
				return fmt.Errorf("it says %s", says)
			}
			return nil
		})
	}
	awaitText("n2 is drained, and attracts traffic still")
	if is, err := asked(t.Context(), api, "n2"); !is || err != nil {
		t.Errorf("the node is not asked to: %v", err)
	}
	yes, left := true, &v1beta1.SpeakerDraining{Connections: 7, Addresses: 2, List: []v1beta1.DrainingAddress{
		{Address: "192.0.2.200", Until: metav1.NewTime(time.Now().Add(time.Hour))},
	}}
	if err := say(t.Context(), api, metav1.ConditionFalse, status.ConnectionsLeft.Name, left, &yes); err != nil {
		t.Fatal(err)
	}
	awaitText("n2 has 7 connections to 2 addresses left, for ")
	select {
	case exit := <-ended:
		t.Fatalf("it has ended with status %d", exit)
	default:
	}
	if err := say(t.Context(), api, metav1.ConditionTrue, status.NothingLeft.Name, nil, &yes); err != nil {
		t.Fatal(err)
	}
	if exit := <-ended; exit != 0 || !strings.HasSuffix(out.String(), "n2 may be stopped\n") {
		t.Errorf("it ends with status %d and says\n%s", exit, out)
	}
}

// What a Speaker says at first may be of the time before the drain. It says whether it is; of one that does not say, no more than a time is known.
func TestDrain_DoesNotBelieveWhatWasSaidBefore(t *testing.T) {
	config, api := cluster(t)
	no, yes := false, true
	for _, test := range []struct {
		name          string
		drained       *bool // as the Speaker says when it begins
		waits, hasnot bool
	}{
		{"an earlier version does not say that it has heard of it", nil, true, false},
		{"it has not heard yet of the end of an earlier drain", &yes, true, false},
		{"it has not heard of it", &no, false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			speaks := func(drained *bool) {
				t.Helper()
				if err := say(t.Context(), api, metav1.ConditionTrue, status.NothingLeft.Name, nil, drained); err != nil {
					t.Fatal(err)
				}
			}
			speaks(test.drained)
			out, ended, began := &screen{}, make(chan int, 1), time.Now()
			go func() { ended <- run(t, config, out, "n2", "--wait", "--timeout=0") }()
			if test.hasnot {
				lab.Eventually(t, time.Minute, "it says what it waits for", func() error {
					if says := out.String(); !strings.Contains(says, "n2 is drained, and its speaker has not heard of it yet") {
						return fmt.Errorf("it says %s", says)
					}
					return nil
				})
				speaks(&yes)
			}
			if exit := <-ended; exit != 0 || test.waits && time.Since(began) < settle || !strings.HasSuffix(out.String(), "n2 may be stopped\n") {
				t.Errorf("after %v it ends with status %d and says\n%s", time.Since(began), exit, out)
			}
			if exit := run(t, config, &screen{}, "n2", "--undo"); exit != 0 {
				t.Errorf("the drain ends with status %d", exit)
			}
		})
	}
}

// What is known is not waited for: a Speaker that says it has heard is believed by what it says, not by a time.
func TestTold(t *testing.T) {
	no, yes := false, true
	for _, test := range []struct {
		name            string
		before, now     *bool
		asked, believed bool // asked: the node was drained before
	}{
		{"it has heard", &no, &yes, false, true},
		{"it has not", &no, &no, false, false},
		{"it had heard before", &yes, &yes, true, true},
		{"it may mean the drain before", &yes, &yes, false, false},
		{"it does not say", nil, nil, true, false},
		{"it is upgraded meanwhile", nil, &yes, false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n2", Annotations: map[string]string{v1beta1.AnnotationDrain: strconv.FormatBool(test.asked)}}}
			objects := func(drained *bool) *source.Objects {
				return &source.Objects{Items: []runtime.Object{node, &v1beta1.Speaker{ObjectMeta: node.ObjectMeta, Status: v1beta1.SpeakerStatus{Drained: drained}}}}
			}
			if got := told(objects(test.now), outdated(objects(test.before))); got != test.believed {
				t.Errorf("believed: %t", got)
			}
		})
	}
}

func TestDrain_SaysWhatItDid(t *testing.T) {
	config, api := cluster(t)
	yes := true
	if err := say(t.Context(), api, metav1.ConditionTrue, status.NothingLeft.Name, nil, &yes); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, args string
		exit       int
		says       string
		n1, n2     bool
	}{
		{"a node that is not there keeps the others as they are", "n2 n3", 1, "there is no node n3, and none was annotated", false, false},
		{"a node is drained", "n2", 0, "n2 is drained", false, true},
		{"it is drained already, and another one as well", "n1 n2", 0, "n1 is drained", true, true},
		{"a node without a speaker", "n1 --wait --timeout=1s", 1, "n1 is drained, and has no Speaker object", true, true},
		{"it says which of two may not be stopped", "n1 n2 --wait --timeout=1s", 1, "after 1s nobody says of n1 that no traffic breaks", true, true},
		{"it ends", "n1 --undo", 0, "n1 takes traffic again", false, true},
		{"for programs", "n1 n2 --undo -o name", 0, "node/n1\nnode/n2\n", false, false},
		{"no node is named", "", env.ExitUsage, "", false, false},
		{"it cannot wait for the end of a drain", "n1 --undo --wait", env.ExitUsage, "--undo for its end", false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			out := &screen{}
			exit := run(t, config, out, strings.Fields(test.args)...)
			if exit != test.exit || !strings.Contains(out.String(), test.says) {
				t.Errorf("status %d, and it says\n%s", exit, out)
			}
			n1, err1 := asked(t.Context(), api, "n1")
			n2, err2 := asked(t.Context(), api, "n2")
			if n1 != test.n1 || n2 != test.n2 || errors.Join(err1, err2) != nil {
				t.Errorf("drained are n1: %t, n2: %t, %v", n1, n2, errors.Join(err1, err2))
			}
		})
	}
}
