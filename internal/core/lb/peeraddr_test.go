package lb

import (
	"strings"
	"testing"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

func TestParsePeerAddr_LinkLocalNamesItsInterface(t *testing.T) {
	for text, want := range map[string]string{
		" 192.0.2.1 ":              "192.0.2.1",
		"2001:db8::1":              "2001:db8::1",
		"169.254.0.1":              "169.254.0.1",
		"127.0.0.1":                "127.0.0.1",
		"fe80::1":                  "error: needs the interface that it is on behind it, as in fe80::1%eth0",
		"0.0.0.0":                  "error: is not the address of a router",
		"::":                       "error: is not the address of a router",
		"255.255.255.255":          "error: is not the address of a router",
		"224.0.0.5":                "error: is not the address of a router",
		"ff02::1":                  "error: is not the address of a router",
		"ff02::1%eth0":             "error: only a link-local IPv6 address does",
		"fe80::1%eth0.100":         "fe80::1%eth0.100",
		"::ffff:192.0.2.1":         "192.0.2.1",
		"2001:db8::1%eth0":         "error: only a link-local IPv6 address does",
		"169.254.0.1%eth0":         "error: only a link-local IPv6 address does",
		"fe80::1%":                 "error: does not name an interface",
		"fe80::1%eth0%eth1":        "error: does not name an interface",
		"fe80::1%eth 0":            "error: does not name an interface",
		"fe80::1%sixteen-letters":  "fe80::1%sixteen-letters",
		"fe80::1%sixteen-letters!": "error: does not name an interface",
		"router%eth0":              "error: is not an address",
	} {
		got, err := ParsePeerAddr(text)
		words, fails := strings.CutPrefix(want, "error: ")
		switch {
		case fails && (err == nil || !strings.Contains(err.Error(), words) || got.IsValid()):
			t.Errorf("%q is %s, error %v, want %q", text, got, err, words)
		case !fails && (err != nil || got.String() != want):
			t.Errorf("%q is %s, error %v", text, got, err)
		}
	}
}

func TestParsePeer_SourceAndRouterIDFromTheNode(t *testing.T) {
	asn := int64(64513)
	p := ParsePeer(&v1beta1.BGPPeer{Spec: v1beta1.BGPPeerSpec{
		MyASN: 64512, PeerASN: &asn, PeerAddress: "fe80::1%eth0",
		SourceFrom: &v1beta1.SourceFrom{Interface: "lo"}, RouterIDFrom: &v1beta1.RouterIDFrom{NodeAnnotation: "example.com/id"},
	}})
	if p.Err != nil || p.Address.String() != "fe80::1%eth0" || p.SourceInterface != "lo" || p.SourceAnnotation != "" || p.RouterIDAnnotation != "example.com/id" {
		t.Errorf("%+v", p)
	}
	p = ParsePeer(&v1beta1.BGPPeer{Spec: v1beta1.BGPPeerSpec{
		MyASN: 64512, PeerASN: &asn, PeerAddress: "192.0.2.1", SourceFrom: &v1beta1.SourceFrom{NodeAnnotation: "example.com/loopback"},
	}})
	if p.Err != nil || p.SourceInterface != "" || p.SourceAnnotation != "example.com/loopback" {
		t.Errorf("%+v", p)
	}
}

// An administrator has taken a router out of use by a word of a later version: it must not get all routes for it.
func TestParsePeer_UnknownAdminStateIsNotUnderstood(t *testing.T) {
	spec := aPeer()
	peer := &v1beta1.BGPPeer{Spec: spec}
	peer.Spec.AdminState = "Drained"
	p := ParsePeer(peer)
	if p.Err == nil || !strings.Contains(p.Err.Error(), `adminState: "Drained" is none of [Up Maintenance Down]`) || p.AdminState != v1beta1.AdminUp {
		t.Errorf("it is %s, and its error is %v", p.AdminState, p.Err)
	}
	spec.AdminState = v1beta1.AdminDown
	peer.Status.Accepted = &v1beta1.AcceptedBGPPeer{Spec: spec}
	if got := InForce(ParsePeer(peer), nil).AdminState; got != v1beta1.AdminDown {
		t.Errorf("what counts is %s, want what was understood before", got)
	}
}
