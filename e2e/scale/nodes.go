package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/e2e/load"
	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/testnet"
)

const (
	// maxNodes is how many nodes a cluster may have.
	maxNodes = 2000
	// simulatedLabel marks the nodes that have no host.
	simulatedLabel = "example.com/simulated"
	// gossipPort is the default one.
	gossipPort = 7946
	// perRack is how many speakers one process plays: what fails together.
	perRack = 40
)

// simulatedNodes is where the speakers gossip whose nodes have no host; all of them are on the API server's.
var simulatedNodes = netip.MustParsePrefix("198.19.128.0/18")

// nodeName and nodeAddress are those of a node, counted from 1; the first ones are the lab's.
func nodeName(i, real int) string {
	if i <= real {
		return fmt.Sprintf("n%d", i)
	}
	return fmt.Sprintf("sim-%04d", i)
}

func nodeAddress(i, real int) netip.Addr {
	if i <= real {
		return netip.AddrFrom4([4]byte{192, 0, 2, byte(10 + i)})
	}
	four := simulatedNodes.Addr().As4()
	return netip.AddrFrom4([4]byte{four[0], four[1], four[2] + byte(i>>8), byte(i)})
}

// gossipAddress is where the speaker of a node gossips.
func gossipAddress(i, real int) netip.AddrPort {
	return netip.AddrPortFrom(nodeAddress(i, real), gossipPort)
}

// context is for requests that the end of the cluster need not interrupt.
func (c *cluster) context() context.Context { return context.Background() }

func withTimeout(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}

// makeNodes writes the Node objects that have no host, and makes their addresses reachable: they are all this process's host.
func (c *cluster) makeNodes() {
	c.nodes = c.NodeNames()
	real := len(c.nodes)
	if c.size.nodes == real {
		return
	}
	var nodes, endpoints []client.Object
	for i := real + 1; i <= c.size.nodes; i++ {
		node := simulatedNode(nodeName(i, real), nodeAddress(i, real))
		slice := lb.SpeakerEndpoint{Node: node.Name, Address: gossipAddress(i, real)}.Slice(lab.Namespace, &lb.Node{Name: node.Name, UID: node.UID})
		slice.TypeMeta, slice.UID = load.Endpoints("").TypeMeta, types.UID("uid-"+slice.Name)
		c.nodes, nodes, endpoints = append(c.nodes, node.Name), append(nodes, node), append(endpoints, slice)
	}
	c.Store(c.context(), "minions", nodes)
	c.Store(c.context(), "endpointslices", endpoints)
	for _, node := range c.Nodes() {
		if err := node.Route(simulatedNodes, lab.APIServerV4, "eth0"); err != nil {
			c.T().Fatalf("%v", err)
		}
	}
	here, err := testnet.Current("api")
	if err == nil {
		_, err = here.Run(c.context(), "", "ip", "route", "replace", "local", simulatedNodes.String(), "dev", "lo")
	}
	if err != nil {
		c.T().Fatalf("make the addresses of nodes: %v", err)
	}
}

// maxImages is how many images a kubelet reports, by default. They are most of a Node object, which all watch.
const maxImages = 50

// simulatedNode is a Node as a kubelet keeps it.
func simulatedNode(name string, address netip.Addr) *corev1.Node {
	node := &corev1.Node{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Node"},
		ObjectMeta: metav1.ObjectMeta{
			Name: name, UID: types.UID("uid-" + name), CreationTimestamp: metav1.Now(), Labels: map[string]string{"kubernetes.io/hostname": name, simulatedLabel: ""},
		},
		Status: corev1.NodeStatus{
			Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: address.String()}, {Type: corev1.NodeHostName, Address: name}},
			Conditions: []corev1.NodeCondition{{
				Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady", LastTransitionTime: metav1.Now(), LastHeartbeatTime: metav1.Now(),
			}},
		},
	}
	for i := range maxImages {
		image := fmt.Sprintf("registry.example.com/team-%02d/image", i)
		node.Status.Images = append(node.Status.Images, corev1.ContainerImage{
			Names: []string{fmt.Sprintf("%s@sha256:%064x", image, i), image + ":v1.2.3"}, SizeBytes: 1e8,
		})
	}
	return node
}

// rack is a process that plays speakers.
type rack struct{ *testnet.Process }

// startRacks starts the speakers of all nodes that have no host, with Speaker objects that say what a real one says.
func (c *cluster) startRacks(key string) {
	real := c.settings.speakers
	if c.size.nodes == real {
		return
	}
	program, err := os.Executable()
	if err != nil {
		c.T().Fatalf("find this program: %v", err)
	}
	here, err := testnet.Current("api")
	if err != nil {
		c.T().Fatalf("%v", err)
	}
	for first := real + 1; first <= c.size.nodes; first += perRack {
		r := &rack{testnet.NewProcess(here, fmt.Sprintf("rack-%d", len(c.racks)+1), c.Logs(), program, rackCommand,
			fmt.Sprint("-first=", first), fmt.Sprint("-count=", min(perRack, c.size.nodes-first+1)), fmt.Sprint("-of=", c.size.nodes), fmt.Sprint("-real=", real))}
		r.Env = []string{rackKeyEnv + "=" + key}
		c.racks = append(c.racks, r)
		c.AtEnd(func() { _ = r.Kill() })
		if err := r.Start(); err != nil {
			c.T().Fatalf("%v", err)
		}
	}
	c.copySpeaker(real)
}

// gossipKey waits for the Secret that the controller makes, and returns the key, which a rack is given as text.
func (c *cluster) gossipKey() string {
	secret := &corev1.Secret{}
	lab.Eventually(c.T(), time.Minute, "there is a gossip key", func() error {
		return c.API().Get(c.context(), client.ObjectKey{Namespace: lab.Namespace, Name: v1beta1.GossipSecret}, secret)
	})
	return fmt.Sprintf("%x", secret.Data[v1beta1.GossipSecretKey])
}

// copySpeaker writes the Speaker objects of the nodes without a host, as that of the first node is.
func (c *cluster) copySpeaker(real int) {
	if err := v1beta1.AddToScheme(c.API().Scheme()); err != nil {
		c.T().Fatalf("%v", err)
	}
	from := &v1beta1.Speaker{}
	lab.Eventually(c.T(), time.Minute, "the first speaker reports", func() error {
		if err := c.API().Get(c.context(), client.ObjectKey{Name: nodeName(1, real)}, from); err != nil {
			return err
		}
		if from.Status.GossipAddress == "" {
			return errors.New("it has said nothing yet")
		}
		return nil
	})
	err := load.Concurrently(c.size.nodes-real, func(i int) error {
		i += real + 1
		made := &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{
			Name: nodeName(i, real), OwnerReferences: []metav1.OwnerReference{(&lb.Node{Name: nodeName(i, real), UID: types.UID("uid-" + nodeName(i, real))}).Owner()},
		}}
		if err := c.API().Create(c.context(), made); err != nil {
			return err
		}
		from.Status.DeepCopyInto(&made.Status)
		made.Status.GossipAddress = gossipAddress(i, real).String()
		return c.API().Status().Update(c.context(), made)
	})
	if err != nil {
		c.T().Fatalf("write Speaker objects: %v", err)
	}
}
