package wire

import (
	"net"
	"net/netip"
	"slices"
	"time"
)

// Asked is a question that was on the wire, and who answered it before the next one.
type Asked struct {
	At time.Time
	By []string // each once, sorted
}

// Answers are the questions for each address that one host asked, in order of time, and what came of them.
type Answers map[netip.Addr][]Asked

// Add takes in what was said, seen from the host with this MAC; owner names who has a MAC.
func (a Answers) Add(s Said, from net.HardwareAddr, owner func(net.HardwareAddr) string) {
	asked := a[s.Address]
	switch {
	case s.Kind == Question && slices.Equal(s.By, from):
		a[s.Address] = append(asked, Asked{At: s.At})
	case s.Kind == Answer && len(asked) > 0:
		last := &asked[len(asked)-1]
		if name := owner(s.By); !slices.Contains(last.By, name) {
			last.By = slices.Sorted(slices.Values(append([]string{name}, last.By...)))
		}
	}
}

// Span is a time in which something was so of an address.
type Span struct {
	Address netip.Addr
	From    time.Time
	Lasted  time.Duration
	By      []string // who answered at its beginning
}

// Longest is the longest time for which the answers to the questions of one address satisfy such: from the first question that does to the
// next that does not, or to the last one of all.
func (a Answers) Longest(such func(by []string) bool) (longest Span) {
	for address, asked := range a {
		var since *Asked
		for i := range asked {
			if since != nil {
				if lasted := asked[i].At.Sub(since.At); lasted > longest.Lasted {
					longest = Span{address, since.At, lasted, since.By}
				}
			}
			switch {
			case !such(asked[i].By):
				since = nil
			case since == nil:
				since = &asked[i]
			}
		}
	}
	return longest
}

// Unheld is the longest time for which nobody of some hosts answered for one address.
func (a Answers) Unheld(hosts []string) Span {
	return a.Longest(func(by []string) bool { return count(by, hosts) == 0 })
}

// Shared is the longest time for which more than one of some hosts answered for one address.
func (a Answers) Shared(hosts []string) Span {
	return a.Longest(func(by []string) bool { return count(by, hosts) > 1 })
}

func count(by, hosts []string) (n int) {
	for _, name := range by {
		if slices.Contains(hosts, name) {
			n++
		}
	}
	return n
}

// Since is the answers to the questions asked from a moment on. The last question of each address is left out: its answer may be on its
// way.
func (a Answers) Since(moment time.Time) Answers {
	since := Answers{}
	for address, asked := range a {
		from, _ := slices.BinarySearchFunc(asked, moment, func(q Asked, m time.Time) int { return q.At.Compare(m) })
		since[address] = slices.Clone(asked[from:max(from, len(asked)-1)])
	}
	return since
}

// Holders are who answered for each address, if all its questions had the same single host of some as their answer.
func (a Answers) Holders(hosts []string) (holders map[netip.Addr]string) {
	holders = map[netip.Addr]string{}
	for address, asked := range a {
		for i := range asked {
			named := slices.DeleteFunc(slices.Clone(asked[i].By), func(name string) bool { return !slices.Contains(hosts, name) })
			if len(named) != 1 || i > 0 && holders[address] != named[0] {
				delete(holders, address)
				break
			}
			holders[address] = named[0]
		}
	}
	return holders
}
