package announce

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/daymark-lb/daymark/internal/core/lb"
)

// servicesAt are the Services in order of address, and those of one address in order of key. It never changes. A map from the addresses would
// take five times the memory.
type servicesAt []serviceAt

// serviceAt is a Service at one of the addresses in its status, by the place of that.
type serviceAt struct {
	service *lb.Service
	place   int
}

func (s *serviceAt) addr() netip.Addr { return s.service.Ingress[s.place] }

func (s *serviceAt) same(other *serviceAt) bool { return *s == *other }

func (s serviceAt) compare(other serviceAt) int {
	if order := s.addr().Compare(other.addr()); order != 0 {
		return order
	}
	return s.service.Key.Compare(other.service.Key)
}

// newServicesAt of all Services.
func newServicesAt(services []*lb.Service) servicesAt {
	count := 0
	for _, s := range services {
		count += len(s.Ingress)
	}
	at := make(servicesAt, 0, count)
	for _, s := range services {
		for place, addr := range s.Ingress {
			if slices.Index(s.Ingress, addr) == place { // a status that others write may have it twice
				at = append(at, serviceAt{s, place})
			}
		}
	}
	slices.SortFunc(at, serviceAt.compare)
	return at
}

// of an address, in order of key.
func (at servicesAt) of(addr netip.Addr) (services []*lb.Service) {
	for i := firstAt(at, addr, (*serviceAt).addr); i < len(at) && at[i].addr() == addr; i++ {
		services = append(services, at[i].service)
	}
	return services
}

// has reports whether a Service has an address.
func (at servicesAt) has(addr netip.Addr) bool {
	i := firstAt(at, addr, (*serviceAt).addr)
	return i < len(at) && at[i].addr() == addr
}

// with are the Services after some changes.
func (at servicesAt) with(changes []ServiceChange) servicesAt {
	now := map[netip.Addr][]*lb.Service{}
	for _, change := range changes {
		for _, s := range []*lb.Service{change.Before, change.Now} {
			if s == nil {
				continue
			}
			for _, addr := range s.Ingress {
				if _, known := now[addr]; !known {
					now[addr] = at.of(addr)
				}
			}
		}
	}
	for _, change := range changes {
		replaceService(now, change.Before, change.Now)
	}
	addrs := slices.SortedFunc(maps.Keys(now), netip.Addr.Compare)
	var anew servicesAt
	for _, addr := range addrs {
		for _, s := range now[addr] {
			anew = append(anew, serviceAt{s, slices.Index(s.Ingress, addr)})
		}
	}
	all, _ := replacedAt(at, anew, addrs, (*serviceAt).addr, (*serviceAt).same)
	return all
}

// replaceService puts a Service in the place of another, at the addresses of both; nil: there is none.
func replaceService(at map[netip.Addr][]*lb.Service, before, now *lb.Service) {
	if before != nil {
		for _, addr := range before.Ingress {
			at[addr] = slices.DeleteFunc(at[addr], func(s *lb.Service) bool { return s == before })
		}
	}
	if now != nil {
		for _, addr := range now.Ingress {
			if i, found := findService(at[addr], now.Key); !found {
				at[addr] = slices.Insert(at[addr], i, now)
			}
		}
	}
}

// withoutRoom is a list that is kept, without spare room if that is much.
func withoutRoom[E any](list []E) []E {
	if cap(list)-len(list) <= len(list)/8 {
		return list
	}
	return append(make([]E, 0, len(list)), list...)
}
