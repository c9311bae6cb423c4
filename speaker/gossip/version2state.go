package gossip

import (
	"math"
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
	"github.com/daymark-lb/daymark/internal/core/proxyhealth"
)

// append2 writes a record: in an exchange with its node and incarnation, which the message of a state has in its header.
func (s stateRecord) append2(b []byte) []byte {
	b = appendNumberField(appendTextField(b, 1, s.node), 2, s.incarnation)
	return appendField(appendNumberField(b, 3, s.seq), 4, s.bodyIn(version2))
}

func (r *reader) stateRecord2() stateRecord {
	s := stateRecord{version: version2}
	r.fields(func(tag uint64, value *reader) bool {
		switch tag {
		case 1:
			s.node = value.textField()
		case 2:
			s.incarnation = value.incarnation()
		case 3:
			s.seq = value.number()
		case 4:
			s.body = value.stateBody(len(value.rest))
		default:
			return false
		}
		return true
	})
	return s
}

func (s State) append2(b []byte) []byte {
	b = appendFlagField(appendFlagField(b, 1, s.Known), 2, s.Leaving)
	for _, link := range boundedLinks(s.Links) {
		b = appendField(b, 3, appendLink2(nil, link))
	}
	b = appendNumberField(b, 4, uint64(s.Proxy))
	for _, segment := range s.Segments[:min(len(s.Segments), maxSegments)] {
		b = appendField(b, 5, appendSegment2(nil, segment))
	}
	for _, addr := range s.Draining[:min(len(s.Draining), maxDraining)] {
		b = appendField(b, 6, addr.AsSlice())
	}
	b = appendNumberField(appendFlagField(b, 7, s.DrainingTold && len(s.Draining) <= maxDraining), 8, s.Sessions)
	b = appendFlagField(b, 9, s.PassesOn)
	for _, addr := range s.Lost[:min(len(s.Lost), maxLost)] {
		b = appendField(b, 10, addr.AsSlice())
	}
	return appendNumberField(b, 11, uint64(s.PassesOnly))
}

func appendLink2(b []byte, link lb.Link) []byte {
	b = appendTextField(appendTextField(b, 1, link.Name), 2, link.MAC)
	b = appendFlagField(appendFlagField(appendFlagField(b, 3, link.Up), 4, link.Enslaved), 5, link.NoARP)
	for _, prefix := range link.Addresses {
		b = appendPrefixField(b, 6, prefix)
	}
	for _, subnet := range link.Routes {
		if !slices.ContainsFunc(link.Addresses, func(p netip.Prefix) bool { return p.Masked() == subnet }) {
			b = appendPrefixField(b, 7, subnet)
		}
	}
	for _, family := range link.Unable {
		b = appendNumberField(b, 8, uint64(family))
	}
	b = appendTextField(b, 9, link.PermanentMAC)
	for _, prefix := range link.Local {
		b = appendPrefixField(b, 10, prefix)
	}
	return b
}

func appendPrefixField(b []byte, tag uint64, prefix netip.Prefix) []byte {
	return appendField(b, tag, append(prefix.Addr().AsSlice(), byte(prefix.Bits()))) //nolint:gosec // 0 to 128.
}

func (r *reader) state2() State {
	var s State
	r.fields(func(tag uint64, value *reader) bool {
		switch tag {
		case 1:
			s.Known = value.flag()
		case 2:
			s.Leaving = value.flag()
		case 3:
			s.Links = append(s.Links, value.link2())
		case 4:
			s.Proxy = proxyhealth.State(min(value.number(), math.MaxUint8))
		case 5:
			s.Segments = append(s.Segments, value.segment2())
		case 6:
			s.Draining = append(s.Draining, value.addressField())
		case 7:
			s.DrainingTold = value.flag()
		case 8:
			s.Sessions = value.number()
		case 9:
			s.PassesOn = value.flag()
		case 10:
			s.Lost = append(s.Lost, value.addressField())
		case 11:
			s.PassesOnly = value.family()
		default:
			return false
		}
		return true
	})
	return s
}

func (r *reader) link2() lb.Link {
	var link lb.Link
	r.fields(func(tag uint64, value *reader) bool {
		switch tag {
		case 1:
			link.Name = value.textField()
		case 2:
			link.MAC = value.textField()
		case 3:
			link.Up = value.flag()
		case 4:
			link.Enslaved = value.flag()
		case 5:
			link.NoARP = value.flag()
		case 6:
			link.Addresses = append(link.Addresses, value.prefixField())
		case 7:
			link.Routes = append(link.Routes, value.prefixField())
		case 8:
			link.Unable = append(link.Unable, value.family())
		case 9:
			link.PermanentMAC = value.textField()
		case 10:
			link.Local = append(link.Local, value.prefixField())
		default:
			return false
		}
		return true
	})
	return link
}

// family is one of the two, or one that a later version knows and that nothing here has.
func (r *reader) family() lb.Family { return lb.Family(r.number()) } //nolint:gosec // An unknown one is equal to none.

// addressField is an address, which fills the field.
func (r *reader) addressField() netip.Addr {
	addr, ok := netip.AddrFromSlice(r.bytes(len(r.rest)))
	if !ok {
		r.fail()
	}
	return addr
}

// prefixField is an address and a byte with the length of the prefix, which fill the field.
func (r *reader) prefixField() netip.Prefix {
	addr, ok := netip.AddrFromSlice(r.bytes(len(r.rest) - 1))
	prefix := netip.PrefixFrom(addr, int(r.byte()))
	if !ok || !prefix.IsValid() {
		r.fail()
	}
	return prefix
}

func (e exchange) append2(b []byte) []byte {
	for _, each := range e.bounded() {
		b = appendField(b, 1, each.append2(nil))
	}
	return appendField(b, 2, e.claims.append2(nil))
}

func (r *reader) exchange2() exchange {
	var e exchange
	r.fields(func(tag uint64, value *reader) bool {
		switch tag {
		case 1:
			each := value.stateRecord2()
			if each.node == "" {
				value.fail()
			}
			e.states = append(e.states, each)
		case 2:
			e.claims = value.claimList2()
		default:
			return false
		}
		return true
	})
	return e
}
