package main

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/daymark-lb/daymark/e2e/kubelet"
	"github.com/daymark-lb/daymark/e2e/lab/probe"
)

// overlap is for how long two nodes may answer for an address: in a hand-over the heir begins before the leaver has heard of it and
// stops. Two electorates would both answer until they meet.
const overlap = 100 * time.Millisecond

// heldEach is how many connections are kept open to each address.
const heldEach = 8

// witness sees what users of the addresses see while something planned goes on: nothing.
type witness struct {
	near, far *probe.Prober
	// heldNear and heldFar are connections that are open when it begins and stay so.
	heldNear, heldFar []*kubelet.Held
	// control connects to pods at their own addresses: what fails there is the machine's.
	control   *probe.Prober
	answers   *probe.Watcher
	addresses *kubelet.AddressWatch
	began     time.Time
}

// watch begins to connect to all addresses, a new connection every 10 ms from each side, to ask the segment who has those of layer 2,
// and to look at the Services. Connections that are open by then are kept open. The client on the segment forgets who has an address
// before it connects.
func watch(c *kubelet.Cluster, lan, wan []netip.Addr) witness {
	w := witness{
		heldNear: hold(c.Client(), lan), heldFar: hold(c.FarClient(), wan),
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

// hold opens connections to each address.
func hold(client probe.Client, addresses []netip.Addr) (all []*kubelet.Held) {
	for _, a := range addresses {
		all = append(all, kubelet.Hold(client, netip.AddrPortFrom(a, 80).String(), heldEach))
	}
	return all
}

// broken closes connections that were held, and says how many of how many broke and why each of those did.
func broken(all []*kubelet.Held) (cell string, errs []error) {
	for _, h := range all {
		errs = append(errs, h.Stop()...)
	}
	return fmt.Sprintf("%d of %d", len(errs), len(all)*heldEach), errs
}

// byFamily says how many connections failed to addresses of IPv4, and to those of IPv6.
func byFamily(r probe.Report) string {
	var v4, v6 probe.Report
	for _, a := range r.Attempts {
		if strings.HasPrefix(a.URL, "http://[") {
			v6.Attempts = append(v6.Attempts, a)
		} else {
			v4.Attempts = append(v4.Attempts, a)
		}
	}
	return fmt.Sprintf("%d of %d, %d of %d", v4.Failed(), len(v4.Attempts), v6.Failed(), len(v6.Attempts))
}

// stop says what was seen, as cells of a table, and as an error what should not have been. By layer 2 connections that are open when
// an address moves may break while speakers run that pass nothing on, those of a version before open connections survived. By BGP a few
// of those that are held may break, as docs/connections.md says. No other may fail.
func (w witness) stop(passOn bool) (cells string, err error) {
	byARP, byBGP, answers, changes := w.near.Stop(), w.far.Stop(), w.answers.Stop(), w.addresses.Stop()
	straight := w.control.Stop()
	shared, unheld := answers.Shared(w.began), answers.Unheld(w.began)
	heldByBGP, _ := broken(w.heldFar)
	heldByARP, brokenByARP := broken(w.heldNear)
	cells = fmt.Sprintf("%s | %s | %s | %s | %d | %d ms, %d ms |", byFamily(byBGP), heldByBGP, byFamily(byARP), heldByARP,
		len(changes), shared.Milliseconds(), unheld.Milliseconds())
	byARP, _ = byARP.Without(straight)
	byBGP, _ = byBGP.Without(straight)
	if byBGP.Failed() > 0 {
		err = fmt.Errorf("by BGP: %s: %w", byBGP, byBGP.FirstError())
	}
	if byARP.Failed() > len(byARP.Broken()) || passOn && byARP.Failed() > 0 {
		err = errors.Join(err, fmt.Errorf("by ARP: %s: %w", byARP, byARP.FirstError()))
	}
	if passOn && len(brokenByARP) > 0 {
		err = errors.Join(err, fmt.Errorf("by layer 2 %d connections that were held broke: %w", len(brokenByARP), brokenByARP[0]))
	}
	for _, change := range changes {
		err = errors.Join(err, errors.New(change))
	}
	if shared > overlap {
		err = errors.Join(err, fmt.Errorf("two nodes answered for one address for %s", shared))
	}
	return cells, err
}
