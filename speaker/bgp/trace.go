package bgp

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/daymark-lb/daymark/internal/traceapi"
)

// sendRoutes sends UPDATE messages, and tells those who trace an address of the ones that have a prefix with it.
func (c *connection) sendRoutes(ctx context.Context, batches ...[]byte) error {
	if err := c.send(ctx, batches...); err != nil {
		return err
	}
	if !c.recorder.tracer.On() {
		return nil
	}
	for _, batch := range batches {
		for len(batch) >= bgp.BGP_HEADER_LENGTH {
			length := binary.BigEndian.Uint16(batch[16:])
			c.traceUpdate(batch[:length])
			batch = batch[length:]
		}
	}
	return nil
}

func (c *connection) traceUpdate(message []byte) {
	parsed, err := bgp.ParseBGPMessage(message, &bgp.MarshallingOption{Use2ByteAS: !c.encoder.FourOctets})
	if err != nil {
		return // It is ours, and so it is well formed.
	}
	update, is := parsed.Body.(*bgp.BGPUpdate)
	if !is {
		return
	}
	announced, withdrawn := update.NLRI, update.WithdrawnRoutes
	var attributes []string
	for _, attribute := range update.PathAttributes {
		switch a := attribute.(type) {
		case *bgp.PathAttributeMpReachNLRI:
			announced = append(announced, a.Value...)
			attributes = append(attributes, "{Nexthop: "+a.Nexthop.String()+"}")
		case *bgp.PathAttributeMpUnreachNLRI:
			withdrawn = append(withdrawn, a.Value...)
		default:
			attributes = append(attributes, a.String())
		}
	}
	c.tracePrefixes(message, withdrawn, "withdrawn: this node announces it no more")
	c.tracePrefixes(message, announced, "announced with "+strings.Join(attributes, " "))
}

func (c *connection) tracePrefixes(message []byte, prefixes []bgp.PathNLRI, decision string) {
	for _, addr := range c.recorder.tracer.Wanted() {
		for _, n := range prefixes {
			with, is := n.NLRI.(*bgp.IPAddrPrefix)
			if !is || !with.Prefix.Contains(addr) {
				continue
			}
			c.recorder.tracer.Record(addr, func() traceapi.Event {
				return traceapi.Event{
					Protocol: traceapi.BGP, Direction: traceapi.Out, On: c.recorder.sessionName(),
					Summary: fmt.Sprintf("UPDATE with %s", with.Prefix), Decision: decision, Frame: bytes.Clone(message),
					Local: endOf(c.transport.conn.LocalAddr()), Remote: endOf(c.transport.conn.RemoteAddr()),
				}
			})
		}
	}
}

// endOf a connection; invalid when it has no address.
func endOf(address net.Addr) netip.AddrPort {
	at, is := address.(*net.TCPAddr)
	if !is {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(at.AddrPort().Addr().Unmap().WithZone(""), at.AddrPort().Port())
}

func (r *statusRecorder) sessionName() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.name
}
