package trace

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode"

	"github.com/gopacket/gopacket/pcapgo"

	"github.com/daymark-lb/daymark/internal/traceapi"
)

// FuzzCapture: whatever speakers say, the file of packets can be read again, has a packet for each event, and text for terminals.
func FuzzCapture(f *testing.F) {
	f.Add(`{"node":"n1","summary":"n2 holds it"}`)
	f.Add(`{"time":"2026-11-27T00:00:00Z","node":"n1","on":"eth0","protocol":"ARP","frame":"AgA="}` + "\n" + `{"node":"n2","on":"eth0","decision":"answered"}`)
	f.Add(`{"node":"n1","on":"tor","protocol":"BGP","direction":"out","frame":"//8=","local":"192.0.2.11:40000","remote":"[2001:db8::1]:179"}`)
	f.Add(`{"time":"0001-01-01T00:00:00Z","node":"\u001b[2J","dropped":-1}`)
	f.Fuzz(func(t *testing.T, lines string) {
		var file bytes.Buffer
		to, err := newCapture(&file)
		if err != nil {
			t.Fatal(err)
		}
		wrote := 0
		for line := range strings.Lines(lines) {
			e := traceapi.Event{}
			if json.Unmarshal([]byte(line), &e) != nil {
				continue
			}
			if err := to.write(&e); err != nil {
				t.Fatalf("write %+v: %v", e, err)
			}
			wrote++
		}
		if wrote > 0 {
			readAgain(t, &file, wrote)
		}
	})
}

func readAgain(t *testing.T, file io.Reader, packets int) {
	t.Helper()
	reader, err := pcapgo.NewNgReader(file, pcapgo.NgReaderOptions{WantMixedLinkType: true})
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; ; n++ {
		_, _, options, err := reader.ReadPacketDataWithOptions()
		if errors.Is(err, io.EOF) {
			if n != packets {
				t.Errorf("%d packets of %d events", n, packets)
			}
			return
		}
		if err != nil {
			t.Fatalf("packet %d: %v", n, err)
		}
		for _, comment := range options.Comments {
			if strings.ContainsFunc(comment, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }) {
				t.Errorf("packet %d says %q", n, comment)
			}
		}
	}
}
