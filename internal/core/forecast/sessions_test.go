package forecast

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daymark-lb/daymark/api/v1beta1"
	"github.com/daymark-lb/daymark/internal/core/announce"
)

// peers are BGPPeers with a password that nobody but the speakers can read, by name and router: "tor 192.0.2.1". The longer the name the older.
func peers(texts ...string) (list []*v1beta1.BGPPeer) {
	for _, text := range texts {
		name, router, _ := strings.Cut(text, " ")
		router, down := strings.CutSuffix(router, " down")
		peer := &v1beta1.BGPPeer{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(time.Unix(1_700_000_000, 0))}}
		if peer.Spec.MyASN, peer.Spec.PeerASN, peer.Spec.PeerAddress = 64512, new(int64(64513)), router; down {
			peer.Spec.AdminState = v1beta1.AdminDown
		}
		peer.CreationTimestamp.Time = peer.CreationTimestamp.Add(time.Duration(len(name)) * -time.Hour)
		peer.Spec.PasswordSecret = &v1beta1.SecretReference{Name: "bgp"}
		list = append(list, peer)
	}
	return list
}

// TestOutcome_PeersThatLeadToOneRouter: the oldest has the session. Where another one comes to have it, the session goes on under its name.
func TestOutcome_PeersThatLeadToOneRouter(t *testing.T) {
	const spine, tor = "spine 192.0.2.1", "tor 192.0.2.1"
	const up, idle, active = v1beta1.BGPEstablished, v1beta1.BGPIdle, v1beta1.BGPActive
	report := func(peer string, state v1beta1.BGPSessionState, lastError string) v1beta1.BGPSession {
		return v1beta1.BGPSession{Peer: peer, Address: "192.0.2.1", State: state, LastError: lastError}
	}
	overridden := report("tor", active, "BGPPeer spine names the same router, 192.0.2.1:179, and is older")
	usual := []v1beta1.BGPSession{report("spine", up, ""), overridden}
	passedOver := []v1beta1.BGPSession{report("spine", active, "Secret bgp has no usable password"), report("tor", up, "")}
	if announce.OlderPeer(overridden.LastError) != "spine" {
		t.Fatal(overridden.LastError)
	}
	for _, test := range []struct {
		name      string
		was, is   []string
		to        []string
		reports   []v1beta1.BGPSession
		effects   string
		overrides string
	}{
		{name: "the older one is deleted", was: []string{spine, tor}, is: []string{tor}, reports: usual},
		{name: "the younger one is deleted", was: []string{spine, tor}, is: []string{spine}, reports: usual},
		{name: "the younger one is new", was: []string{spine}, is: []string{spine, tor}, reports: usual[:1], overrides: "tor"},
		{name: "the younger one is new, and routes are for it alone", was: []string{spine}, is: []string{spine, tor}, to: []string{"tor"}, reports: usual[:1], overrides: "tor"},
		{name: "the older one is deleted, and routes are for it alone", was: []string{spine, tor}, is: []string{tor}, to: []string{"spine"}, reports: usual, effects: "Withdrawn"},
		{name: "the older one is deleted, and routes are for the other alone", was: []string{spine, tor}, is: []string{tor}, to: []string{"tor"}, reports: usual, effects: "Announced"},
		{name: "the older one has another router", was: []string{spine, tor}, is: []string{"spine 192.0.2.2", tor}, reports: usual, effects: "Attributes"},
		{
			name: "the older one comes to the router of the other", was: []string{"spine 192.0.2.2", tor}, is: []string{spine, tor},
			reports: []v1beta1.BGPSession{{Peer: "spine", Address: "192.0.2.2", State: active}, report("tor", up, "")}, overrides: "tor",
		},
		{name: "one that cannot have the session is deleted", was: []string{spine, tor}, is: []string{tor}, reports: passedOver},
		{name: "the other one cannot have the session", was: []string{spine, tor}, is: []string{spine}, reports: passedOver, effects: "Withdrawn"},
		{name: "a third one is new", was: []string{spine, tor}, is: []string{spine, tor, "me 192.0.2.1"}, reports: passedOver, overrides: "me"},
		{name: "the router is down", was: []string{spine, tor}, is: []string{tor}, reports: []v1beta1.BGPSession{report("spine", active, "timeout"), overridden}},
		{
			name: "the older one is Down, and deleted", was: []string{spine + " down", tor}, is: []string{tor},
			reports: []v1beta1.BGPSession{report("spine", idle, ""), overridden}, effects: "Announced",
		},
		{name: "the older one is Down now", was: []string{spine, tor}, is: []string{spine + " down", tor}, reports: usual, effects: "Withdrawn"},
	} {
		t.Run(test.name, func(t *testing.T) {
			before, after := outcomes(peers(test.was...), peers(test.is...), test.to, test.reports)
			var effects []string
			changes, _ := Compare(before, after)
			for _, change := range changes {
				for _, effect := range change.Effects {
					effects = append(effects, string(effect.Effect))
				}
			}
			if got := strings.Join(effects, " "); got != test.effects {
				t.Errorf("effects are %q, not %q: %+v", got, test.effects, changes)
			}
			if test.overrides != "" && !after.world.Overridden[announce.NodePeer{Node: "n0", Peer: test.overrides}] {
				t.Errorf("overridden are %v", after.world.Overridden)
			}
		})
	}
}

// outcomes with some peers, and with others, of a Service that is announced to some of them; none: to all.
func outcomes(was, is []*v1beta1.BGPPeer, to []string, reports []v1beta1.BGPSession) (before, after *Outcome) {
	r := lan(2, 1, v1beta1.SharingNone)
	by := &v1beta1.BGPAdvertisement{ObjectMeta: metav1.ObjectMeta{Name: "wan"}}
	by.Spec.Peers = to
	var objects []runtime.Object
	for _, object := range append(r.objects, by) {
		switch o := object.(type) {
		case *v1beta1.L2Advertisement:
			continue
		case *v1beta1.Speaker:
			o.Status.BGP = reports
		}
		objects = append(objects, object)
	}
	with := func(peers []*v1beta1.BGPPeer) (all []runtime.Object) {
		all = append(all, objects...)
		for _, peer := range peers {
			all = append(all, peer)
		}
		return all
	}
	before = Start(with(was), r.now, settings)
	return before, before.Next(with(is))
}
