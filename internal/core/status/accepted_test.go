package status

import (
	"testing"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// What is accepted of a BGPPeer names a password that can be used, as long as there was one; the condition says what goes on.
func TestAcceptPeer_PasswordThatCannotBeUsed(t *testing.T) {
	names := func(name string) *v1beta1.SecretReference {
		if name == "" {
			return nil
		}
		return &v1beta1.SecretReference{Name: name, Key: "password"}
	}
	for _, test := range []struct {
		name, before, now, want, says string
		isNew                         bool
	}{
		{"another that can be used", "", "tor", "tor", "", false},
		{"a misspelt one", "tor", "tro", "tor", "Secret tro does not exist in the namespace of Daymark: its sessions go on with the password in Secret tor, key password", false},
		{"a first one that is missing", "", "tro", "", "Secret tro does not exist in the namespace of Daymark: its sessions go on without a password", false},
		{"none any more", "tor", "", "", "", false},
		{"of a new peer", "", "tro", "tro", "Secret tro does not exist in the namespace of Daymark", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newPeerScene().speaks("n1", up).secret("password", "secret", "password")
			o := &v1beta1.BGPPeer{}
			o.Name, o.Generation = "tor", 2
			o.Spec = v1beta1.BGPPeerSpec{PeerAddress: "192.0.2.1", PeerASN: new(int64(64512)), MyASN: 64512, PasswordSecret: names(test.now)}
			if !test.isNew {
				o.Status.Accepted = &v1beta1.AcceptedBGPPeer{Generation: 1, Spec: *o.Spec.DeepCopy()}
				o.Status.Accepted.Spec.PasswordSecret = names(test.before)
			}
			p := lb.ParsePeer(o)
			references, _ := NewReferences(&s.Objects, peerNow)
			if ready := references.Peer(p).Ready; ready.Message != test.says || ready.True != (test.says == "") {
				t.Errorf("Ready: %s", text(ready))
			}
			if !references.AcceptPeer(o, p, nil) || o.Status.Accepted.Generation != 2 {
				t.Fatalf("not accepted: %v", p.Err)
			}
			if got := o.Status.Accepted.Spec.PasswordSecret; (got == nil) != (test.want == "") || got != nil && got.Name != test.want {
				t.Errorf("accepted is %+v, want %q", got, test.want)
			}
		})
	}
}
