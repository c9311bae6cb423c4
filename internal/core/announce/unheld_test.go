package announce

import (
	"net/netip"
	"slices"
	"testing"
)

// Whose fault it is that addresses are not held is read from what a speaker has written.
func TestUnheld_NamesTheAdvertisementsAtFault(t *testing.T) {
	text := func(addr, of string) string { return unheldText(netip.MustParseAddr(addr), of) }
	one, both, other := text("192.0.2.200", "lan"), text("192.0.2.201", "lan, dmz"), text("192.0.2.202", "wan")
	for _, test := range []struct {
		name string
		text string
		want []string
	}{
		{"one", UnheldText([]string{one}), []string{"lan"}},
		{"several", UnheldText([]string{one, both, other}), []string{"dmz", "lan", "wan"}},
		{"more than are named", UnheldText([]string{one, one, one, one, one, other, other}), []string{"lan"}},
		{"something else", "bind 192.0.2.1:179: address already in use", nil},
		{"something else as well", one + "\nbind 192.0.2.1:179: address already in use", nil},
		{"something else before", "bind 192.0.2.1:179: address already in use\n" + one + "; x", nil},
		{"nothing", UnheldText(nil), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := UnheldBy(test.text); !slices.Equal(got, test.want) {
				t.Errorf("%q is by %v, want %v", test.text, got, test.want)
			}
		})
	}
}
