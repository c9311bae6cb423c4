package gossip

import (
	"net/netip"
	"reflect"
	"testing"

	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/proxyhealth"
)

func TestState_LinksSayWhatTheyCannotDo(t *testing.T) {
	address, subnet := netip.MustParsePrefix("192.0.2.9/32"), netip.MustParsePrefix("192.0.2.0/24")
	link := lb.Link{
		Name: "eth0", Up: true, PermanentMAC: "02:00:00:00:00:09", Addresses: []netip.Prefix{address}, Routes: []netip.Prefix{subnet}, Unable: []lb.Family{lb.IPv6},
	}
	got, ok := stateRecord{version: version2, body: State{Links: []lb.Link{link}}.encode(version2)}.decode()
	if !ok || !reflect.DeepEqual(got.Links, []lb.Link{link}) {
		t.Errorf("%+v arrives as %+v", link, got.Links)
	}
	link.Addresses[0] = netip.MustParsePrefix("192.0.2.9/24")
	got, ok = stateRecord{version: version2, body: State{Links: []lb.Link{link}}.encode(version2)}.decode()
	if !ok || got.Links[0].Routes != nil {
		t.Errorf("what follows from an address is told as well: %v", got.Links)
	}
}

func TestState_TellsOfTheServiceProxy(t *testing.T) {
	encode := func(proxy proxyhealth.State) (State, bool) {
		return stateRecord{version: version2, body: State{Proxy: proxy}.encode(version2)}.decode()
	}
	if got, ok := encode(proxyhealth.Withdrawn); !ok || got.Proxy != proxyhealth.Withdrawn {
		t.Errorf("it arrives as %+v", got)
	}
	if got, ok := encode(200); !ok || got.Proxy.AttractsNothing() {
		t.Errorf("a state of a later version arrives as %+v", got)
	}
}
