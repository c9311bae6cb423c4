package view

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/lb"
)

// TestRoutes_WhatCannotBeComparedIsSaid of a node with one session, on which nothing is to be announced.
func TestRoutes_WhatCannotBeComparedIsSaid(t *testing.T) {
	peer := &v1beta1.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: "tor"}, Spec: v1beta1.BGPPeerSpec{MyASN: 64512, PeerASN: new(int64(64513)), PeerAddress: "192.0.2.1"}}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}
	const none = "0000000000000000"
	with := func(digest string, change func(*v1beta1.BGPSession)) *v1beta1.Speaker {
		s := &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}
		b := v1beta1.BGPSession{Peer: "tor", Address: "192.0.2.1", State: v1beta1.BGPEstablished, Digest: digest, Families: []v1beta1.AddressFamily{v1beta1.IPv4}}
		if change != nil {
			change(&b)
		}
		s.Status.BGP = []v1beta1.BGPSession{b}
		return s
	}
	for _, test := range []struct {
		name    string
		speaker runtime.Object
		unseen  []Unseen
		want    SentResult
		says    string
	}{
		{"nothing was sent", with(none, nil), nil, SentAgrees, ""},
		{"something was", with("0123456789abcdef", func(b *v1beta1.BGPSession) { b.IPv4 = 2 }), nil, SentDiffers, "2 IPv4 and 0 IPv6 prefixes were sent, and the objects ask for 0 and 0"},
		{"as many others were", with("0123456789abcdef", nil), nil, SentDiffers, "ask for 0 and 0, which are others or have other attributes"},
		{"it waits for BFD", with("0123456789abcdef", func(b *v1beta1.BGPSession) { b.Warning = "waits for BFD" }), nil, SentDiffers, ": waits for BFD"},
		{"an earlier version of the speaker", with("", nil), nil, SentUnknown, "no digest of what it sent"},
		{"a speaker that is gone", goneAs(with(none, nil)), nil, SentUnknown, "its speaker is gone"},
		{"a session that is down", with(none, func(b *v1beta1.BGPSession) { b.State, b.LastError = v1beta1.BGPActive, "refused" }), nil, SentNothing, "refused"},
		{"objects that are not seen", with(none, nil), []Unseen{{Resource: "services"}}, SentUnknown, "that depends on services"},
		{"a router that no BGPPeer has", with(none, func(b *v1beta1.BGPSession) { b.Address = "192.0.2.9" }), nil, SentDiffers, "by the objects there is no such session"},
		{"a session that no report has", &v1beta1.Speaker{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}, nil, SentDiffers, "the node reports no such session"},
		{"no speaker", nil, nil, SentUnknown, "the node has no Speaker object"},
	} {
		t.Run(test.name, func(t *testing.T) {
			objects := []runtime.Object{peer, node}
			if test.speaker != nil {
				objects = append(objects, test.speaker)
			}
			list := New(Input{Objects: objects, Unseen: test.unseen, Now: time.Unix(1_000_000, 0)}).Routes(RouteFilter{Node: "n1"})
			if len(list.Items) == 0 || list.Items[len(list.Items)-1].Sent.Result != test.want ||
				!strings.Contains(list.Items[len(list.Items)-1].Sent.Message, test.says) {
				t.Errorf("it is %+v, want %s: %s", list.Items, test.want, test.says)
			}
		})
	}
}

// TestRoutes_WhatTheSessionDoesNotCarryIsNotSent of an IPv4 and an IPv6 prefix.
func TestRoutes_WhatTheSessionDoesNotCarryIsNotSent(t *testing.T) {
	ipv4, both := []v1beta1.AddressFamily{v1beta1.IPv4}, []v1beta1.AddressFamily{v1beta1.IPv4, v1beta1.IPv6}
	long := &announce.Attributes{Communities: make([]lb.Community, 2000)}
	for _, test := range []struct {
		name       string
		asked      []lb.Family
		negotiated []v1beta1.AddressFamily
		next6      []string
		attributes *announce.Attributes
		want       string
	}{
		{"not asked for", []lb.Family{lb.IPv4}, ipv4, nil, &announce.Attributes{}, "198.51.100.1/32=;"},
		{"not negotiated", []lb.Family{lb.IPv4, lb.IPv6}, ipv4, nil, &announce.Attributes{}, "198.51.100.1/32=;2001:db8::1/128=IPv6 not carried;"},
		{"held back", []lb.Family{lb.IPv4, lb.IPv6}, both, nil, &announce.Attributes{}, "198.51.100.1/32=;2001:db8::1/128=no IPv6 next hop;"},
		{"too long", []lb.Family{lb.IPv4, lb.IPv6}, both, []string{"2001:db8::2"}, long, "198.51.100.1/32=;2001:db8::1/128=attributes too long;"},
		{"sent", []lb.Family{lb.IPv4, lb.IPv6}, both, []string{"2001:db8::2"}, &announce.Attributes{}, "198.51.100.1/32=;2001:db8::1/128=;"},
	} {
		t.Run(test.name, func(t *testing.T) {
			plan := &announce.Session{MyASN: 64512, PeerASN: 64513, Families: test.asked, Paths: []announce.Path{
				{Prefix: netip.MustParsePrefix("198.51.100.1/32"), Attributes: &announce.Attributes{}},
				{Prefix: netip.MustParsePrefix("2001:db8::1/128"), Attributes: test.attributes},
			}}
			reported := &v1beta1.BGPSession{
				State: v1beta1.BGPEstablished, Digest: "0123456789abcdef", Families: test.negotiated,
				NextHops: v1beta1.BGPNextHops{IPv4: []string{"192.0.2.11"}, IPv6: test.next6},
			}
			c, got := New(Input{Now: time.Unix(1_000_000, 0)}), ""
			listed, counted := SessionRoutes{}, SessionRoutes{}
			c.addRoutes(&listed, plan, reported, &RouteFilter{})
			c.addRoutes(&counted, plan, reported, &RouteFilter{Counted: true})
			if len(counted.Routes) > 0 || counted.Prefixes != len(listed.Routes) || counted.NotSent != len(listed.Routes)-strings.Count(test.want, "=;") {
				t.Errorf("counted are %+v", counted)
			}
			for _, line := range listed.Routes {
				got += line.Prefix + "=" + line.NotSent + ";"
			}
			if got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
			sent := strings.Count(test.want, "=;")
			if text := c.difference(&v1beta1.Speaker{}, reported, plan); !strings.Contains(text, map[int]string{1: "for 1 and 0", 2: "for 1 and 1"}[sent]) {
				t.Errorf("of %d: %s", sent, text)
			}
		})
	}
}
