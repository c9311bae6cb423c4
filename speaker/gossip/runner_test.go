package gossip

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
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
	timing, _ := Preset(Fast)
	r := NewRunner("n1", Bind{Address: at.Addr(), Port: at.Port(), Timing: timing}, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Start(ctx) }()
	if err := r.Set(Desired{Keys: [][]byte{[]byte("k")}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the gossip says why it does not work", func() bool { return r.View().Why != "" })
	_ = taken.Close()
	eventually(t, "the gossip works", func() bool { return r.View().Known })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
