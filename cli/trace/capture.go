package trace

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"unicode"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"k8s.io/cli-runtime/pkg/printers"

	"github.com/daymark-lb/daymark/internal/traceapi"
)

// upperPDU is LINKTYPE_WIRESHARK_UPPER_PDU: a message without the packets that carried it, with tags that say what it is.
const upperPDU = layers.LinkType(252)

// Tags of an upper PDU, as wsutil/exported_pdu_tlvs.h of Wireshark has them.
const (
	tagEnd             = 0
	tagDissector       = 12
	tagIPv4Source      = 20
	tagIPv4Destination = 21
	tagIPv6Source      = 22
	tagIPv6Destination = 23
	tagSourcePort      = 25
	tagDestinationPort = 26
)

// capture writes events as packets in the form of pcapng. Each interface of each node is one of the file.
type capture struct {
	writer     *pcapgo.NgWriter
	interfaces map[captureKey]int
}

type captureKey struct {
	node, on string
	link     layers.LinkType
}

// create a file; - is stdout, which is not closed.
func create(name string, stdout io.Writer) (io.WriteCloser, error) {
	if name == "-" {
		return struct {
			io.Writer
			io.Closer
		}{stdout, io.NopCloser(nil)}, nil
	}
	file, err := os.Create(name)
	if err != nil {
		return nil, fmt.Errorf("write packets: %w", err)
	}
	return file, nil
}

func newCapture(to io.Writer) (*capture, error) {
	first := pcapgo.NgInterface{Name: "decisions", LinkType: upperPDU}
	options := pcapgo.NgWriterOptions{SectionInfo: pcapgo.NgSectionInfo{Application: "kubectl daymark trace"}}
	writer, err := pcapgo.NewNgWriterInterface(to, first, options)
	if err != nil {
		return nil, fmt.Errorf("write packets: %w", err)
	}
	return &capture{writer, map[captureKey]int{}}, nil
}

// write writes an event. What has no frame becomes a message of its words.
func (c *capture) write(e *traceapi.Event) error {
	data, link := e.Frame, layers.LinkTypeEthernet
	switch {
	case len(data) == 0:
		data, link = asUpperPDU("data-text-lines", e, []byte(words(e)+"\n")), upperPDU
	case e.Protocol == traceapi.BGP:
		data, link = asUpperPDU("bgp", e, data), upperPDU
	}
	number, err := c.interfaceOf(captureKey{e.Node, e.On, link})
	if err != nil {
		return fmt.Errorf("write packets: %w", err)
	}
	info := gopacket.CaptureInfo{Timestamp: e.Time, CaptureLength: len(data), Length: len(data), InterfaceIndex: number}
	comments := pcapgo.NgPacketOptions{Comments: []string{printable(e.Node + ": " + words(e))}}
	if err := c.writer.WritePacketWithOptions(info, data, comments); err != nil {
		return fmt.Errorf("write packets: %w", err)
	}
	return c.writer.Flush()
}

func (c *capture) interfaceOf(key captureKey) (int, error) {
	if number, known := c.interfaces[key]; known {
		return number, nil
	}
	number, err := c.writer.AddInterface(pcapgo.NgInterface{
		Name: key.node + "/" + key.on, Description: "node " + key.node, LinkType: key.link, TimestampResolution: 9,
	})
	c.interfaces[key] = number
	return number, err
}

// asUpperPDU puts before a message the tags that say by what to show it, and whose it is.
func asUpperPDU(dissector string, e *traceapi.Event, message []byte) (pdu []byte) {
	tag := func(kind uint16, value []byte) {
		pdu = binary.BigEndian.AppendUint16(pdu, kind)
		padded := (len(value) + 3) &^ 3
		pdu = binary.BigEndian.AppendUint16(pdu, uint16(padded)) //nolint:gosec // Short.
		pdu = append(append(pdu, value...), make([]byte, padded-len(value))...)
	}
	tag(tagDissector, []byte(dissector))
	ends := [2]netip.AddrPort{e.Local, e.Remote}
	if e.Direction == traceapi.In {
		ends[0], ends[1] = ends[1], ends[0]
	}
	addressTags := [2][2]uint16{{tagIPv4Source, tagIPv6Source}, {tagIPv4Destination, tagIPv6Destination}}
	for i, portTag := range []uint16{tagSourcePort, tagDestinationPort} {
		if !ends[i].IsValid() {
			continue
		}
		family := 0
		if ends[i].Addr().Is6() {
			family = 1
		}
		tag(addressTags[i][family], ends[i].Addr().AsSlice())
		tag(portTag, binary.BigEndian.AppendUint32(nil, uint32(ends[i].Port())))
	}
	tag(tagEnd, nil)
	return append(pdu, message...)
}

// printable is a text without what would move the cursor of a terminal: other programs print comments as they are.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return unicode.ReplacementChar
		}
		return r
	}, printers.EscapeTerminal(text))
}
