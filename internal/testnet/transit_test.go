package testnet

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestParseSegment(t *testing.T) {
	v4 := make([]byte, 52)
	v4[0], v4[3], v4[9] = 0x45, 57, unix.IPPROTO_TCP // 20 + 32 + 5, of which what is kept has no data
	v4[27], v4[31], v4[32] = 7, 9, 0x80
	v6 := append([]byte{0x60, 0, 0, 0, 0, 37, unix.IPPROTO_TCP}, make([]byte, 33)...)
	v6 = append(v6, v4[20:]...)
	want := segmentID{sequence: 7, acknowledged: 9, length: 5}
	for name, packet := range map[string][]byte{"IPv4": v4, "IPv6": v6} {
		if id, isData := parseSegment(packet); !isData || id != want {
			t.Errorf("%s is read as %+v, %t", name, id, isData)
		}
		for n := range len(packet) - 12 {
			if _, isData := parseSegment(packet[:n]); isData {
				t.Errorf("%d bytes of %s are a segment", n, name)
			}
		}
	}
	v4[3] = 52
	if _, isData := parseSegment(v4); isData {
		t.Error("an acknowledgement without data counts")
	}
	v4[3], v4[9] = 57, unix.IPPROTO_UDP
	if _, isData := parseSegment(v4); isData {
		t.Error("a datagram counts")
	}
}
