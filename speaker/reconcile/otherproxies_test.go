package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/bubble"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/proxyhealth"
	"github.com/daymark-lb/daymark/internal/core/status"
)

// objects are Speaker objects by node, and reads how many were read. While unreachable nothing can be.
type objects struct {
	client.Reader
	mu          sync.Mutex
	speakers    map[string]*v1beta1.Speaker
	unreachable bool
	reads       int
}

func (o *objects) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.reads++
	speaker, found := o.speakers[key.Name]
	switch {
	case o.unreachable:
		return errors.New("connection refused")
	case !found:
		return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
	}
	speaker.DeepCopyInto(into.(*v1beta1.Speaker))
	return nil
}

// set changes them.
func (o *objects) set(change func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change()
}

// saying is a Speaker object with a condition of its service proxy.
func saying(c metav1.Condition) *v1beta1.Speaker {
	speaker := &v1beta1.Speaker{}
	meta.SetStatusCondition(&speaker.Status.Conditions, c)
	return speaker
}

var (
	proxyWorks = saying(condition(v1beta1.ConditionServiceProxyUnhealthy, false, status.ProxyWorks, "it works"))
	proxyFails = saying(condition(v1beta1.ConditionServiceProxyUnhealthy, true, status.ProxyFails, "it fails"))
)

func TestOtherProxies_AreReadWhenTheyHaveHadTheTimeToSayIt(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		read := &objects{speakers: map[string]*v1beta1.Speaker{"n3": proxyWorks, "n4": proxyWorks}}
		o := newOtherProxies(read)
		ctx, cancel := context.WithCancel(t.Context())
		var ended sync.WaitGroup
		ended.Go(func() { _ = o.Start(ctx) })
		defer ended.Wait()
		defer cancel()
		expect := func(when string, known bool, want ...proxyhealth.State) {
			t.Helper()
			synctest.Wait()
			states, is := o.States()
			slices.Sort(states)
			if is != known || !slices.Equal(states, want) {
				t.Errorf("%s: %v, %t", when, states, is)
			}
		}
		time.Sleep(time.Minute)
		o.Set([]string{"n2", "n3", "n4"})
		time.Sleep(proxyhealth.FailTime - time.Millisecond)
		expect("before they can have said it", false)
		read.set(func() {
			if read.reads != 0 {
				t.Errorf("%d objects were read at rest", read.reads)
			}
			read.speakers["n3"] = proxyFails
		})
		time.Sleep(time.Second)
		expect("n2 has no speaker", true, proxyhealth.Works, proxyhealth.Fails)
		read.set(func() { read.speakers["n4"] = proxyFails })
		time.Sleep(askInterval)
		expect("a later look", true, proxyhealth.Fails, proxyhealth.Fails)
		read.set(func() { read.unreachable = true })
		time.Sleep(askInterval)
		expect("the API server does not answer", true, proxyhealth.Fails, proxyhealth.Fails)

		o.Set(nil)
		expect("nobody is asked about", false)
		o.Set([]string{"n3", "n4"})
		read.set(func() { read.speakers["n3"], read.speakers["n4"] = proxyWorks, proxyWorks })
		time.Sleep(2 * askInterval)
		expect("what cannot be read fails", true, proxyhealth.Fails, proxyhealth.Fails)
		read.set(func() { read.unreachable = false })
		time.Sleep(askInterval)
		expect("it can be read again", true, proxyhealth.Works, proxyhealth.Works)
		read.set(func() { read.unreachable = true })
		time.Sleep(askInterval)
		expect("what was read before counts while nothing can be", true, proxyhealth.Works, proxyhealth.Works)
	})
}

func TestOtherProxies_AreFewWhateverTheSizeOfTheCluster(t *testing.T) {
	read := &objects{speakers: map[string]*v1beta1.Speaker{}}
	var nodes []string
	for i := range 1000 {
		nodes = append(nodes, fmt.Sprint("n", i))
		read.speakers[nodes[i]] = proxyWorks
	}
	o := newOtherProxies(read)
	o.nodes = nodes
	wait := o.look(t.Context())
	if states, _ := o.States(); len(states) != askedNodes || read.reads != askedNodes || wait != 40*time.Second {
		t.Errorf("%d states by %d reads, and again after %s", len(states), read.reads, wait)
	}
	read.reads, read.speakers = 0, nil
	if o.look(t.Context()); read.reads != mostReads {
		t.Errorf("%d reads where no speaker runs", read.reads)
	}
}

func TestSaidOfProxy_WorksOnlyIfItIsSaid(t *testing.T) {
	gone := proxyWorks.DeepCopy()
	meta.SetStatusCondition(&gone.Status.Conditions, metav1.Condition{Type: v1beta1.ConditionReady, Status: metav1.ConditionUnknown, Reason: v1beta1.ReasonSpeakerGone})
	said := func(is bool, why string) *v1beta1.Speaker {
		s := proxyWorks.DeepCopy()
		c := &s.Status.Conditions[0]
		if c.Reason = why; is {
			c.Status = metav1.ConditionTrue
		}
		return s
	}
	for name, test := range map[string]struct {
		speaker *v1beta1.Speaker
		want    proxyhealth.State
	}{
		"works":                      {proxyWorks, proxyhealth.Works},
		"begins to fail":             {proxyFails, proxyhealth.Fails},
		"the speaker is gone":        {gone, proxyhealth.Fails},
		"nothing is said":            {&v1beta1.Speaker{}, proxyhealth.Fails},
		"it attracts nothing":        {said(true, v1beta1.ReasonAttractsNothing), proxyhealth.Fails},
		"the others are not known":   {said(true, status.ProxyOthersUnknown.Name), proxyhealth.Fails},
		"not checked":                {said(false, status.ProxyNotChecked.Name), proxyhealth.NotChecked},
		"not found":                  {said(false, status.ProxyNotFound.Name), proxyhealth.NotFound},
		"what a later version means": {said(false, "Somehow"), proxyhealth.NotFound},
	} {
		if got := saidOfProxy(test.speaker); got != test.want {
			t.Errorf("%s: %d", name, got)
		}
	}
}

// Every node asks about others, so that no few of them are asked about by all.
func TestNodesToAsk(t *testing.T) {
	nodes := []*lb.Node{{Name: "n1"}, {Name: "n2"}, {Name: "n3", Down: true}, {Name: "n4"}, {Name: "n5"}}
	first := map[string]bool{}
	for _, self := range []string{"n1", "n2", "n4", "n5"} {
		asked := nodesToAsk(self, nodes)
		if len(asked) != 3 || slices.Contains(asked, self) || slices.Contains(asked, "n3") {
			t.Errorf("%s asks about %v", self, asked)
		}
		first[asked[0]] = true
	}
	if len(first) < 2 {
		t.Errorf("all ask about %v first", first)
	}
}

// A bad check that fails on every node at once withdraws none, however the nodes choose each other: of those that fail at the same moment as
// half of the cluster no more than a third are withdrawn.
func TestNodesToAsk_FewAreWithdrawnWhateverPartFails(t *testing.T) {
	var nodes []*lb.Node
	for i := range 400 {
		nodes = append(nodes, &lb.Node{Name: fmt.Sprint("n", i)})
	}
	for failing := 0; failing <= len(nodes); failing += 40 {
		withdrawn := 0
		for i := range failing {
			works := 0
			for _, asked := range nodesToAsk(nodes[i].Name, nodes)[:askedNodes] {
				var n int
				_, _ = fmt.Sscanf(asked, "n%d", &n)
				if n >= failing {
					works++
				}
			}
			if works >= 1+askedNodes-works {
				withdrawn++
			}
		}
		if withdrawn > len(nodes)/3 || failing == len(nodes) && withdrawn > 0 {
			t.Errorf("%d of %d fail, and %d are withdrawn", failing, len(nodes), withdrawn)
		}
		t.Logf("%d fail: %d withdrawn", failing, withdrawn)
	}
}
