package status

import (
	"strings"
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

func TestAcceptPeer_StrictModeByAProfileThatNeverWasThere(t *testing.T) {
	fast := &v1beta1.BFDProfileSpec{DetectMultiplier: 3}
	for name, test := range map[string]struct {
		before  *v1beta1.AcceptedBGPPeer
		profile *v1beta1.BFDProfileSpec
		want    bool
		says    string
	}{
		"a new peer":                     {nil, nil, true, ""},
		"it ran without strict mode":     {&v1beta1.AcceptedBGPPeer{}, nil, false, ", and bfdStrict does not until it exists"},
		"it ran with it":                 {&v1beta1.AcceptedBGPPeer{Spec: v1beta1.BGPPeerSpec{BFDProfile: "fast", BFDStrict: true}}, nil, true, ""},
		"it ran with another profile":    {&v1beta1.AcceptedBGPPeer{Spec: v1beta1.BGPPeerSpec{BFDProfile: "old"}, BFDProfile: fast}, nil, true, ""},
		"the profile has come by and by": {&v1beta1.AcceptedBGPPeer{}, fast, true, ", and bfdStrict does not until it exists"},
	} {
		o := &v1beta1.BGPPeer{Spec: v1beta1.BGPPeerSpec{PeerAddress: "192.0.2.1", PeerASN: new(int64(64512)), MyASN: 64512, BFDProfile: "fsat", BFDStrict: true}}
		o.Name, o.Generation, o.Status.Accepted = "tor", 2, test.before
		if o.Status.Accepted != nil {
			o.Status.Accepted.Generation = 1
			o.Status.Accepted.Spec.PeerAddress, o.Status.Accepted.Spec.PeerASN, o.Status.Accepted.Spec.MyASN = "192.0.2.1", new(int64(64512)), 64512
		}
		s := newPeerScene().speaks("n1", up)
		p := lb.ParsePeer(o)
		references, _ := NewReferences(&s.Objects, peerNow)
		if ready := references.Peer(p).Ready; ready.True || !strings.HasSuffix(ready.Message, "count"+test.says) && !strings.HasSuffix(ready.Message, "go on"+test.says) {
			t.Errorf("%s: Ready: %s", name, text(ready))
		}
		if !references.AcceptPeer(o, p, test.profile) || o.Status.Accepted.Spec.BFDStrict != test.want {
			t.Errorf("%s: accepted is %+v", name, o.Status.Accepted)
		}
	}
}
