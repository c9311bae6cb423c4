package reconcile

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/internal/loop"
)

func TestLoop_Objects(t *testing.T) {
	c := newCluster(t)
	c.start(t)
	for _, test := range []struct {
		name string
		test func(*testing.T, *testCluster)
	}{
		{"the key of the speakers is made, and never made anew", gossipKeyIsMade},
		{"a pool says how much of it is used", poolCounts},
		{"pools that overlap name each other", poolsOverlap},
		{"a pool that names the address of a node says so", poolNamesNode},
		{"a reservation says who has its address", reservationConflict},
		{"an advertisement names the pools and peers that do not exist", advertisementReferences},
		{"communities that nothing is known of are named", communities},
		{"communities that were known are accepted, and stay", acceptedCommunities},
		{"a peer names the Secret and the profile that do not exist", peerReferences},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Cleanup(func() { c.deleteAll(t) })
			test.test(t, c)
		})
	}
}

func gossipKeyIsMade(t *testing.T, c *testCluster) {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: daymarkNamespace, Name: "daymark-gossip"}}
	lab.Eventually(t, timeout, "there is a key", func() error { return c.Get(t.Context(), client.ObjectKeyFromObject(secret), secret) })
	if got := len(secret.Data["key"]); got != 32 {
		t.Fatalf("the key has %d bytes", got)
	}
	secret.Data["key"] = []byte("another")
	must(t, c.Update(t.Context(), secret))
	c.pool(t, "blue", "192.0.2.0/30") // a pass
	c.reason(t, &v1beta1.IPAddressPool{ObjectMeta: metav1.ObjectMeta{Name: "blue"}}, v1beta1.ConditionReady, "Valid")
	must(t, c.Get(t.Context(), client.ObjectKeyFromObject(secret), secret))
	if string(secret.Data["key"]) != "another" {
		t.Error("the key was overwritten")
	}
	must(t, c.Delete(t.Context(), secret))
	lab.Eventually(t, timeout, "there is a key again", func() error { return c.Get(t.Context(), client.ObjectKeyFromObject(secret), secret) })
}

func poolCounts(t *testing.T, c *testCluster) {
	pool := c.pool(t, "blue", "192.0.2.0/30", "2001:db8::/64")
	c.service(t, "web")
	c.addresses(t, "web", "192.0.2.0")
	lab.Eventually(t, timeout, "the pool counts", func() error {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(pool), pool); err != nil {
			return err
		}
		four, six := pool.Status.IPv4, pool.Status.IPv6
		if four == nil || six == nil || *four != (v1beta1.AddressCount{Assigned: 1, Available: "3"}) ||
			*six != (v1beta1.AddressCount{Assigned: 0, Available: "18446744073709551616"}) || pool.Status.ObservedGeneration != pool.Generation {
			return fmt.Errorf("%+v %+v", four, six)
		}
		return nil
	})
	c.reason(t, pool, v1beta1.ConditionReady, "Valid")
	c.reason(t, pool, v1beta1.ConditionExhausted, "Available")
	c.reason(t, pool, v1beta1.ConditionOverlap, "NoOverlap")
}

func poolsOverlap(t *testing.T, c *testCluster) {
	old := c.pool(t, "old", "192.0.2.0/29")
	time.Sleep(time.Until(old.CreationTimestamp.Add(time.Second))) // ages are in seconds
	young := c.pool(t, "young", "192.0.2.4/30")
	if m := c.reason(t, old, v1beta1.ConditionOverlap, "Overlap"); !strings.Contains(m, "pool young names 192.0.2.4/30 too; this one is older") {
		t.Errorf("the older says %q", m)
	}
	if m := c.reason(t, young, v1beta1.ConditionOverlap, "Overlap"); !strings.Contains(m, "pool old names 192.0.2.4/30 too; that one is older") {
		t.Errorf("the younger says %q", m)
	}
}

func (c *testCluster) node(t *testing.T, name, address string) {
	t.Helper()
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"name": name}}}
	must(t, c.Create(t.Context(), n))
	n.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: address}}
	must(t, c.Status().Update(t.Context(), n))
}

func poolNamesNode(t *testing.T, c *testCluster) {
	pool := c.pool(t, "blue", "192.0.2.0/30")
	c.node(t, "n1", "192.0.2.0")
	if m := c.reason(t, pool, v1beta1.ConditionReady, "NodeAddress"); !strings.Contains(m, "192.0.2.0 is the address of node n1") {
		t.Errorf("it says %q", m)
	}
	c.service(t, "web")
	c.addresses(t, "web", "192.0.2.1")
}

func reservationConflict(t *testing.T, c *testCluster) {
	c.pool(t, "blue", "192.0.2.0/30")
	c.service(t, "has")
	c.addresses(t, "has", "192.0.2.0")
	r := &v1beta1.IPReservation{ObjectMeta: metav1.ObjectMeta{Name: "r"}}
	r.Spec.Addresses = []v1beta1.AddressRange{"192.0.2.0"}
	r.Spec.ServiceRef = &v1beta1.ServiceReference{Namespace: "default", Name: "wants"}
	must(t, c.Create(t.Context(), r))
	if m := c.reason(t, r, v1beta1.ConditionReady, "Conflict"); m != "Service default/has has 192.0.2.0 and keeps it" {
		t.Errorf("it says %q", m)
	}
	must(t, c.Delete(t.Context(), &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "has"}}))
	c.reason(t, r, v1beta1.ConditionReady, "Valid")
}

func advertisementReferences(t *testing.T, c *testCluster) {
	l2 := &v1beta1.L2Advertisement{ObjectMeta: metav1.ObjectMeta{Name: "l2"}}
	l2.Spec.IPAddressPools = []string{"blue", "gone"}
	must(t, c.Create(t.Context(), l2))
	bgp := &v1beta1.BGPAdvertisement{ObjectMeta: metav1.ObjectMeta{Name: "bgp"}}
	bgp.Spec.IPAddressPools, bgp.Spec.Peers = []string{"gone"}, []string{"tor"}
	must(t, c.Create(t.Context(), bgp))
	c.pool(t, "blue", "192.0.2.0/30")
	lab.Eventually(t, timeout, "the pool that exists is not named", func() error {
		if m := c.reason(t, l2, v1beta1.ConditionReady, "NotFound"); m != "pool gone does not exist" {
			return errors.New(m)
		}
		return nil
	})
	if m := c.reason(t, bgp, v1beta1.ConditionReady, "NotFound"); m != "pool gone does not exist; peer tor does not exist" {
		t.Errorf("it says %q", m)
	}
	c.pool(t, "gone", "192.0.2.8/30")
	c.reason(t, l2, v1beta1.ConditionReady, "Valid")
}

func communities(t *testing.T, c *testCluster) {
	a := &v1beta1.Community{ObjectMeta: metav1.ObjectMeta{Name: "a"}}
	a.Spec.Communities = []v1beta1.CommunityAlias{{Name: "blue", Value: "64512:1"}}
	must(t, c.Create(t.Context(), a))
	b := &v1beta1.Community{ObjectMeta: metav1.ObjectMeta{Name: "b"}}
	b.Spec.Communities = []v1beta1.CommunityAlias{{Name: "blue", Value: "64512:2"}, {Name: "green", Value: "64512:3"}}
	must(t, c.Create(t.Context(), b))
	bgp := &v1beta1.BGPAdvertisement{ObjectMeta: metav1.ObjectMeta{Name: "bgp"}}
	bgp.Spec.Communities = []string{"blue", "no-export", "red"}
	must(t, c.Create(t.Context(), bgp))
	c.reason(t, a, v1beta1.ConditionReady, "Valid")
	if m := c.reason(t, b, v1beta1.ConditionReady, "Invalid"); m != "communities: blue stands for 64512:1: Community a gave it that name first" {
		t.Errorf("the second object says %q", m)
	}
	lab.Eventually(t, timeout, "the older object gives a name that the younger one has, and does not get it", func() error {
		must(t, c.Get(t.Context(), client.ObjectKeyFromObject(a), a))
		a.Spec.Communities = []v1beta1.CommunityAlias{{Name: "blue", Value: "64512:1"}, {Name: "green", Value: "64512:9"}}
		return c.Update(t.Context(), a)
	})
	if m := c.reason(t, a, v1beta1.ConditionReady, "Invalid"); m != "communities: green stands for 64512:3: Community b gave it that name first" {
		t.Errorf("the first object says %q", m)
	}
	lab.Eventually(t, timeout, "the community that is known is not named", func() error {
		if m := c.reason(t, bgp, v1beta1.ConditionReady, "HeldBack"); !strings.HasPrefix(m, "red is no community") {
			return errors.New(m)
		}
		return nil
	})
	if bgp.Status.Accepted != nil {
		t.Errorf("accepted: %+v", bgp.Status.Accepted)
	}
}

func acceptedCommunities(t *testing.T, c *testCluster) {
	a := &v1beta1.Community{ObjectMeta: metav1.ObjectMeta{Name: "a"}}
	a.Spec.Communities = []v1beta1.CommunityAlias{{Name: "blue", Value: "64512:1"}}
	must(t, c.Create(t.Context(), a))
	bgp := &v1beta1.BGPAdvertisement{ObjectMeta: metav1.ObjectMeta{Name: "bgp"}}
	bgp.Spec.Communities, bgp.Spec.ServiceSelectors = []string{"no-export", "blue"}, []v1beta1.LabelSelector{{MatchLabels: map[string]v1beta1.LabelValue{"a": "b"}}}
	must(t, c.Create(t.Context(), bgp))
	c.reason(t, bgp, v1beta1.ConditionReady, "Valid")
	must(t, c.Delete(t.Context(), a))
	if m := c.reason(t, bgp, v1beta1.ConditionReady, "NotFound"); !strings.HasSuffix(m, "what it said in generation 1 counts until then") {
		t.Errorf("it says %q", m)
	}
	bgp.Spec.Communities = []string{"no_export"}
	must(t, c.Update(t.Context(), bgp))
	lab.Eventually(t, timeout, "the word and the nearest one are named", func() error {
		if m := c.reason(t, bgp, v1beta1.ConditionReady, "NotFound"); !strings.HasPrefix(m, "no_export is no community: did you mean no-export?") {
			return errors.New(m)
		}
		return nil
	})
	accepted := bgp.Status.Accepted
	if accepted == nil || accepted.Generation != 1 || strings.Join(accepted.Spec.Communities, " ") != "64512:1 65535:65281" || len(accepted.Spec.ServiceSelectors) != 1 {
		t.Errorf("accepted: %+v", accepted)
	}
	bgp.Spec.Communities = []string{"no-export"}
	must(t, c.Update(t.Context(), bgp))
	c.reason(t, bgp, v1beta1.ConditionReady, "Valid")
	if accepted := bgp.Status.Accepted; accepted.Generation != 3 || strings.Join(accepted.Spec.Communities, " ") != "65535:65281" {
		t.Errorf("accepted: %+v", accepted)
	}
}

func (c *testCluster) peer(t *testing.T, name string, change ...func(*v1beta1.BGPPeerSpec)) *v1beta1.BGPPeer {
	t.Helper()
	asn := int64(64513)
	p := &v1beta1.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: name}}
	p.Spec = v1beta1.BGPPeerSpec{
		MyASN: 64512, PeerASN: &asn, PeerAddress: "192.0.2.254", HoldTime: metav1.Duration{Duration: 9 * time.Second},
		KeepaliveTime: metav1.Duration{Duration: 3 * time.Second}, ConnectTime: metav1.Duration{Duration: time.Second},
	}
	p.Spec.GracefulRestart.RestartTime.Duration = 120 * time.Second
	for _, f := range change {
		f(&p.Spec)
	}
	must(t, c.Create(t.Context(), p))
	return p
}

func peerReferences(t *testing.T, c *testCluster) {
	p := c.peer(t, "tor", func(spec *v1beta1.BGPPeerSpec) {
		spec.BFDProfile, spec.PasswordSecret = "fast", &v1beta1.SecretReference{Name: "tor", Key: "password"}
	})
	if m := c.reason(t, p, v1beta1.ConditionReady, "NotFound"); m != "BFDProfile fast does not exist: the default parameters of BFD count" {
		t.Errorf("it says %q", m)
	}
	must(t, c.Create(t.Context(), &v1beta1.BFDProfile{ObjectMeta: metav1.ObjectMeta{Name: "fast"}}))
	says := func(what, reason, message string) {
		t.Helper()
		lab.Eventually(t, timeout, what+" is said", func() error {
			if m := c.reason(t, p, v1beta1.ConditionReady, reason); m != message {
				return errors.New(m)
			}
			return nil
		})
	}
	says("the Secret that is missing", "NotFound", "Secret tor does not exist in the namespace of Daymark")
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: daymarkNamespace, Name: "tor"}, Data: map[string][]byte{"other": []byte("x")}}
	must(t, c.Create(t.Context(), secret))
	t.Cleanup(func() { _ = c.Delete(t.Context(), secret) })
	says("the key that is missing", "NotFound", "Secret tor has no key password; it has other")
	edit(t, c, secret, func(s *corev1.Secret) { s.Data["password"] = []byte("\n") })
	says("the password that is empty", "BadPassword", "the password in Secret tor, key password, is empty")
	edit(t, c, secret, func(s *corev1.Secret) { s.Data["password"] = []byte("lighthouse \n") })
	const odd = "the password in Secret tor, key password, ends in white space; it is used as it is"
	says("the odd password", "Accepted", "no node is there that could have a session; "+odd)
	edit(t, c, secret, func(s *corev1.Secret) { s.Data["password"] = []byte("lighthouse\n") })
	says("nothing of a file's line end", "Accepted", "no node is there that could have a session")
}

func TestLoop_CountsOfAPoolWaitForAPass(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	l := newLoop(Config{})
	l.now = func() time.Time { return now }
	blue := objectKey{kind: "IPAddressPool", name: "blue"}
	if !l.due(blue, countsInterval) {
		t.Error("counts that were never written are not due")
	}
	l.written.Store(blue, now.Add(-countsInterval/2))
	if l.due(blue, countsInterval) || l.again != countsInterval/2+loop.MaxInterval {
		t.Errorf("the loop runs again after %s", l.again)
	}
	now = now.Add(countsInterval / 2)
	if !l.due(blue, countsInterval) {
		t.Error("the counts are not due after the interval")
	}
}
