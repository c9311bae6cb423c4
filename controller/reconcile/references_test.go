package reconcile

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/e2e/lab"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// refused waits until the deletion of an object is refused with some words: the API server takes a policy and its parameters up after
// a while.
func (c *testCluster) refused(t *testing.T, object client.Object, words string) {
	t.Helper()
	lab.Eventually(t, timeout, "the deletion is refused: "+words, func() error {
		err := c.Delete(t.Context(), object, client.DryRunAll)
		switch {
		case err == nil:
			return errors.New("it may be deleted")
		case !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), words):
			return err
		}
		return nil
	})
}

// deletable waits until an object may be deleted.
func (c *testCluster) deletable(t *testing.T, object client.Object) {
	t.Helper()
	lab.Eventually(t, timeout, object.GetName()+" may be deleted", func() error { return c.Delete(t.Context(), object, client.DryRunAll) })
}

func allow(object client.Object) {
	object.SetAnnotations(map[string]string{v1beta1.AnnotationAllowDeletion: "true"})
}

// The Secrets that are guarded are those of the namespace that Daymark runs in, whatever it is called.
func TestPolicies_WhatIsNamedIsNotDeletedByMistake(t *testing.T) {
	for _, namespace := range []string{daymarkNamespace, "load-balancer"} {
		t.Run(namespace, func(t *testing.T) { testReferences(t, namespace) })
	}
}

// installed is a cluster with the policies, and a namespace that has what the one of config/default has.
func installed(t *testing.T, namespace string) *testCluster {
	t.Helper()
	c := newCluster(t)
	text, err := os.ReadFile("../../config/default/namespace.yaml")
	must(t, err)
	own := &corev1.Namespace{}
	must(t, yaml.UnmarshalStrict(text, own))
	own.Name = namespace
	must(t, client.IgnoreAlreadyExists(c.Create(t.Context(), own.DeepCopy())))
	must(t, c.Update(t.Context(), own))
	c.apply(t, "../../config/rbac/reference_in_use.yaml", namespace)
	return c
}

func testReferences(t *testing.T, namespace string) {
	c := installed(t, namespace)
	profile, other := &v1beta1.BFDProfile{}, &v1beta1.BFDProfile{}
	profile.Name, other.Name = "fast", "slow"
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "tor"}, Data: map[string][]byte{"password": []byte("secret")}}
	elsewhere := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "tor"}}
	names := &v1beta1.Community{ObjectMeta: metav1.ObjectMeta{Name: "ours"}}
	names.Spec.Communities = []v1beta1.CommunityAlias{{Name: "blue", Value: "64512:1"}, {Name: "red", Value: "64512:2"}, {Name: "blackhole", Value: "65535:666"}}
	for _, object := range []client.Object{profile, other, secret, elsewhere, names} {
		must(t, c.Create(t.Context(), object))
		c.deletable(t, object) // without any BGPPeer or BGPAdvertisement
	}
	c.peer(t, "first")
	peer := c.peer(t, "tor", func(spec *v1beta1.BGPPeerSpec) {
		spec.BFDProfile, spec.PasswordSecret = "fast", &v1beta1.SecretReference{Name: "tor", Key: "password"}
	})
	bgp := &v1beta1.BGPAdvertisement{ObjectMeta: metav1.ObjectMeta{Name: "wan"}}
	bgp.Spec.Communities = []string{"blue", "blackhole"}
	must(t, c.Create(t.Context(), bgp))

	c.refused(t, profile, `BGPPeer tor names BFDProfile fast: set its annotation daymark.io/allow-deletion to "true"`)
	c.refused(t, secret, `BGPPeer tor has its password in Secret tor: set its annotation daymark.io/allow-deletion to "true"`)
	c.refused(t, names, `BGPAdvertisement wan uses blue of Community ours: set its annotation daymark.io/allow-deletion to "true"`)
	c.deletable(t, other)
	c.deletable(t, elsewhere)

	changed := names.DeepCopy()
	changed.Spec.Communities = names.Spec.Communities[1:]
	if err := c.Update(t.Context(), changed, client.DryRunAll); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "uses blue of Community ours") {
		t.Errorf("a name that is used can be taken away: %v", err)
	}
	changed.Spec.Communities = []v1beta1.CommunityAlias{{Name: "blue", Value: "64512:9"}}
	must(t, c.Update(t.Context(), changed, client.DryRunAll)) // names that are not used go, and values change
	changed.Spec.Communities = names.Spec.Communities[1:]
	allow(changed)
	must(t, c.Update(t.Context(), changed, client.DryRunAll))

	testPasswords(t, c, secret)
	testSecretThatIsUsedStill(t, c, secret, peer)
	testProfileThatIsUsedStill(t, c, profile, peer)

	for _, object := range []client.Object{profile, secret, names} {
		allow(object)
		must(t, c.Update(t.Context(), object))
		must(t, c.Delete(t.Context(), object, client.DryRunAll))
		object.SetAnnotations(nil)
		must(t, c.Update(t.Context(), object))
	}
	must(t, c.Delete(t.Context(), peer))
	must(t, c.Delete(t.Context(), bgp))
	for _, object := range []client.Object{profile, secret, elsewhere, names} {
		lab.Eventually(t, timeout, "it can be deleted with what named it", func() error { return c.Delete(t.Context(), object) })
	}
}

// testPasswords changes the password in a Secret that BGPPeer tor names: the policy and lb.ParsePassword are of one mind.
func testPasswords(t *testing.T, c *testCluster, secret *corev1.Secret) {
	t.Helper()
	change := func(before, after map[string][]byte, annotations map[string]string) error {
		secret.Data, secret.Annotations = before, map[string]string{v1beta1.AnnotationAllowDeletion: "true"}
		must(t, c.Update(t.Context(), secret))
		secret.Annotations = nil
		must(t, c.Update(t.Context(), secret))
		changed := secret.DeepCopy()
		changed.Data, changed.Annotations = after, annotations
		return c.Update(t.Context(), changed, client.DryRunAll)
	}
	const words = `BGPPeer tor has its password in Secret tor, and would have none that can be used under the key password: ` +
		`set its annotation daymark.io/allow-deletion to "true" to change it all the same`
	good := map[string][]byte{"password": []byte("secret"), "other": nil}
	values := []string{"", "\n", "\r\n", "\n\n", " ", "\x00", "p", "new one\n"}
	for n := 77; n <= 86; n++ {
		for _, end := range []string{"", "\n", "\r\n", "\n\n", "\r", "J", "NJ"} {
			values = append(values, strings.Repeat("p", n-len(end))+end)
		}
	}
	for _, value := range values {
		_, _, unusable := lb.ParsePassword([]byte(value))
		err := change(good, map[string][]byte{"password": []byte(value)}, nil)
		switch {
		case unusable == nil && err != nil:
			t.Errorf("a password of %d bytes, %q, is refused: %v", len(value), value, err)
		case unusable != nil && (!apierrors.IsForbidden(err) || !strings.Contains(err.Error(), words)):
			t.Errorf("a password of %d bytes, %q, is accepted, or refused with other words: %v", len(value), value, err)
		}
	}
	for _, gone := range []map[string][]byte{nil, {}, {"other": []byte("secret")}} {
		if err := change(good, gone, nil); !apierrors.IsForbidden(err) {
			t.Errorf("the password can be taken away: %v", err)
		}
	}
	must(t, change(good, nil, map[string]string{v1beta1.AnnotationAllowDeletion: "true"}))
	must(t, change(good, good, map[string]string{"example.com/any": "thing"}))
	must(t, change(map[string][]byte{"password": nil}, nil, nil)) // there was none
	must(t, change(map[string][]byte{"password": nil}, good, nil))
	must(t, change(good, good, nil))
}

// testSecretThatIsUsedStill has the BGPPeer name another Secret, which is not there: what it named before is in use, as its status says.
func testSecretThatIsUsedStill(t *testing.T, c *testCluster, secret *corev1.Secret, peer *v1beta1.BGPPeer) {
	t.Helper()
	before := peer.DeepCopy()
	peer.Status.Accepted = &v1beta1.AcceptedBGPPeer{Generation: peer.Generation, Spec: before.Spec}
	must(t, c.Status().Update(t.Context(), peer))
	peer.Spec.PasswordSecret.Name = "renamed"
	must(t, c.Update(t.Context(), peer))
	c.refused(t, secret, `BGPPeer tor has its password in Secret tor: set its annotation`)
	losesKey := func(key string) error {
		changed := secret.DeepCopy()
		delete(changed.Data, key)
		return c.Update(t.Context(), changed, client.DryRunAll)
	}
	for _, misspelt := range []v1beta1.SecretReference{{Name: "tor", Key: "pasword"}, {Name: "renamed", Key: "password"}} {
		peer.Spec.PasswordSecret = &misspelt
		must(t, c.Update(t.Context(), peer))
		lab.Eventually(t, timeout, "its password cannot be taken away", func() error {
			const words = "BGPPeer tor has its password in Secret tor, and would have none that can be used under the key password: set"
			if err := losesKey("password"); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), words) {
				return fmt.Errorf("it can: %w", err)
			}
			return nil
		})
		must(t, losesKey("other"))
	}
	peer.Status.Accepted.Spec.PasswordSecret = &v1beta1.SecretReference{Name: "renamed", Key: "password"}
	must(t, c.Status().Update(t.Context(), peer))
	lab.Eventually(t, timeout, "a Secret that nothing names can be deleted", func() error { return c.Delete(t.Context(), secret, client.DryRunAll) })
	peer.Spec = before.Spec
	must(t, c.Update(t.Context(), peer))
	c.refused(t, secret, "has its password in Secret tor")
}

// testProfileThatIsUsedStill has an edit of the BGPPeer that is not accepted name no BFDProfile: its sessions go on with the one before.
func testProfileThatIsUsedStill(t *testing.T, c *testCluster, profile *v1beta1.BFDProfile, peer *v1beta1.BGPPeer) {
	t.Helper()
	before := peer.DeepCopy()
	peer.Status.Accepted = &v1beta1.AcceptedBGPPeer{Generation: peer.Generation, Spec: before.Spec}
	must(t, c.Status().Update(t.Context(), peer))
	peer.Spec.BFDProfile = ""
	must(t, c.Update(t.Context(), peer))
	c.deletable(t, profile) // nobody has said yet that the edit is not accepted
	peer.Status.ObservedGeneration = peer.Generation
	must(t, c.Status().Update(t.Context(), peer))
	c.refused(t, profile, `BGPPeer tor goes on as before it was edited, with BFDProfile fast: set its annotation daymark.io/allow-deletion to "true"`)
	peer.Status.Accepted.Spec.BFDProfile = ""
	must(t, c.Status().Update(t.Context(), peer))
	c.deletable(t, profile)
	peer.Spec = before.Spec
	must(t, c.Update(t.Context(), peer))
	c.refused(t, profile, `BGPPeer tor names BFDProfile fast`)
}

func TestPolicies_NamespaceCanBeDeletedWithSecretsInUse(t *testing.T) {
	c := installed(t, daymarkNamespace)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: daymarkNamespace, Name: "tor"}}
	must(t, c.Create(t.Context(), secret))
	c.peer(t, "tor", func(spec *v1beta1.BGPPeerSpec) {
		spec.PasswordSecret = &v1beta1.SecretReference{Name: "tor", Key: "password"}
	})
	c.refused(t, secret, "has its password in Secret tor")
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: daymarkNamespace}}
	must(t, c.Delete(t.Context(), namespace))
	lab.Eventually(t, timeout, "the namespace goes", func() error {
		must(t, c.Get(t.Context(), client.ObjectKeyFromObject(namespace), namespace))
		if namespace.DeletionTimestamp == nil {
			return fmt.Errorf("it is %s", namespace.Status.Phase)
		}
		return c.Delete(t.Context(), secret) // as the namespace's controller does
	})
}
