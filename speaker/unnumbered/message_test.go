package unnumbered

import (
	"net"
	"net/netip"
	"testing"

	"github.com/mdlayher/ndp"
)

// marshal returns the bytes of a message.
func marshal(t testing.TB, message ndp.Message) []byte {
	t.Helper()
	bytes, err := ndp.MarshalMessage(message)
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

func TestMessage_Classify(t *testing.T) {
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	advert, solicit := marshal(t, routerAdvertisement(mac)), marshal(t, routerSolicitation(mac))
	changed := func(message []byte, offset int, value byte) []byte {
		message = append([]byte(nil), message...)
		message[offset] = value
		return message
	}
	for _, test := range []struct {
		name    string
		message []byte
		source  string
		want    messageType
	}{
		{"an advertisement", advert, "fe80::1", advertisement},
		{"one without options", marshal(t, routerAdvertisement(nil)), "fe80::1", advertisement},
		{"one of a default router", changed(advert, 7, 30), "fe80::1", advertisement},
		{"one with an option that nobody knows", append(advert[:16:16], 200, 1, 0, 0, 0, 0, 0, 0), "fe80::1", advertisement},
		{
			"one with a link-layer address that is not of the Ethernet kind",
			append(advert[:16:16], append([]byte{1, 3}, make([]byte, 22)...)...), "fe80::1", advertisement,
		},
		{"not from a global address", advert, "2001:db8::1", invalid},
		{"not from nowhere", advert, "::", invalid},
		{"not from IPv4 in disguise", advert, "::ffff:169.254.0.1", invalid},
		{"not with a code", changed(advert, 1, 1), "fe80::1", invalid},
		{"not cut short", advert[:15], "fe80::1", invalid},
		{"not with an option of length 0", changed(advert, 17, 0), "fe80::1", invalid},
		{"not with half an option", advert[:17], "fe80::1", invalid},
		{"not with an option longer than the message", changed(advert, 17, 255), "fe80::1", invalid},

		{"a solicitation", solicit, "fe80::1", solicitation},
		{"one without options", marshal(t, routerSolicitation(nil)), "fe80::1", solicitation},
		{"one of a host that has no address yet", marshal(t, routerSolicitation(nil)), "::", solicitation},
		{"which therefore has no link-layer address to give", solicit, "::", invalid},
		{"not from a group", solicit, "ff02::1", invalid},
		{"not with a code", changed(solicit, 1, 1), "fe80::1", invalid},
		{"not cut short", solicit[:7], "fe80::1", invalid},
		{"not with an option of length 0", changed(solicit, 9, 0), "fe80::1", invalid},

		{"a message of another kind", changed(solicit, 0, 135), "fe80::1", invalid},
		{"nothing", nil, "fe80::1", invalid},
	} {
		if got := classify(test.message, netip.MustParseAddr(test.source)); got != test.want {
			t.Errorf("%s: kind %v, want %v", test.name, got, test.want)
		}
	}
}

// FuzzClassify looks for a message that crashes or hangs, or is rejected although the ndp package accepts it.
func FuzzClassify(f *testing.F) {
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	f.Add(marshal(f, routerAdvertisement(mac)))
	f.Add(marshal(f, routerSolicitation(mac)))
	f.Fuzz(func(t *testing.T, message []byte) {
		if classify(message, netip.MustParseAddr("2001:db8::1")) == advertisement {
			t.Error("an advertisement from a global address")
		}
		got := classify(message, netip.MustParseAddr("fe80::1"))
		if _, err := ndp.ParseMessage(message); err == nil && got == invalid && message[1] == 0 &&
			(message[0] == 133 || message[0] == 134) {
			t.Error("refused what the library takes")
		}
	})
}
