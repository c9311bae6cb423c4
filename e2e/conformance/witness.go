package main

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/daymark-lb/daymark/e2e/kubelet"
	"github.com/daymark-lb/daymark/e2e/lab/probe"
)

// overlap is for how long two nodes may answer for an address: in a hand-over the heir begins before the leaver has heard of it and
// stops. Two electorates would both answer until they meet.
const overlap = 100 * time.Millisecond

// witness sees what users of the addresses see while something planned goes on: nothing.
type witness struct {
	near, far *probe.Prober
	// control connects to pods at their own addresses: what fails there is the machine's.
	control   *probe.Prober
	answers   *probe.Watcher
	addresses *kubelet.AddressWatch
	began     time.Time
}

// watch begins to connect to all addresses, a new connection every 10 ms from each side, to ask the segment who has those of layer 2,
// and to look at the Services. The client on the segment forgets who has an address before it connects.
func watch(c *kubelet.Cluster, lan, wan []netip.Addr) witness {
	w := witness{
		near: c.Client().Probe(pages(lan)...), far: c.FarClient().Probe(pages(wan)...),
		control: c.Control(), answers: c.Client().Watch(lan...), addresses: c.WatchAddresses(), began: time.Now(),
	}
	w.near.Forget()
	return w
}

func pages(addresses []netip.Addr) (urls []string) {
	for _, a := range addresses {
		urls = append(urls, kubelet.URL(a))
	}
	return urls
}

// stop says what was seen, as cells of a table, and as an error what should not have been. By layer 2 connections that are open when
// an address moves may break while speakers run that pass nothing on, those of a version before open connections survived; no other
// may fail.
func (w witness) stop(passOn bool) (cells string, err error) {
	byARP, byBGP, answers, changes := w.near.Stop(), w.far.Stop(), w.answers.Stop(), w.addresses.Stop()
	straight := w.control.Stop()
	shared, unheld := answers.Shared(w.began), answers.Unheld(w.began)
	cells = fmt.Sprintf("%d of %d | %d of %d, %d | %d | %d ms, %d ms |", byBGP.Failed(), len(byBGP.Attempts),
		byARP.Failed(), len(byARP.Attempts), len(byARP.Broken()), len(changes), shared.Milliseconds(), unheld.Milliseconds())
	byARP, _ = byARP.Without(straight)
	byBGP, _ = byBGP.Without(straight)
	if byBGP.Failed() > 0 {
		err = fmt.Errorf("by BGP: %s: %w", byBGP, byBGP.FirstError())
	}
	if byARP.Failed() > len(byARP.Broken()) || passOn && byARP.Failed() > 0 {
		err = errors.Join(err, fmt.Errorf("by ARP: %s: %w", byARP, byARP.FirstError()))
	}
	for _, change := range changes {
		err = errors.Join(err, errors.New(change))
	}
	if shared > overlap {
		err = errors.Join(err, fmt.Errorf("two nodes answered for one address for %s", shared))
	}
	return cells, err
}
