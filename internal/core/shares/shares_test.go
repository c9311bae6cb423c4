package shares

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func names(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprint("n", i)
	}
	return all
}

func TestShare_IsTheLastFourBytesOfTheClient(t *testing.T) {
	for client, want := range map[string]int{
		"0.0.0.59": 59, "0.0.0.60": 0, "192.0.2.10": (192<<24 + 2<<8 + 10) % Count, "::ffff:192.0.2.10": (192<<24 + 2<<8 + 10) % Count,
		"2001:db8::7": 7, "fe80::1:0:3d": 1, "fe80::3d%eth0": 1,
	} {
		if got := Share(netip.MustParseAddr(client)); got != want {
			t.Errorf("%s has share %d, not %d", client, got, want)
		}
	}
	if got := Share(netip.Addr{}); got != 0 {
		t.Errorf("no address has share %d", got)
	}
}

func TestTable_SaysWhoServesWhom(t *testing.T) {
	of := bytes.Repeat([]byte{0, 1, 1}, Count/3)
	table, ok := Make([]string{"a", "bb"}, of)
	if !ok || !table.Shared() || !slices.Equal(table.Servers(), []string{"a", "bb"}) || !bytes.Equal(table.Indexes(), of) {
		t.Fatalf("ok: %t, servers %v, of %v", ok, table.Servers(), table.Indexes())
	}
	for client, want := range map[string]string{"192.0.2.0": "", "0.0.0.0": "a", "0.0.0.1": "bb", "0.0.0.2": "bb", "0.0.0.3": "a"} {
		got := table.Server(netip.MustParseAddr(client))
		if want != "" && got != want || !table.Of(got).Serves(netip.MustParseAddr(client)) {
			t.Errorf("%s is served by %s", client, got)
		}
	}
	if table.Of("a").Len() != 20 || table.Of("bb") != All&^table.Of("a") || table.Of("b") != 0 || table.Has("b") || !table.Has("bb") || table.Has("") {
		t.Errorf("a has %v, bb %v", table.Of("a"), table.Of("bb"))
	}
	if got := table.String(); got != "a:20 bb:40" || table.Balanced() {
		t.Errorf("%s, balanced: %t", got, table.Balanced())
	}
	if got := slices.Collect(Set(1<<3 | 1<<59).Each()); !slices.Equal(got, []int{3, 59}) {
		t.Errorf("the shares are %v", got)
	}
}

func TestTable_ZeroIsNotShared(t *testing.T) {
	var none Table
	client := netip.MustParseAddr("192.0.2.1")
	if none.Shared() || none.Servers() != nil || none.Indexes() != nil || none.Server(client) != "" || none.Has("") || none.Of("") != 0 ||
		!none.Balanced() || none.String() != "not shared" {
		t.Errorf("%v", none)
	}
}

func TestMake_RefusesWhatIsNoTable(t *testing.T) {
	of := make([]byte, Count)
	for name, damaged := range map[string]struct {
		servers []string
		of      []byte
	}{
		"no server":             {nil, of},
		"too many servers":      {names(MaxServers + 1), of},
		"a server without name": {[]string{"", "a"}, of},
		"servers out of order":  {[]string{"b", "a"}, of},
		"a server twice":        {[]string{"a", "a"}, of},
		"a name of two":         {[]string{"a\x00b"}, of},
		"names that are long":   {[]string{strings.Repeat("a", maxNames/4), "b"}, of},
		"a share too few":       {[]string{"a"}, of[1:]},
		"a share too many":      {[]string{"a"}, append(slices.Clone(of), 0)},
		"a server that is not":  {[]string{"a"}, append(slices.Clone(of[1:]), 1)},
	} {
		if table, ok := Make(damaged.servers, damaged.of); ok || table.Shared() {
			t.Errorf("%s: %v", name, table)
		}
	}
	if _, ok := Make([]string{strings.Repeat("a", maxNames/4-1), "b"}, of); !ok {
		t.Error("names that just fit are refused")
	}
}
