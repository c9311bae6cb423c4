package gossip

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// A membership that starts again registers its metrics again, which must not be refused as a duplicate.
func TestRunner_StartsAgainWhenItsPortIsFree(t *testing.T) {
	at := netip.MustParseAddrPort("127.3.0.1:17946")
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	timing, _ := Preset(Fast, true)
	r := NewRunner("n1", Bind{Address: at.Addr(), Port: at.Port(), Timing: timing}, slog.New(slog.DiscardHandler), prometheus.NewRegistry(), nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Start(ctx) }()
	if err := r.Set(Desired{Keys: [][]byte{[]byte("k")}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the gossip says what has its port", func() bool {
		return strings.Contains(r.View().Why, "address already in use; another program of node n1 has that port")
	})
	_ = taken.Close()
	eventually(t, "the gossip works", func() bool { return r.View().Known })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestRunner_SaysWhatIsMissing(t *testing.T) {
	own := []netip.Addr{netip.MustParseAddr("192.0.2.1")}
	key := [][]byte{[]byte("k")}
	for _, test := range []struct {
		name    string
		bind    Bind
		desired *Desired
		why     string
	}{
		{"turned off", Bind{Off: true}, &Desired{Addresses: own, Keys: key}, "turned off"},
		{"nothing read yet", Bind{}, nil, "not been read"},
		{"no key", Bind{}, &Desired{Addresses: own}, "Secret daymark-gossip is not there"},
		{"no address", Bind{}, &Desired{Keys: key}, "Node n1 has no InternalIP"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := NewRunner("n1", test.bind, slog.New(slog.DiscardHandler), prometheus.NewRegistry(), nil)
			if test.desired != nil {
				if err := r.Set(*test.desired); err != nil {
					t.Fatal(err)
				}
			}
			if v := r.View(); v.Known || !strings.Contains(v.Why, test.why) {
				t.Errorf("known is %v, because %q, want %q", v.Known, v.Why, test.why)
			}
			if len(r.begin) > 0 {
				t.Error("it begins all the same")
			}
		})
	}
}

// As behind a NAT, where the cloud gives the node an address that only the router has.
func TestRunner_SaysThatNoInterfaceHasTheAddress(t *testing.T) {
	timing, _ := Preset(Fast, true)
	r := NewRunner("n1", Bind{Port: 7946, Timing: timing}, slog.New(slog.DiscardHandler), prometheus.NewRegistry(), nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Start(ctx) }()
	if err := r.Set(Desired{Keys: secrets("k"), Addresses: []netip.Addr{netip.MustParseAddr("203.0.113.5")}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it says so", func() bool { return strings.Contains(r.View().Why, "no interface of node n1 has that address") })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// The address is known before anything listens, and changes only when the node has lost it.
func TestRunner_ChoosesAnAddress(t *testing.T) {
	first, second := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	r := NewRunner("n1", Bind{Port: 7946}, slog.New(slog.DiscardHandler), prometheus.NewRegistry(), nil)
	for _, step := range []struct {
		addresses []netip.Addr
		want      netip.Addr
	}{
		{[]netip.Addr{first, second}, first},
		{[]netip.Addr{second, first}, first},
		{nil, first},
		{[]netip.Addr{second}, second},
		{[]netip.Addr{first, second}, second},
	} {
		if err := r.Set(Desired{Addresses: step.addresses}); err != nil {
			t.Fatal(err)
		}
		if want := netip.AddrPortFrom(step.want, 7946); r.Address() != want {
			t.Errorf("of %v it chose %v, want %v", step.addresses, r.Address(), want)
		}
	}
	configured := NewRunner("n1", Bind{Address: second, Port: 1}, slog.New(slog.DiscardHandler), prometheus.NewRegistry(), nil)
	if err := configured.Set(Desired{Addresses: []netip.Addr{first}}); err != nil || configured.Address() != netip.AddrPortFrom(second, 1) {
		t.Errorf("instead of the configured address %v, %v", configured.Address(), err)
	}
}
