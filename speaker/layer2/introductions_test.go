package layer2

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/daymark-lb/daymark/internal/core/announce"
	"github.com/daymark-lb/daymark/internal/core/shares"
)

// TestAnnouncer_HasRoomForSomeIntroductions only, and counts the others.
func TestAnnouncer_HasRoomForSomeIntroductions(t *testing.T) {
	a, r := newAnnouncer(time.Minute, DefaultAnnouncementRate, func() bool { return false }, newMetrics(nil)), newRecorder()
	for range 2 { // What waits already needs no more room.
		a.tell(messages(r, maxIntroductions), vip4, introducing, introductionIntervals)
	}
	if got := testutil.ToFloat64(a.notIntroduced); got != 0 {
		t.Errorf("%v are not introduced", got)
	}
	a.tell(messages(newRecorder(), 100), vip4b, introducing, introductionIntervals)
	a.tell(messages(newRecorder(), 100), vip4b, telling, introductionIntervals)
	if got := testutil.ToFloat64(a.notIntroduced); got != 100 || len(a.queues["eth0"].lists[introducing]) != maxIntroductions {
		t.Errorf("%v are not introduced, %d wait", got, len(a.queues["eth0"].lists[introducing]))
	}
	if got := len(a.queues["eth0"].lists[telling]); got != 100 {
		t.Errorf("%d clients are to be told", got)
	}
}

// becomeShared has a responder share addresses with seven other nodes, which it has held alone.
func becomeShared(addresses []netip.Addr, held addressSet, r *Responder) {
	r.live.Store(&[]*socket{{name: "eth0"}})
	(*r.live.Load())[0].addresses.Store(&held)
	names := []string{"n1"}
	after := announce.Sharing{}
	for i := range 7 {
		names = append(names, fmt.Sprintf("n%d", i+2))
		path := announce.Layer2Path{Interface: "eth0", MAC: fmt.Sprintf("02:00:00:00:00:%02x", i+2)}
		after.Servers = append(after.Servers, announce.Layer2Server{Node: names[i+1], Paths: []announce.Layer2Path{path}})
	}
	after.Table = shares.Divide(shares.Table{}, names)
	after.Own = after.Table.Of("n1")
	var changes []sharingChange
	for _, addr := range addresses {
		changes = append(changes, sharingChange{addr, &announce.Sharing{}, &after})
	}
	r.followSharing(changes)
}

// TestSharing_AddressesDivideTheIntroductions: of 32 addresses with very many clients each those that asked last are introduced to all
// nodes, and all clients of an address with few.
func TestSharing_AddressesDivideTheIntroductions(t *testing.T) {
	addresses := manyAddresses(33)
	small := addresses[20]
	r := New(Config{})
	r.crowds = newTestCrowds(addresses...)
	for _, addr := range addresses {
		for i := range maxClients {
			if addr != small || i < 10 {
				r.crowds.heard(addr, clientNumber(i))
			}
		}
	}
	becomeShared(addresses, addressesOf(true, addresses...), r)
	introduced := map[netip.Addr]int{}
	waiting := r.announcer.queues["eth0"].lists[introducing]
	for _, s := range waiting {
		introduced[s.addr]++
		if of := s.sender.(introduction).of; s.addr == addresses[0] && of.addr.Less(clientNumber(maxClients-200).addr) {
			t.Fatalf("%v is introduced", of)
		}
	}
	if len(waiting) > maxIntroductions || len(waiting) < maxIntroductions-len(addresses) || introduced[small] != 70 {
		t.Errorf("%d introductions wait, %d of the address with few clients", len(waiting), introduced[small])
	}
	for _, addr := range addresses {
		if n := introduced[addr]; addr != small && (n < 1000 || n > 1030) {
			t.Errorf("%d introductions for %v", n, addr)
		}
	}
	if all := len(waiting) + int(testutil.ToFloat64(r.announcer.notIntroduced)); all < r.crowds.total*7 {
		t.Errorf("%d introductions are counted", all)
	}
}
