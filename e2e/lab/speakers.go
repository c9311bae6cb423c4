package lab

import (
	"errors"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/e2e/lab/check"
)

// speakerHealthPort is where a speaker says that it is healthy and ready.
const speakerHealthPort = 7473

// UseSpeakerFlags has the speakers run with more flags until the test ends. They are restarted for it, all at once.
func (c *Cluster) UseSpeakerFlags(flags ...string) {
	c.t.Helper()
	for _, n := range c.nodes {
		p, usual := n.speaker, n.speaker.Argv
		c.t.Cleanup(func() {
			p.Argv = usual
			c.must("run the speakers as before", errors.Join(p.Stop(), p.Start()))
		})
		p.Argv = append(usual[:len(usual):len(usual)], flags...)
		c.must("stop the speakers", p.Stop())
	}
	for _, n := range c.nodes {
		c.must("start the speakers", n.speaker.Start())
	}
	for _, n := range c.Nodes() {
		n.awaitSpeaker()
	}
}

// RollSpeakers restarts the speakers one after the other as a DaemonSet does: each is asked to end, is started again when
// it has, and must be ready before the next one's turn.
func (c *Cluster) RollSpeakers() {
	c.t.Helper()
	for _, n := range c.Nodes() {
		n.Speaker().Stop()
		n.Speaker().Start()
		n.awaitSpeaker()
	}
}

func (n Node) awaitSpeaker() {
	n.c.t.Helper()
	check.Eventually(n.c.t, 20*time.Second, "the speaker of "+n.Name+" is ready", func() error {
		return n.Speaker().Ready(speakerHealthPort)
	})
}

// Annotate sets an annotation on the Node object; the test's end removes it.
func (n Node) Annotate(key, value string) {
	n.c.t.Helper()
	n.c.t.Cleanup(func() { n.RemoveAnnotation(key) })
	n.c.Kubectl("annotate", "--overwrite", "node", n.Name, key+"="+value)
}

// RemoveAnnotation removes an annotation from the Node object, if it is there.
func (n Node) RemoveAnnotation(key string) {
	n.c.t.Helper()
	n.c.Kubectl("annotate", "node", n.Name, key+"-")
}

// Unregister deletes the Node object, as the controller of a cloud or an administrator does with a node that is to go;
// what runs there goes on. The test's end registers it again.
func (n Node) Unregister() {
	n.c.t.Helper()
	n.c.t.Cleanup(n.registerAgain)
	ctx, cancel := check.Context()
	defer cancel()
	object := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: n.Name}}
	n.c.must("delete node "+n.Name, client.IgnoreNotFound(n.c.API().Delete(ctx, object)))
}

// registerAgain makes the Node object anew. The speaker gets another identity, since that of the old is no longer good,
// and kube-proxy is started again, which ends by itself when it sees a node without addresses.
func (n Node) registerAgain() {
	n.c.t.Helper()
	n.c.must("register again", n.Register(n.c.plane))
	n.c.must("restart kube-proxy", errors.Join(n.Node.Proxy.Stop(), n.Node.Proxy.Start()))
	if n.speaker == nil {
		return
	}
	_, err := n.c.speakerIdentity(n.nodeParts)
	n.c.must("give the speaker an identity", err)
	n.c.must("restart the speaker", errors.Join(n.speaker.Stop(), n.speaker.Start()))
}

// PlayPods gives each speaker a Pod as the DaemonSet's controller makes them, and restarts it in that. Its objects end with the cluster.
func (c *Cluster) PlayPods() {
	c.t.Helper()
	ctx, cancel := check.Context()
	defer cancel()
	set := &appsv1.DaemonSet{}
	c.must("read the DaemonSet", c.API().Get(ctx, client.ObjectKey{Namespace: Namespace, Name: "daymark-speaker"}, set))
	for _, n := range c.Nodes() {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: Namespace, Name: set.Name + "-" + n.Name,
				OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(set, appsv1.SchemeGroupVersion.WithKind("DaemonSet"))},
			},
			Spec: corev1.PodSpec{NodeName: n.Name, Containers: []corev1.Container{{Name: "speaker", Image: "speaker"}}},
		}
		c.must("make the Pod of a speaker", c.API().Create(ctx, pod))
		n.Speaker().Stop()
		n.speaker.Argv = append(slices.Clone(n.speaker.Argv), "--pod-name", pod.Name)
		n.Speaker().Start()
		n.awaitSpeaker()
	}
}
