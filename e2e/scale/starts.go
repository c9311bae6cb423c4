package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/e2e/lab/attempt"
	"github.com/daymark-lb/daymark/e2e/load"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// startsWithin is how long all speakers may take to start.
const startsWithin = 10 * time.Minute

// fewAtOnce lets the API server fill the caches of few speakers at a time; the others wait in a queue. With 5 shares it is that of
// docs/large-clusters.md, and of the chart's flowControl.
const fewAtOnce = `apiVersion: flowcontrol.apiserver.k8s.io/v1
kind: PriorityLevelConfiguration
metadata: {name: daymark-speakers}
spec:
  type: Limited
  limited:
    nominalConcurrencyShares: %d
    borrowingLimitPercent: 0
    limitResponse:
      type: Queue
      queuing: {queues: 16, handSize: 4, queueLengthLimit: 1000}
---
apiVersion: flowcontrol.apiserver.k8s.io/v1
kind: FlowSchema
metadata: {name: daymark-speakers}
spec:
  priorityLevelConfiguration: {name: daymark-speakers}
  matchingPrecedence: 8000
  distinguisherMethod: {type: ByUser}
  rules:
  - subjects:
    - kind: ServiceAccount
      serviceAccount: {namespace: daymark-system, name: daymark-speaker}
    resourceRules:
    - {verbs: [list, watch], apiGroups: ["*"], resources: ["*"], namespaces: ["*"], clusterScope: true}
`

// measureStarts has as many speakers as there are nodes start at once, and measures how long the API server takes to answer somebody else
// meanwhile. The speakers are no more than their requests: see starting. No program of Daymark runs.
func measureStarts(s settings) (int, error) {
	if err := lab.SetUp(); err != nil {
		return 1, err
	}
	a := &attempt.Attempt{Out: os.Stdout}
	a.Do(func() {
		c := &cluster{Cluster: lab.New(a, lab.Nodes(1)), settings: s, size: size{s.sizes[0].services, s.starts}, figures: map[string]float64{}}
		c.bringUp()
		c.storeAddressed()
		c.storeSpeakers()
		if s.few {
			c.Apply(fmt.Sprintf(fewAtOnce, s.shares))
		}
		c.startAtOnce()
	})
	a.End()
	if len(a.Wrong) > 0 {
		return 1, errors.New(a.Wrong[0])
	}
	return 0, nil
}

// storeAddressed stores Services that have their addresses, with their endpoints.
func (c *cluster) storeAddressed() {
	first := load.WithoutNodePorts("first", poolName)
	if err := c.API().Create(c.context(), first); err != nil {
		c.T().Fatalf("create a Service: %v", err)
	}
	first.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "198.19.0.1"}}
	for _, condition := range []metav1.Condition{
		{Type: v1beta1.ConditionAddressAssigned, Reason: "Assigned", Message: "198.19.0.1 of pool many"},
		{Type: v1beta1.ConditionAnnounced, Reason: "Announced", Message: "announced by BGPAdvertisement many"},
		{Type: v1beta1.ConditionProvenance, Reason: "Allocated", Message: "class= 198.19.0.1=many"},
	} {
		condition.Status, condition.LastTransitionTime = metav1.ConditionTrue, metav1.Now()
		first.Status.Conditions = append(first.Status.Conditions, condition)
	}
	if err := c.API().Status().Update(c.context(), first); err != nil {
		c.T().Fatalf("give a Service an address: %v", err)
	}
	var services, slices []client.Object
	for i := range c.size.services {
		made := first.DeepCopy()
		made.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}
		made.Name, made.UID, made.ResourceVersion = load.Name(poolName, i), types.UID(fmt.Sprint("uid-service-", i)), ""
		made.Spec.ClusterIP, made.Spec.ClusterIPs = "", nil
		made.Status.LoadBalancer.Ingress[0].IP = netip.AddrFrom4([4]byte{198, 19, byte(i >> 8), byte(i)}).String()
		services, slices = append(services, made), append(slices, load.Endpoints(made.Name, c.nodes[i%len(c.nodes)], c.nodes[(i+1)%len(c.nodes)], c.nodes[(i+2)%len(c.nodes)]))
	}
	c.Store(c.context(), "services/specs", services)
	c.Store(c.context(), "endpointslices", slices)
}

// storeSpeakers writes the Speaker objects of all nodes.
func (c *cluster) storeSpeakers() {
	if err := v1beta1.AddToScheme(c.API().Scheme()); err != nil {
		c.T().Fatalf("%v", err)
	}
	err := load.Concurrently(len(c.nodes), func(i int) error {
		node := &corev1.Node{}
		if err := c.API().Get(c.context(), client.ObjectKey{Name: c.nodes[i]}, node); err != nil {
			return err
		}
		made := &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{
			Name: node.Name, OwnerReferences: []metav1.OwnerReference{(&lb.Node{Name: node.Name, UID: node.UID}).Owner()},
		}}
		if err := c.API().Create(c.context(), made); err != nil {
			return err
		}
		made.Status = v1beta1.SpeakerStatus{
			GossipAddress: gossipAddress(i+1, 1).String(),
			BGP:           []v1beta1.BGPSession{{Peer: "router", Address: lab.RouterV4.String(), State: v1beta1.BGPEstablished, IPv4: int32(c.size.services), Since: metav1.Now()}},
		}
		return c.API().Status().Update(c.context(), made)
	})
	if err != nil {
		c.T().Fatalf("write Speaker objects: %v", err)
	}
}

// startAtOnce measures how long an independent client waits, before and while all speakers start, and what that takes.
func (c *cluster) startAtOnce() {
	requests, err := requestsOfSpeaker(c.context(), c.as(lab.Namespace, "daymark-speaker", c.nodes[0]), c.nodes[0])
	if err != nil {
		c.T().Fatalf("find out what a speaker asks for: %v", err)
	}
	var speakers []*starting
	for _, node := range c.nodes {
		speakers = append(speakers, &starting{node: node, config: c.as(lab.Namespace, "daymark-speaker", node), like: c.nodes[0], requests: requests})
	}
	c.Kubectl("create", "serviceaccount", "other")
	c.Kubectl("create", "role", "other", "--verb=get,create,update", "--resource=configmaps")
	c.Kubectl("create", "rolebinding", "other", "--role=other", "--serviceaccount=default:other")
	other := c.as("default", "other", "")
	c.T().Logf("each of %d speakers has %d streams", len(speakers), len(requests))

	quiet := c.watchAnswers(other, "quiet")
	time.Sleep(20 * time.Second)
	c.T().Logf("before: %s", quiet())

	ctx, cancel := withTimeout(startsWithin)
	defer cancel()
	busy := c.watchAnswers(other, "busy")
	began := time.Now()
	var all sync.WaitGroup
	spent := c.apiServerSpends(func() {
		for _, s := range speakers {
			all.Go(func() { s.start(ctx, began) })
		}
		all.Wait()
	})
	c.T().Logf("meanwhile: %s", busy())
	resident, _ := c.APIServer().Resident()
	c.T().Logf("processor time of the API server for each: %s; its memory now: %d MB; load %.0f", spent/time.Duration(len(speakers)), resident/1e6, loadAverage())
	sayStarts(c, speakers)
	cancel()
	for _, s := range speakers {
		s.streams.Wait()
	}
}

// sayStarts says when the speakers were whole, and had written, and what it took.
func sayStarts(c *cluster, speakers []*starting) {
	var whole, wrote []time.Duration
	var bytes, refused int64
	for _, s := range speakers {
		if s.err != nil {
			c.T().Fatalf("the speaker of %s: %v", s.node, s.err)
		}
		whole, wrote = append(whole, s.whole), append(wrote, s.wrote)
		bytes, refused = bytes+s.bytes.Load(), refused+s.refused.Load()
	}
	slices.Sort(whole)
	slices.Sort(wrote)
	n := len(speakers)
	c.T().Logf("whole: %s in the median, the last after %s; the last has written after %s", whole[n/2], whole[n-1], wrote[n-1])
	c.T().Logf("read by each: %.2f MB; refused for now (429): %d requests in all", float64(bytes)/float64(n)/1e6, refused)
}

// as is the configuration of a service account's client, bound to a node unless that is empty.
func (c *cluster) as(namespace, account, node string) *rest.Config {
	request := &authenticationv1.TokenRequest{}
	if node != "" {
		object := &corev1.Node{}
		if err := c.API().Get(c.context(), client.ObjectKey{Name: node}, object); err != nil {
			c.T().Fatalf("read node %s: %v", node, err)
		}
		request.Spec.BoundObjectRef = &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Node", Name: node, UID: object.UID}
	}
	object := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: account}}
	if err := c.API().SubResource("token").Create(c.context(), object, request); err != nil {
		c.T().Fatalf("ask for a token of %s: %v", account, err)
	}
	config := c.Config()
	config.BearerToken, config.UserAgent = request.Status.Token, "daymark-speaker"
	return config
}
