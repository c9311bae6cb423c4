package bgp

import (
	"context"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/daymark-lb/daymark/api/v1beta1"
)

// readLoop reads what the router of an established session sends. It returns why the connection has ended. It never writes:
// a router that sends without end and reads nothing cannot stop us from reading.
func (c *connection) readLoop(ctx context.Context) error {
	var limiter readLimiter
	for {
		if limiter.wait(ctx) {
			c.recorder.setFlooded(limiter.flooded())
		}
		m, err := c.readMessage(v1beta1.BGPEstablished)
		if err != nil {
			return err
		}
		switch m.messageType {
		case bgp.BGP_MSG_UPDATE:
			received, err := countUpdatePrefixes(m.body)
			if err != nil {
				return err
			}
			c.recorder.prefixesReceived.Add(int64(received))
		case bgp.BGP_MSG_ROUTE_REFRESH:
			c.requestRefresh(m.body)
			continue // Only KEEPALIVE and UPDATE restart the hold timer (RFC 4271 section 8.2.2).
		}
		if err := c.startHoldTimer(ctx, c.negotiated.holdTime); err != nil {
			return err
		}
	}
}

// requestRefresh takes the body of a ROUTE-REFRESH message: it asks the writing goroutine to send a family's paths again.
// A family that is not exchanged is ignored, and so are the subtypes 1 and 2, which mark where an answer begins and ends
// (RFC 7313). All other values of that octet mean a request (RFC 2918 section 3).
func (c *connection) requestRefresh(body []byte) {
	afi, subtype, safi := uint16(body[0])<<8|uint16(body[1]), body[2], body[3]
	for _, family := range c.negotiated.families {
		if f := afiSAFI(family); f.Afi() == afi && f.Safi() == safi && subtype != 1 && subtype != 2 {
			c.refreshFamilies[familyIndex(family)].Store(true)
			notify(c.refreshRequested)
		}
	}
}
